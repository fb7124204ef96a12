// h = f(a)·b with a and b side by side (gated: arXiv:2002.05202), or h = f(a). F = width of each.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>A feed-forward layer's activation over rows, with its gradient.</summary>
/// <typeparam name="TFunction">f.</typeparam>
/// <typeparam name="TElement">Type of what is read and written.</typeparam>
internal static unsafe class ActivationKernel<TFunction, TElement>
    where TFunction : struct, IActivationFunction
    where TElement : unmanaged, IElement<TElement>
{
    private const int PieceRows = 32;
    private const int MostLanes = 16;

    /// <summary>h of every row.</summary>
    /// <param name="inner">a and b, [rows, 2F]; a alone, [rows, F], where there is no gate.</param>
    /// <param name="h">[rows, F].</param>
    public static void Forward(
        TElement* inner,
        TElement* h,
        int rows,
        int width,
        bool gated,
        ParallelOptions parallel
    ) =>
        Run(
            rows,
            parallel,
            row =>
            {
                TElement* a = inner + (row * (gated ? 2L : 1L) * width);
                TElement* b = gated ? a + width : null;
                if (Lanes512.AreFast)
                {
                    ForwardRow<Lanes512>(a, b, h + (row * width), width);
                }
                else
                {
                    ForwardRow<Lanes256>(a, b, h + (row * width), width);
                }
            }
        );

    /// <summary>Replaces a and b by ∂ℒ/∂a = g·b·f′(a) and ∂ℒ/∂b = g·f(a), and ∂ℒ/∂h by h again, which the next product's weight gradient needs.</summary>
    /// <param name="inner">As <see cref="Forward"/> read it; overwritten by the gradients.</param>
    /// <param name="gradient">g = ∂ℒ/∂h, [rows, F]; overwritten by h.</param>
    public static void Backward(
        TElement* inner,
        TElement* gradient,
        int rows,
        int width,
        bool gated,
        ParallelOptions parallel
    ) =>
        Run(
            rows,
            parallel,
            row =>
            {
                TElement* a = inner + (row * (gated ? 2L : 1L) * width);
                TElement* b = gated ? a + width : null;
                if (Lanes512.AreFast)
                {
                    BackwardRow<Lanes512>(a, b, gradient + (row * width), width);
                }
                else
                {
                    BackwardRow<Lanes256>(a, b, gradient + (row * width), width);
                }
            }
        );

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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardRow<TLanes>(TElement* a, TElement* b, TElement* h, int width)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            Forward<TLanes>(a + i, b is null ? null : b + i, h + i);
        }

        if (i < width)
        {
            // The last numbers of a row, in lanes that are not full.
            TElement* rest = stackalloc TElement[3 * MostLanes];
            int count = width - i;
            Copy(a + i, rest, count);
            if (b is not null)
            {
                Copy(b + i, rest + MostLanes, count);
            }

            Forward<TLanes>(rest, b is null ? null : rest + MostLanes, rest + (2 * MostLanes));
            Copy(rest + (2 * MostLanes), h + i, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<TLanes>(TElement* a, TElement* b, TElement* gradient, int width)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            Backward<TLanes>(a + i, b is null ? null : b + i, gradient + i);
        }

        if (i < width)
        {
            TElement* rest = stackalloc TElement[3 * MostLanes];
            int count = width - i;
            Copy(a + i, rest, count);
            Copy(gradient + i, rest + (2 * MostLanes), count);
            if (b is not null)
            {
                Copy(b + i, rest + MostLanes, count);
            }

            Backward<TLanes>(rest, b is null ? null : rest + MostLanes, rest + (2 * MostLanes));
            Copy(rest, a + i, count);
            Copy(rest + (2 * MostLanes), gradient + i, count);
            if (b is not null)
            {
                Copy(rest + MostLanes, b + i, count);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Forward<TLanes>(TElement* a, TElement* b, TElement* h)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes value = TFunction.Value<TLanes, TElement>(TElement.Load<TLanes>(a));
        if (b is not null)
        {
            value *= TElement.Load<TLanes>(b);
        }

        TElement.Store(value, h);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Backward<TLanes>(TElement* a, TElement* b, TElement* gradient)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes g = TElement.Load<TLanes>(gradient);
        TLanes value = TFunction.ValueAndSlope<TLanes, TElement>(TElement.Load<TLanes>(a), out TLanes slope);
        if (b is null)
        {
            TElement.Store(g * slope, a);
            TElement.Store(value, gradient);
            return;
        }

        TLanes factor = TElement.Load<TLanes>(b);
        TElement.Store(g * factor * slope, a);
        TElement.Store(g * value, b);
        TElement.Store(value * factor, gradient);
    }

    private static void Copy(TElement* from, TElement* to, int count) =>
        new Span<TElement>(from, count).CopyTo(new Span<TElement>(to, count));
}
