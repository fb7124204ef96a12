// h = silu(a)·b with a and b side by side (arXiv:2002.05202); silu(a) = a·σ(a). F = width of each.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>SwiGLU over rows, with its gradient.</summary>
internal static unsafe class SwiGluKernel
{
    private const int PieceRows = 32;

    /// <summary>h of every row.</summary>
    /// <param name="gateUp">a and b, [rows, 2F].</param>
    public static void Forward(float* gateUp, float* h, int rows, int width, ParallelOptions parallel) =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (long row = (long)piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    if (Lanes512.AreFast)
                    {
                        ForwardRow<Lanes512>(gateUp + (row * 2 * width), h + (row * width), width);
                    }
                    else
                    {
                        ForwardRow<Lanes256>(gateUp + (row * 2 * width), h + (row * width), width);
                    }
                }
            }
        );

    /// <summary>Replaces a and b by ∂ℒ/∂a = g·b·σ(a)·(1 + a·(1 − σ(a))) and ∂ℒ/∂b = g·silu(a), and ∂ℒ/∂h by h again, which the next product's weight gradient needs.</summary>
    /// <param name="gateUp">a and b, [rows, 2F]; overwritten by their gradients.</param>
    /// <param name="gradient">g = ∂ℒ/∂h, [rows, F]; overwritten by h.</param>
    public static void Backward(float* gateUp, float* gradient, int rows, int width, ParallelOptions parallel) =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                for (long row = (long)piece * PieceRows; row < Math.Min(rows, (piece + 1) * PieceRows); row++)
                {
                    if (Lanes512.AreFast)
                    {
                        BackwardRow<Lanes512>(gateUp + (row * 2 * width), gradient + (row * width), width);
                    }
                    else
                    {
                        BackwardRow<Lanes256>(gateUp + (row * 2 * width), gradient + (row * width), width);
                    }
                }
            }
        );

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardRow<TLanes>(float* gateUp, float* h, int width)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes zero = TLanes.Create(0);
        TLanes one = TLanes.Create(1);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes a = TLanes.Load(gateUp + i);
            (a / (one + TLanes.Exp(zero - a)) * TLanes.Load(gateUp + width + i)).Store(h + i);
        }

        for (; i < width; i++)
        {
            h[i] = gateUp[i] / (1f + LaneMath.Exp(-gateUp[i])) * gateUp[width + i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<TLanes>(float* gateUp, float* gradient, int width)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes zero = TLanes.Create(0);
        TLanes one = TLanes.Create(1);
        int i = 0;
        for (; i <= width - TLanes.Count; i += TLanes.Count)
        {
            TLanes a = TLanes.Load(gateUp + i);
            TLanes b = TLanes.Load(gateUp + width + i);
            TLanes g = TLanes.Load(gradient + i);
            TLanes sigmoid = one / (one + TLanes.Exp(zero - a));
            TLanes silu = a * sigmoid;
            (g * b * TLanes.MultiplyAdd(silu, one - sigmoid, sigmoid)).Store(gateUp + i);
            (g * silu).Store(gateUp + width + i);
            (silu * b).Store(gradient + i);
        }

        for (; i < width; i++)
        {
            float a = gateUp[i];
            float b = gateUp[width + i];
            float g = gradient[i];
            float sigmoid = 1f / (1f + LaneMath.Exp(-a));
            float silu = a * sigmoid;
            gateUp[i] = g * b * MathF.FusedMultiplyAdd(silu, 1f - sigmoid, sigmoid);
            gateUp[width + i] = g * silu;
            gradient[i] = silu * b;
        }
    }
}
