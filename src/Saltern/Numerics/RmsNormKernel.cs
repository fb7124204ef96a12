// y = x·r·w, r = 1/√(mean(x²) + ε) (arXiv:1910.07467). D = width.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>RMS normalisation over rows, with its gradient; optionally adds a residual branch in the same pass.</summary>
internal static unsafe class RmsNormKernel
{
    // Rows of one piece of work. Fixed, so that the sums of the weight's gradient do not depend on the number of threads.
    private const int PieceRows = 128;

    /// <summary>y and r of every row of x + branch, and that sum.</summary>
    /// <param name="branch">[rows, D] to add to x; null for none.</param>
    /// <param name="sum">[rows, D], x + branch; may be x itself. Not written without a branch.</param>
    public static void Forward<TBranch, TElement>(
        float* x,
        TBranch* branch,
        float* sum,
        float* weight,
        TElement* y,
        float* scales,
        int rows,
        int width,
        double epsilon,
        ParallelOptions parallel
    )
        where TBranch : unmanaged, IElement<TBranch>
        where TElement : unmanaged, IElement<TElement> =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (int row = piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    long at = (long)row * width;
                    TBranch* added = branch is null ? null : branch + at;
                    float* to = branch is null ? x + at : sum + at;
                    scales[row] = Lanes512.AreFast
                        ? ForwardRow<Lanes512, TBranch, TElement>(
                            x + at,
                            added,
                            to,
                            weight,
                            y + at,
                            width,
                            (float)epsilon
                        )
                        : ForwardRow<Lanes256, TBranch, TElement>(
                            x + at,
                            added,
                            to,
                            weight,
                            y + at,
                            width,
                            (float)epsilon
                        );
                }
            }
        );

    /// <summary>y again, and x + branch, from x and the r that <see cref="Forward"/> found.</summary>
    /// <param name="branch">As in the forward pass; null for none.</param>
    /// <param name="sum">[rows, D], x + branch; not written without a branch.</param>
    public static void Repeat<TElement>(
        float* x,
        TElement* branch,
        float* sum,
        float* weight,
        TElement* y,
        float* scales,
        int rows,
        int width,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement> =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (int row = piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    long at = (long)row * width;
                    float* from = x + at;
                    if (branch is not null)
                    {
                        AddRow(from, branch + at, sum + at, width);
                        from = sum + at;
                    }

                    if (Lanes512.AreFast)
                    {
                        ScaleRow<Lanes512, TElement>(from, weight, y + at, width, scales[row]);
                    }
                    else
                    {
                        ScaleRow<Lanes256, TElement>(from, weight, y + at, width, scales[row]);
                    }
                }
            }
        );

    /// <summary>sum = x + branch of every row, as <see cref="Forward"/> adds them.</summary>
    public static void Add<TElement>(
        float* x,
        TElement* branch,
        float* sum,
        int rows,
        int width,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement> =>
        ParallelRanges.Run(
            rows,
            parallel,
            row => AddRow(x + ((long)row * width), branch + ((long)row * width), sum + ((long)row * width), width)
        );

    /// <summary>Adds ∂ℒ/∂x and ∂ℒ/∂w: dx += r·(w∘g − x·r²·mean(w∘g∘x)), dw += Σ g∘x·r.</summary>
    /// <param name="gradient">g = ∂ℒ/∂y, [rows, D].</param>
    /// <param name="xGradient">[rows, D], added to (the residual path's gradient is there already); may be the same memory as <paramref name="gradient"/>, if that is float32, only where <paramref name="overwrite"/> is set.</param>
    /// <param name="overwrite">Whether dx replaces what is there.</param>
    public static void Backward<TElement>(
        float* x,
        float* weight,
        float* scales,
        TElement* gradient,
        float* xGradient,
        float* weightGradient,
        bool overwrite,
        int rows,
        int width,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement>
    {
        int pieces = (rows + PieceRows - 1) / PieceRows;
        float[] partial = new float[(long)pieces * width];
        fixed (float* sums = partial)
        {
            float* start = sums;
            ParallelRanges.Run(
                pieces,
                parallel,
                piece =>
                {
                    float* sum = start + ((long)piece * width);
                    for (int row = piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                    {
                        long at = (long)row * width;
                        if (Lanes512.AreFast)
                        {
                            BackwardRow<Lanes512, TElement>(
                                x + at,
                                weight,
                                gradient + at,
                                xGradient + at,
                                sum,
                                width,
                                scales[row],
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
                                sum,
                                width,
                                scales[row],
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
                    weightGradient[i] += start[((long)piece * width) + i];
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float ForwardRow<TLanes, TBranch, TElement>(
        float* x,
        TBranch* branch,
        float* sum,
        float* weight,
        TElement* y,
        int width,
        float epsilon
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TBranch : unmanaged, IElement<TBranch>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes squares = TLanes.Create(0);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes v = TLanes.Load(x + i);
            if (branch is not null)
            {
                v += TBranch.Load<TLanes>(branch + i);
                v.Store(sum + i);
            }

            squares = TLanes.MultiplyAdd(v, v, squares);
        }

        float total = TLanes.Sum(squares);
        for (; i < width; i++)
        {
            float v = branch is null ? x[i] : sum[i] = x[i] + branch[i].Value;
            total += v * v;
        }

        float scale = 1f / MathF.Sqrt((total / width) + epsilon);
        ScaleRow<TLanes, TElement>(sum, weight, y, width, scale);
        return scale;
    }

    // The same additions as in ForwardRow, in lanes of any width.
    internal static void AddRow<TElement>(float* x, TElement* branch, float* sum, int width)
        where TElement : unmanaged, IElement<TElement>
    {
        int i = 0;
        for (; i <= width - Lanes256.Count; i += Lanes256.Count)
        {
            (Lanes256.Load(x + i) + TElement.Load<Lanes256>(branch + i)).Store(sum + i);
        }

        for (; i < width; i++)
        {
            sum[i] = x[i] + branch[i].Value;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleRow<TLanes, TElement>(float* x, float* weight, TElement* y, int width, float scale)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes r = TLanes.Create(scale);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TElement.Store(TLanes.Load(x + i) * r * TLanes.Load(weight + i), y + i);
        }

        for (; i < width; i++)
        {
            y[i] = TElement.Round(x[i] * scale * weight[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<TLanes, TElement>(
        float* x,
        float* weight,
        TElement* gradient,
        float* xGradient,
        float* weightSum,
        int width,
        float scale,
        bool overwrite
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes r = TLanes.Create(scale);
        TLanes inner = TLanes.Create(0);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes gx = TElement.Load<TLanes>(gradient + i) * TLanes.Load(x + i);
            inner = TLanes.MultiplyAdd(gx, TLanes.Load(weight + i), inner);
            TLanes.MultiplyAdd(gx, r, TLanes.Load(weightSum + i)).Store(weightSum + i);
        }

        float sum = TLanes.Sum(inner);
        for (; i < width; i++)
        {
            float gx = gradient[i].Value * x[i];
            sum += gx * weight[i];
            weightSum[i] += gx * scale;
        }

        float back = -scale * scale * scale * sum / width;
        TLanes c = TLanes.Create(back);
        i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes dx = TLanes.MultiplyAdd(
                TLanes.Load(x + i),
                c,
                TElement.Load<TLanes>(gradient + i) * TLanes.Load(weight + i) * r
            );
            (overwrite ? dx : TLanes.Load(xGradient + i) + dx).Store(xGradient + i);
        }

        for (; i < width; i++)
        {
            float dx = (x[i] * back) + (gradient[i].Value * weight[i] * scale);
            xGradient[i] = overwrite ? dx : xGradient[i] + dx;
        }
    }
}
