// y = (x − mean)·r·w + b, r = 1/√(variance + ε) (arXiv:1607.06450). D = width.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>LayerNorm over rows, with its gradient; optionally adds a residual branch in the same pass.</summary>
internal static unsafe class LayerNormKernel
{
    // Rows of one piece of work. Fixed, so that the sums of the weights' gradients do not depend on the number of threads.
    private const int PieceRows = 128;

    /// <summary>y, mean and r of every row of x + branch, and that sum.</summary>
    /// <param name="branch">[rows, D] to add to x; null for none.</param>
    /// <param name="sum">[rows, D], x + branch; may be x itself. Not written without a branch.</param>
    /// <param name="scales">Mean and r, [rows, 2].</param>
    public static void Forward<TBranch, TElement>(
        float* x,
        TBranch* branch,
        float* sum,
        float* weight,
        float* bias,
        TElement* y,
        float* scales,
        int rows,
        int width,
        double epsilon,
        ParallelOptions parallel
    )
        where TBranch : unmanaged, IElement<TBranch>
        where TElement : unmanaged, IElement<TElement> =>
        Run(
            rows,
            parallel,
            row =>
            {
                long at = row * width;
                float* from = x + at;
                if (branch is not null)
                {
                    RmsNormKernel.AddRow(from, branch + at, sum + at, width);
                    from = sum + at;
                }

                (float mean, float scale) = Moments(from, width, (float)epsilon);
                (scales[2 * row], scales[(2 * row) + 1]) = (mean, scale);
                Scale(from, weight, bias, y + at, width, mean, scale);
            }
        );

    /// <summary>y again, and x + branch, from x and the mean and r that <see cref="Forward"/> found.</summary>
    /// <param name="branch">As in the forward pass; null for none.</param>
    /// <param name="sum">[rows, D], x + branch; not written without a branch.</param>
    public static void Repeat<TElement>(
        float* x,
        TElement* branch,
        float* sum,
        float* weight,
        float* bias,
        TElement* y,
        float* scales,
        int rows,
        int width,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement> =>
        Run(
            rows,
            parallel,
            row =>
            {
                long at = row * width;
                float* from = x + at;
                if (branch is not null)
                {
                    RmsNormKernel.AddRow(from, branch + at, sum + at, width);
                    from = sum + at;
                }

                Scale(from, weight, bias, y + at, width, scales[2 * row], scales[(2 * row) + 1]);
            }
        );

    /// <summary>Adds ∂ℒ/∂x, ∂ℒ/∂w and ∂ℒ/∂b: with x̂ = (x − mean)·r and u = w∘g, dx += r·(u − mean(u) − x̂·mean(u∘x̂)), dw += Σ g∘x̂, db += Σ g.</summary>
    /// <param name="gradient">g = ∂ℒ/∂y, [rows, D].</param>
    /// <param name="xGradient">[rows, D].</param>
    /// <param name="overwrite">Whether dx replaces what is there.</param>
    public static void Backward<TElement>(
        float* x,
        float* weight,
        float* scales,
        TElement* gradient,
        float* xGradient,
        float* weightGradient,
        float* biasGradient,
        bool overwrite,
        int rows,
        int width,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement>
    {
        int pieces = (rows + PieceRows - 1) / PieceRows;
        float[] partial = new float[2L * pieces * width];
        fixed (float* sums = partial)
        {
            float* start = sums;
            ParallelRanges.Run(
                pieces,
                parallel,
                piece =>
                {
                    float* own = start + (2L * piece * width);
                    for (int row = piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                    {
                        long at = (long)row * width;
                        var norm = new Norm(scales[2L * row], scales[(2L * row) + 1], width);
                        if (Lanes512.AreFast)
                        {
                            BackwardRow<Lanes512, TElement>(
                                x + at,
                                weight,
                                gradient + at,
                                xGradient + at,
                                own,
                                norm,
                                overwrite
                            );
                        }
                        else
                        {
                            BackwardRow<Lanes256, TElement>(
                                x + at,
                                weight,
                                gradient + at,
                                xGradient + at,
                                own,
                                norm,
                                overwrite
                            );
                        }
                    }
                }
            );
            for (int piece = 0; piece < pieces; piece++)
            {
                for (int i = 0; i < width; i++)
                {
                    weightGradient[i] += start[(2L * piece * width) + i];
                    biasGradient[i] += start[(((2L * piece) + 1) * width) + i];
                }
            }
        }
    }

    private static void Run(int rows, ParallelOptions parallel, Action<long> work) =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (long row = (long)piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    work(row);
                }
            }
        );

    private static (float Mean, float Scale) Moments(float* x, int width, float epsilon)
    {
        if (Lanes512.AreFast)
        {
            return Moments<Lanes512>(x, width, epsilon);
        }

        return Moments<Lanes256>(x, width, epsilon);
    }

    private static void Scale<TElement>(
        float* x,
        float* weight,
        float* bias,
        TElement* y,
        int width,
        float mean,
        float scale
    )
        where TElement : unmanaged, IElement<TElement>
    {
        if (Lanes512.AreFast)
        {
            Scale<Lanes512, TElement>(x, weight, bias, y, width, mean, scale);
        }
        else
        {
            Scale<Lanes256, TElement>(x, weight, bias, y, width, mean, scale);
        }
    }

    // The variance from the differences, in a second pass: a mean that is large beside them would cost all digits.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Mean, float Scale) Moments<TLanes>(float* x, int width, float epsilon)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes sums = TLanes.Create(0);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            sums += TLanes.Load(x + i);
        }

        float total = TLanes.Sum(sums);
        for (; i < width; i++)
        {
            total += x[i];
        }

        float mean = total / width;
        TLanes shift = TLanes.Create(mean);
        TLanes squares = TLanes.Create(0);
        for (i = 0; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes v = TLanes.Load(x + i) - shift;
            squares = TLanes.MultiplyAdd(v, v, squares);
        }

        float variance = TLanes.Sum(squares);
        for (; i < width; i++)
        {
            variance += (x[i] - mean) * (x[i] - mean);
        }

        return (mean, 1f / MathF.Sqrt((variance / width) + epsilon));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<TLanes, TElement>(
        float* x,
        float* weight,
        float* bias,
        TElement* y,
        int width,
        float mean,
        float scale
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes shift = TLanes.Create(mean);
        TLanes r = TLanes.Create(scale);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes normed = (TLanes.Load(x + i) - shift) * r;
            TElement.Store(TLanes.MultiplyAdd(normed, TLanes.Load(weight + i), TLanes.Load(bias + i)), y + i);
        }

        for (; i < width; i++)
        {
            y[i] = TElement.Round(MathF.FusedMultiplyAdd((x[i] - mean) * scale, weight[i], bias[i]));
        }
    }

    // sums is Σ g∘x̂, then Σ g.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<TLanes, TElement>(
        float* x,
        float* weight,
        TElement* gradient,
        float* xGradient,
        float* sums,
        Norm norm,
        bool overwrite
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        int width = norm.Width;
        float* biasSums = sums + width;
        TLanes shift = TLanes.Create(norm.Mean);
        TLanes r = TLanes.Create(norm.Scale);
        TLanes inner = TLanes.Create(0);
        TLanes plain = TLanes.Create(0);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes g = TElement.Load<TLanes>(gradient + i);
            TLanes normed = (TLanes.Load(x + i) - shift) * r;
            TLanes u = g * TLanes.Load(weight + i);
            plain += u;
            inner = TLanes.MultiplyAdd(u, normed, inner);
            TLanes.MultiplyAdd(g, normed, TLanes.Load(sums + i)).Store(sums + i);
            (TLanes.Load(biasSums + i) + g).Store(biasSums + i);
        }

        float plainSum = TLanes.Sum(plain);
        float innerSum = TLanes.Sum(inner);
        for (; i < width; i++)
        {
            float g = gradient[i].Value;
            float normed = (x[i] - norm.Mean) * norm.Scale;
            plainSum += g * weight[i];
            innerSum += g * weight[i] * normed;
            sums[i] += g * normed;
            biasSums[i] += g;
        }

        float meanPlain = plainSum / width;
        float meanInner = innerSum / width;
        TLanes first = TLanes.Create(meanPlain);
        TLanes second = TLanes.Create(meanInner);
        for (i = 0; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes normed = (TLanes.Load(x + i) - shift) * r;
            TLanes u = TElement.Load<TLanes>(gradient + i) * TLanes.Load(weight + i);
            TLanes dx = r * (u - first - (normed * second));
            (overwrite ? dx : TLanes.Load(xGradient + i) + dx).Store(xGradient + i);
        }

        for (; i < width; i++)
        {
            float normed = (x[i] - norm.Mean) * norm.Scale;
            float dx = norm.Scale * ((gradient[i].Value * weight[i]) - meanPlain - (normed * meanInner));
            xGradient[i] = overwrite ? dx : xGradient[i] + dx;
        }
    }

    // One row's mean, r and D.
    private readonly record struct Norm(float Mean, float Scale, int Width);
}
