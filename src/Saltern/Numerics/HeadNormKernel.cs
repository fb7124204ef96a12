// y = x·r·w over the elements of each query and key head (Qwen3), r = 1/√(mean(x²) + ε). A = elements of a head.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>Sizes of one call.</summary>
/// <param name="Stride">From one row of queries, keys and values to the next.</param>
/// <param name="Queries">H; the first heads of a row.</param>
/// <param name="Keys">G; those after them.</param>
/// <param name="Size">A.</param>
internal readonly record struct HeadNormShape(int Rows, int Stride, int Queries, int Keys, int Size)
{
    /// <summary>Heads that are normalised.</summary>
    public int Heads => Queries + Keys;
}

/// <summary>What norms of heads keep for their backward pass.</summary>
/// <param name="raw">What was there before, [rows, heads·A]; null where no backward pass follows.</param>
/// <param name="scales">r, [rows, heads].</param>
internal readonly unsafe struct HeadNormKept<TElement>(TElement* raw, float* scales)
    where TElement : unmanaged
{
    /// <summary>What was there before.</summary>
    public TElement* Raw { get; } = raw;

    /// <summary>r.</summary>
    public float* Scales { get; } = scales;

    /// <summary>The place behind what some heads keep.</summary>
    public HeadNormKept<TElement> After(HeadNormShape shape)
    {
        if (Raw is null)
        {
            return this;
        }

        long heads = (long)shape.Rows * shape.Heads;
        return new HeadNormKept<TElement>(Raw + (heads * shape.Size), Scales + heads);
    }
}

/// <summary>Factors of a norm and where their gradient goes, [A] each.</summary>
internal readonly unsafe struct HeadNormWeight(float* factors, float* gradient)
{
    /// <summary>w.</summary>
    public float* Factors { get; } = factors;

    /// <summary>∂ℒ/∂w, added to.</summary>
    public float* Gradient { get; } = gradient;
}

/// <summary>RMS norms of query and key heads, in place, with their gradient.</summary>
internal static unsafe class HeadNormKernel
{
    // Rows of one piece of work. Fixed, so that the sums of the weights' gradients do not depend on the number of threads.
    private const int PieceRows = 128;

    /// <summary>Normalises queries and keys where they are.</summary>
    /// <param name="qkv">[rows, stride].</param>
    /// <param name="queryWeight">[A].</param>
    /// <param name="keyWeight">[A].</param>
    /// <param name="raw">Takes what was there, [rows, (H + G)·A]; null where no backward pass follows.</param>
    /// <param name="scales">Takes r, [rows, H + G]; not written without <paramref name="raw"/>.</param>
    public static void Forward<TElement>(
        HeadNormShape shape,
        TElement* qkv,
        float* queryWeight,
        float* keyWeight,
        TElement* raw,
        float* scales,
        double epsilon,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement> =>
        Run(
            shape,
            parallel,
            (row, _) =>
            {
                for (int head = 0; head < shape.Heads; head++)
                {
                    TElement* x = qkv + (row * shape.Stride) + (head * shape.Size);
                    float* weight = head < shape.Queries ? queryWeight : keyWeight;
                    float scale = Scale(x, shape.Size, (float)epsilon);
                    if (raw is not null)
                    {
                        long at = (row * shape.Heads) + head;
                        new Span<TElement>(x, shape.Size).CopyTo(
                            new Span<TElement>(raw + (at * shape.Size), shape.Size)
                        );
                        scales[at] = scale;
                    }

                    ForwardHead<Lanes256, TElement>(x, weight, shape.Size, scale);
                }
            }
        );

    /// <summary>∂ℒ/∂y of queries and keys becomes ∂ℒ/∂x, in place; dw += Σ g∘x·r.</summary>
    /// <param name="gradient">g, [rows, stride].</param>
    /// <param name="raw">As <see cref="Forward"/> kept it.</param>
    /// <param name="scales">As <see cref="Forward"/> kept it.</param>
    /// <param name="queryGradient">[A], added to.</param>
    /// <param name="keyGradient">[A], added to.</param>
    public static void Backward<TElement>(
        HeadNormShape shape,
        TElement* gradient,
        float* queryWeight,
        float* keyWeight,
        TElement* raw,
        float* scales,
        float* queryGradient,
        float* keyGradient,
        ParallelOptions parallel
    )
        where TElement : unmanaged, IElement<TElement>
    {
        int size = shape.Size;
        int pieces = (shape.Rows + PieceRows - 1) / PieceRows;
        float[] partial = new float[2L * pieces * size];
        fixed (float* sums = partial)
        {
            float* start = sums;
            Run(
                shape,
                parallel,
                (row, piece) =>
                {
                    for (int head = 0; head < shape.Heads; head++)
                    {
                        bool isQuery = head < shape.Queries;
                        long at = (row * shape.Heads) + head;
                        BackwardHead<Lanes256, TElement>(
                            gradient + (row * shape.Stride) + (head * size),
                            isQuery ? queryWeight : keyWeight,
                            raw + (at * size),
                            start + (((2L * piece) + (isQuery ? 0 : 1)) * size),
                            size,
                            scales[at]
                        );
                    }
                }
            );
            for (int piece = 0; piece < pieces; piece++)
            {
                for (int i = 0; i < size; i++)
                {
                    queryGradient[i] += start[(2L * piece * size) + i];
                    keyGradient[i] += start[(((2L * piece) + 1) * size) + i];
                }
            }
        }
    }

    private static void Run(HeadNormShape shape, ParallelOptions parallel, Action<long, int> work) =>
        ParallelRanges.Run(
            (shape.Rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (long row = (long)piece * PieceRows; row < Math.Min(shape.Rows, (piece + 1) * PieceRows); row++)
                {
                    work(row, piece);
                }
            }
        );

    private static float Scale<TElement>(TElement* x, int size, float epsilon)
        where TElement : unmanaged, IElement<TElement> =>
        1f / MathF.Sqrt((AttentionRows.Dot(x, x, size) / size) + epsilon);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardHead<TLanes, TElement>(TElement* x, float* weight, int size, float scale)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes r = TLanes.Create(scale);
        int i = 0;
        for (; i <= size - TLanes.Count; i += TLanes.Count)
        {
            TElement.Store(TElement.Load<TLanes>(x + i) * r * TLanes.Load(weight + i), x + i);
        }

        for (; i < size; i++)
        {
            x[i] = TElement.Round(x[i].Value * scale * weight[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardHead<TLanes, TElement>(
        TElement* gradient,
        float* weight,
        TElement* x,
        float* weightSum,
        int size,
        float scale
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes r = TLanes.Create(scale);
        TLanes sums = TLanes.Create(0);
        int i = 0;
        for (; i <= size - TLanes.Count; i += TLanes.Count)
        {
            TLanes gx = TElement.Load<TLanes>(gradient + i) * TElement.Load<TLanes>(x + i);
            sums = TLanes.MultiplyAdd(gx, TLanes.Load(weight + i), sums);
            TLanes.MultiplyAdd(gx, r, TLanes.Load(weightSum + i)).Store(weightSum + i);
        }

        float inner = TLanes.Sum(sums);
        for (; i < size; i++)
        {
            float gx = gradient[i].Value * x[i].Value;
            inner += gx * weight[i];
            weightSum[i] += gx * scale;
        }

        float back = -scale * scale * scale * inner / size;
        TLanes c = TLanes.Create(back);
        for (i = 0; i <= size - TLanes.Count; i += TLanes.Count)
        {
            TLanes own = TElement.Load<TLanes>(gradient + i) * TLanes.Load(weight + i) * r;
            TElement.Store(TLanes.MultiplyAdd(TElement.Load<TLanes>(x + i), c, own), gradient + i);
        }

        for (; i < size; i++)
        {
            gradient[i] = TElement.Round((x[i].Value * back) + (gradient[i].Value * weight[i] * scale));
        }
    }
}
