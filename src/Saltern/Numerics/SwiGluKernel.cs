// h = silu(a)·b with a and b side by side (arXiv:2002.05202); silu(a) = a·σ(a). F = width of each.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>SwiGLU over rows, with its gradient.</summary>
internal static unsafe class SwiGluKernel
{
    private const int PieceRows = 32;

    /// <summary>h of every row.</summary>
    /// <param name="gateUp">a and b, [rows, 2F].</param>
    public static void Forward<TElement>(TElement* gateUp, TElement* h, int rows, int width, ParallelOptions parallel)
        where TElement : unmanaged, IElement<TElement> =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (long row = (long)piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    if (Lanes512.AreFast)
                    {
                        ForwardRow<Lanes512, TElement>(gateUp + (row * 2 * width), h + (row * width), width);
                    }
                    else
                    {
                        ForwardRow<Lanes256, TElement>(gateUp + (row * 2 * width), h + (row * width), width);
                    }
                }
            }
        );

    /// <summary>Replaces a and b by ∂ℒ/∂a = g·b·σ(a)·(1 + a·(1 − σ(a))) and ∂ℒ/∂b = g·silu(a), and ∂ℒ/∂h by h again, which the next product's weight gradient needs.</summary>
    /// <param name="gateUp">a and b, [rows, 2F]; overwritten by their gradients.</param>
    /// <param name="gradient">g = ∂ℒ/∂h, [rows, F]; overwritten by h.</param>
    public static void Backward<TElement>(
        TElement* gateUp,
        TElement* gradient,
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
                for (long row = (long)piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    if (Lanes512.AreFast)
                    {
                        BackwardRow<Lanes512, TElement>(gateUp + (row * 2 * width), gradient + (row * width), width);
                    }
                    else
                    {
                        BackwardRow<Lanes256, TElement>(gateUp + (row * 2 * width), gradient + (row * width), width);
                    }
                }
            }
        );

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardRow<TLanes, TElement>(TElement* gateUp, TElement* h, int width)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes zero = TLanes.Create(0);
        TLanes one = TLanes.Create(1);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes a = TElement.Load<TLanes>(gateUp + i);
            TLanes b = TElement.Load<TLanes>(gateUp + width + i);
            TElement.Store(a / (one + TElement.Exp(zero - a)) * b, h + i);
        }

        for (; i < width; i++)
        {
            float a = gateUp[i].Value;
            h[i] = TElement.Round(a / (1f + LaneMath.Exp(-a)) * gateUp[width + i].Value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<TLanes, TElement>(TElement* gateUp, TElement* gradient, int width)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes zero = TLanes.Create(0);
        TLanes one = TLanes.Create(1);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes a = TElement.Load<TLanes>(gateUp + i);
            TLanes b = TElement.Load<TLanes>(gateUp + width + i);
            TLanes g = TElement.Load<TLanes>(gradient + i);
            TLanes sigmoid = one / (one + TElement.Exp(zero - a));
            TLanes silu = a * sigmoid;
            TElement.Store(g * b * TLanes.MultiplyAdd(silu, one - sigmoid, sigmoid), gateUp + i);
            TElement.Store(g * silu, gateUp + width + i);
            TElement.Store(silu * b, gradient + i);
        }

        for (; i < width; i++)
        {
            float a = gateUp[i].Value;
            float b = gateUp[width + i].Value;
            float g = gradient[i].Value;
            float sigmoid = 1f / (1f + LaneMath.Exp(-a));
            float silu = a * sigmoid;
            gateUp[i] = TElement.Round(g * b * MathF.FusedMultiplyAdd(silu, 1f - sigmoid, sigmoid));
            gateUp[width + i] = TElement.Round(g * silu);
            gradient[i] = TElement.Round(silu * b);
        }
    }
}
