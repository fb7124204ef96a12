// Three passes over one weight: squares by row and column, the update's root mean square, the update itself.
// The update is never stored: the second and third pass make it anew from the gradient and two vectors.
using System.Numerics;
using System.Runtime.CompilerServices;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>Where one weight and its moments lie; <see cref="Adafactor"/> has the formulas.</summary>
internal unsafe struct AdafactorWeight
{
    /// <summary>w, [rows, columns].</summary>
    public float* Values;

    /// <summary>g, [rows, columns].</summary>
    public float* Gradients;

    /// <summary>m_row, [rows]; null for a vector, whose one row needs no factor.</summary>
    public float* RowMoments;

    /// <summary>m_col, [columns]; of a vector all of its second moment.</summary>
    public float* ColumnMoments;

    /// <summary>m₁, [rows, columns]; null where none is kept.</summary>
    public float* FirstMoments;

    /// <summary>Rows; 1 for a vector.</summary>
    public int Rows;

    /// <summary>Columns, or the length of a vector.</summary>
    public int Columns;

    /// <summary>1 − ηδ, or 1 where the weight does not decay.</summary>
    public double Keep;
}

/// <summary>What all weights of one update share.</summary>
/// <param name="Clip">Factor of every gradient.</param>
/// <param name="Beta2">β₂ of this update; 0 in the first.</param>
/// <param name="ScaleParameter">Whether η is relative to the weight's root mean square.</param>
/// <param name="Beta1">β₁, used where first moments are kept.</param>
internal readonly record struct AdafactorStep(
    double Clip,
    double Beta2,
    double LearningRate,
    bool ScaleParameter,
    double Beta1
);

/// <summary>Adafactor's arithmetic on raw memory, in chunks of rows that do not depend on the number of threads.</summary>
internal sealed unsafe class AdafactorKernel
{
    private const double Epsilon1 = 1e-30;
    private const double Epsilon2 = 1e-3;
    private const double UpdateThreshold = 1.0; // arXiv:1804.04235, Algorithm 6
    private const int ChunkElements = 1 << 16;
    private const int LeastChunkRows = 64; // bounds the sums by chunk and column to 1/64 of the weight
    private readonly ParallelOptions _parallel;
    private readonly float[] _columnSums;
    private readonly double[] _rowSums;
    private readonly float[] _rowFactors;
    private readonly float[] _columnFactors;

    /// <summary>Makes room for the largest of some weights.</summary>
    public AdafactorKernel(IEnumerable<(int Rows, int Columns)> shapes, ParallelOptions parallel)
    {
        _parallel = parallel;
        (int Rows, int Columns)[] all = [.. shapes];
        _columnSums = new float[all.Max(shape => checked(ChunkCount(shape.Rows, shape.Columns) * shape.Columns))];
        _rowSums = new double[all.Max(shape => shape.Rows)];
        _rowFactors = new float[_rowSums.Length];
        _columnFactors = new float[all.Max(shape => shape.Columns)];
    }

    /// <summary>One update of one weight and its moments.</summary>
    public void Update(AdafactorWeight weight, AdafactorStep step)
    {
        int chunks = ChunkCount(weight.Rows, weight.Columns);
        int rows = ChunkRows(weight.Columns);
        ParallelRanges.Run(
            chunks,
            _parallel,
            i =>
                SumSquares(
                    weight,
                    (float)step.Clip,
                    i * rows,
                    Math.Min(rows, weight.Rows - (i * rows)),
                    _columnSums.AsSpan(i * weight.Columns, weight.Columns)
                )
        );
        UpdateMoments(weight, step.Beta2, chunks);

        // The clip goes into the rows' factors: U = g · row · column.
        for (int i = 0; i < weight.Rows; i++)
        {
            _rowFactors[i] *= (float)step.Clip;
        }

        (double Update, double Weight)[] squares = new (double, double)[chunks];
        ParallelRanges.Run(
            chunks,
            _parallel,
            i =>
                squares[i] = SumUpdateSquares(
                    weight,
                    i * rows,
                    Math.Min(rows, weight.Rows - (i * rows)),
                    step.ScaleParameter
                )
        );
        double count = (double)weight.Rows * weight.Columns;
        double updateRms = Math.Sqrt(squares.Sum(square => square.Update) / count);
        double weightRms = Math.Sqrt(squares.Sum(square => square.Weight) / count);
        double rate =
            step.LearningRate
            * (step.ScaleParameter ? Math.Max(Epsilon2, weightRms) : 1.0)
            / Math.Max(1.0, updateRms / UpdateThreshold);
        ParallelRanges.Run(
            chunks,
            _parallel,
            i => Apply(weight, i * rows, Math.Min(rows, weight.Rows - (i * rows)), (float)rate, (float)step.Beta1)
        );
    }

    private static int ChunkRows(int columns) => Math.Max(LeastChunkRows, ChunkElements / columns);

    private static int ChunkCount(int rows, int columns) => (rows + ChunkRows(columns) - 1) / ChunkRows(columns);

    // Σ g² of each row, and of each column over the rows of one chunk.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SumSquares(AdafactorWeight weight, float clip, int firstRow, int rowCount, Span<float> columnSums)
    {
        columnSums.Clear();
        fixed (float* columns = columnSums)
        {
            for (int row = firstRow; row < firstRow + rowCount; row++)
            {
                float* gradients = weight.Gradients + ((long)row * weight.Columns);
                Vector<float> sum = Vector<float>.Zero;
                int j = 0;
                for (; j <= weight.Columns - Vector<float>.Count; j += Vector<float>.Count)
                {
                    Vector<float> g = Vector.Load(gradients + j) * clip;
                    Vector<float> square = g * g;
                    sum += square;
                    (Vector.Load(columns + j) + square).Store(columns + j);
                }

                double total = Vector.Sum(sum);
                for (; j < weight.Columns; j++)
                {
                    float g = gradients[j] * clip;
                    total += g * g;
                    columns[j] += g * g;
                }

                _rowSums[row] = total;
            }
        }
    }

    // m_row and m_col, and 1/√(m_row/mean(m_row)) and 1/√m_col, the two factors of 1/√m̂₂.
    private void UpdateMoments(AdafactorWeight weight, double beta2, int chunks)
    {
        for (int j = 0; j < weight.Columns; j++)
        {
            double sum = 0;
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                sum += _columnSums[(chunk * weight.Columns) + j];
            }

            weight.ColumnMoments[j] = (float)(
                (beta2 * weight.ColumnMoments[j]) + ((1.0 - beta2) * ((sum / weight.Rows) + Epsilon1))
            );
            _columnFactors[j] = (float)(1.0 / Math.Sqrt(weight.ColumnMoments[j]));
        }

        if (weight.RowMoments is null)
        {
            _rowFactors[0] = 1f;
            return;
        }

        double mean = 0;
        for (int i = 0; i < weight.Rows; i++)
        {
            weight.RowMoments[i] = (float)(
                (beta2 * weight.RowMoments[i]) + ((1.0 - beta2) * ((_rowSums[i] / weight.Columns) + Epsilon1))
            );
            mean += weight.RowMoments[i] / (double)weight.Rows;
        }

        for (int i = 0; i < weight.Rows; i++)
        {
            _rowFactors[i] = (float)Math.Sqrt(mean / weight.RowMoments[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (double Update, double Weight) SumUpdateSquares(
        AdafactorWeight weight,
        int firstRow,
        int rowCount,
        bool withWeight
    )
    {
        double updates = 0;
        double weights = 0;
        fixed (float* columns = _columnFactors)
        {
            for (int row = firstRow; row < firstRow + rowCount; row++)
            {
                float* gradients = weight.Gradients + ((long)row * weight.Columns);
                float* values = weight.Values + ((long)row * weight.Columns);
                float factor = _rowFactors[row];
                Vector<float> sum = Vector<float>.Zero;
                Vector<float> weightSum = Vector<float>.Zero;
                int j = 0;
                for (; j <= weight.Columns - Vector<float>.Count; j += Vector<float>.Count)
                {
                    Vector<float> u = Vector.Load(gradients + j) * factor * Vector.Load(columns + j);
                    sum += u * u;
                    if (withWeight)
                    {
                        Vector<float> w = Vector.Load(values + j);
                        weightSum += w * w;
                    }
                }

                updates += Vector.Sum(sum);
                weights += Vector.Sum(weightSum);
                for (; j < weight.Columns; j++)
                {
                    float u = gradients[j] * factor * columns[j];
                    updates += u * u;
                    weights += withWeight ? values[j] * values[j] : 0f;
                }
            }
        }

        return (updates, weights);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Apply(AdafactorWeight weight, int firstRow, int rowCount, float rate, float beta1)
    {
        float keep = (float)weight.Keep;
        bool hasMoments = weight.FirstMoments is not null;
        fixed (float* columns = _columnFactors)
        {
            for (int row = firstRow; row < firstRow + rowCount; row++)
            {
                long start = (long)row * weight.Columns;
                float* gradients = weight.Gradients + start;
                float* values = weight.Values + start;
                float* moments = hasMoments ? weight.FirstMoments + start : null;
                float factor = _rowFactors[row] * rate;
                int j = 0;
                for (; j <= weight.Columns - Vector<float>.Count; j += Vector<float>.Count)
                {
                    Vector<float> change = Vector.Load(gradients + j) * factor * Vector.Load(columns + j);
                    if (hasMoments)
                    {
                        change = (beta1 * Vector.Load(moments + j)) + ((1f - beta1) * change);
                        change.Store(moments + j);
                    }

                    ((Vector.Load(values + j) * keep) - change).Store(values + j);
                }

                for (; j < weight.Columns; j++)
                {
                    float change = gradients[j] * factor * columns[j];
                    if (hasMoments)
                    {
                        change = (beta1 * moments[j]) + ((1f - beta1) * change);
                        moments[j] = change;
                    }

                    values[j] = (values[j] * keep) - change;
                }
            }
        }
    }
}
