// Muon's update beside its products, in three passes: momentum, second moments of the orthogonal update, weights.
using System.Numerics;
using System.Runtime.CompilerServices;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>The update of some hidden matrices, float32 on the CPU; <see cref="PlainMuon"/> is its plain twin.</summary>
internal sealed unsafe class MuonKernel
{
    private const int PieceLength = 1 << 14;
    private readonly ParameterSet _parameters;
    private readonly MuonRule _rule;
    private readonly ParameterSlice[] _matrices;
    private readonly IMatrixState _state;
    private readonly ParallelOptions _parallel;

    /// <summary>Plans the work.</summary>
    /// <param name="matrices">The matrices to update.</param>
    /// <param name="state">Holds what <see cref="MuonRule.StateOf"/> names.</param>
    public MuonKernel(
        ParameterSet parameters,
        MuonRule rule,
        IEnumerable<ParameterSlice> matrices,
        IMatrixState state,
        ParallelOptions parallel
    ) => (_parameters, _rule, _matrices, _state, _parallel) = (parameters, rule, [.. matrices], state, parallel);

    /// <summary>One update of each matrix. Beside libtorch's products the bits do not depend on the number of threads.</summary>
    /// <param name="takes">Which of the matrices; null for all.</param>
    public void Update(UpdateStep step, Func<ParameterSlice, bool>? takes = null)
    {
        using IDisposable _ = no_grad();
        foreach (ParameterSlice slice in _matrices.Where(slice => takes?.Invoke(slice) ?? true))
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor direction = NewtonSchulz
                .Orthogonalize(Nesterov(slice, step), _rule.Orthogonalization, _rule.ProductType)
                .contiguous(); // [rows, columns]
            Apply(slice, (float*)TensorAddress.Of(direction), step);
        }
    }

    // m ← μm + (1 − μ)g, and (1 − μ)g + μm, [rows, columns].
    private Tensor Nesterov(ParameterSlice slice, UpdateStep step)
    {
        Tensor result = empty(slice.Shape, ScalarType.Float32);
        float* to = (float*)TensorAddress.Of(result);
        float* gradients = (float*)TensorAddress.Of(_parameters.FlatGradients) + slice.Offset;
        double share = step.Momentum ?? _rule.Momentum;
        (long First, long Length)[] pieces = [.. NumberWindows.Pieces(slice.Offset, slice.Count, PieceLength)];
        ParallelRanges.Run(
            pieces.Length,
            _parallel,
            i =>
            {
                (long first, long length) = pieces[i];
                var room = (float*)WorkerScratch.Take(2 * PieceLength);
                float* momentum = _state.Momentum(slice, first, length, room);
                Momentum(
                    gradients + first,
                    momentum,
                    to + first,
                    length,
                    (float)share,
                    (float)((1.0 - share) * step.Clip)
                );
                _state.Keep(slice, first, length, momentum, step.UpdateCount);
            }
        );
        return result;
    }

    private void Apply(ParameterSlice slice, float* direction, UpdateStep step)
    {
        (int rows, int columns) = (checked((int)slice.Shape[0]), checked((int)slice.Shape[1]));
        float rate = (float)(step.LearningRate * _rule.Scale(slice.Shape));
        float keep = (float)_rule.Keep(step);
        float limit = _rule.Cautious ? 0f : float.NegativeInfinity;
        bool isPacked = _parameters.IsPacked;
        float* weights = isPacked ? null : _parameters.Start + slice.Offset;
        var key = RoundingKey.Of(_state.Seed, step.UpdateCount, RoundedValue.Weight);
        bool byRow = _rule.IsByRow(slice.Shape);
        float[]? factors = Factors(slice, direction, rows, columns);
        float[]? ofColumns = byRow ? null : factors;
        ParallelRanges.Run(
            rows,
            _parallel,
            row =>
            {
                long at = (long)row * columns;
                float ofRow = factors is null || !byRow ? rate : rate * factors[row];
                fixed (float* each = ofColumns)
                {
                    if (!isPacked)
                    {
                        UpdateRow(weights + at, direction + at, each, columns, ofRow, keep, limit);
                        return;
                    }

                    var wide = (float*)WorkerScratch.Take(2L * columns); // as bfloat16, two to a float
                    _parameters.Load(slice.Offset + at, columns, wide);
                    UpdateRow(wide, direction + at, each, columns, ofRow, keep, limit);
                    _parameters.Store(slice.Offset + at, columns, wide, key);
                }
            }
        );
    }

    // What each row, or column, is multiplied with so that the parts are of one size and the matrix keeps its norm; null for nothing. The second moments move on.
    private float[]? Factors(ParameterSlice slice, float* direction, int rows, int columns)
    {
        if (_rule.MomentsOf(slice) is not string name)
        {
            return null;
        }

        bool byRow = _rule.IsByRow(slice.Shape);
        double[] squares = byRow ? RowSquares(direction, rows, columns) : ColumnSquares(direction, rows, columns);
        float* moments = _state.AddressOf(name);
        int across = byRow ? columns : rows;
        double[] factors = new double[squares.Length];
        double before = 0;
        double after = 0;
        for (int i = 0; i < squares.Length; i++)
        {
            moments[i] = (float)((_rule.Beta * moments[i]) + ((1.0 - _rule.Beta) * squares[i] / across));
            factors[i] = 1.0 / (Math.Sqrt(moments[i]) + MuonRule.Epsilon);
            before += squares[i];
            after += squares[i] * factors[i] * factors[i];
        }

        double scale = after > 0 ? Math.Sqrt(before / after) : 0.0;
        return [.. factors.Select(factor => (float)(factor * scale))];
    }

    private double[] RowSquares(float* values, int rows, int columns)
    {
        double[] sums = new double[rows];
        ParallelRanges.Run(
            rows,
            _parallel,
            row => sums[row] = FlatSums.SquareSum(values + ((long)row * columns), columns)
        );
        return sums;
    }

    // A few columns at a time, each summed in the order of the rows.
    private double[] ColumnSquares(float* values, int rows, int columns)
    {
        const int Width = 64;
        double[] sums = new double[columns];
        ParallelRanges.Run(
            (columns + Width - 1) / Width,
            _parallel,
            part =>
            {
                int end = Math.Min(columns, (part + 1) * Width);
                for (int row = 0; row < rows; row++)
                {
                    for (int column = part * Width; column < end; column++)
                    {
                        double value = values[((long)row * columns) + column];
                        sums[column] += value * value;
                    }
                }
            }
        );
        return sums;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Momentum(float* gradients, float* momentum, float* to, long count, float share, float rest)
    {
        Vector<float> shares = new(share);
        Vector<float> rests = new(rest);
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = Vector.Load(gradients + i) * rests;
            Vector<float> m = (shares * Vector.Load(momentum + i)) + g;
            m.Store(momentum + i);
            (g + (shares * m)).Store(to + i);
        }

        for (; i < count; i++)
        {
            float g = gradients[i] * rest;
            momentum[i] = (share * momentum[i]) + g;
            to[i] = g + (share * momentum[i]);
        }
    }

    // w ← keep·w − rate·factor·O, where keep is 1 for what the update does not make smaller and decay is cautious.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateRow(
        float* weights,
        float* direction,
        float* factors,
        int count,
        float rate,
        float keep,
        float limit
    )
    {
        Vector<float> rates = new(rate);
        Vector<float> kept = new(keep);
        Vector<float> limits = new(limit);
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> w = Vector.Load(weights + i);
            Vector<float> update = rates * Vector.Load(direction + i);
            if (factors is not null)
            {
                update *= Vector.Load(factors + i);
            }

            Vector<float> share = Vector.ConditionalSelect(
                Vector.GreaterThan(update * w, limits),
                kept,
                Vector<float>.One
            );
            ((w * share) - update).Store(weights + i);
        }

        for (; i < count; i++)
        {
            float update = rate * direction[i];
            if (factors is not null)
            {
                update *= factors[i];
            }

            float share = update * weights[i] > limit ? keep : 1f;
            weights[i] = (weights[i] * share) - update;
        }
    }
}
