// x·c and x + y over rows: factors of embeddings, branches and final hidden states, and gradients that pass by a norm.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>Element-wise arithmetic over rows of a pass.</summary>
internal static unsafe class ElementRows
{
    /// <summary>to = x·factor; may be x itself.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="to">[rows, width].</param>
    public static void Multiply<TFrom, TTo>(
        TFrom* x,
        TTo* to,
        float factor,
        int rows,
        int width,
        ParallelOptions parallel
    )
        where TFrom : unmanaged, IElement<TFrom>
        where TTo : unmanaged, IElement<TTo> =>
        ParallelRanges.Run(
            rows,
            parallel,
            row => MultiplyRow(x + ((long)row * width), to + ((long)row * width), factor, width)
        );

    /// <summary>to = 1 + x.</summary>
    public static void AddOne(float* x, float* to, int width)
    {
        Lanes256 one = Lanes256.Create(1);
        int i = 0;
        for (; i <= width - Lanes256.Count; i += Lanes256.Count)
        {
            (Lanes256.Load(x + i) + one).Store(to + i);
        }

        for (; i < width; i++)
        {
            to[i] = x[i] + 1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyRow<TFrom, TTo>(TFrom* x, TTo* to, float factor, int width)
        where TFrom : unmanaged, IElement<TFrom>
        where TTo : unmanaged, IElement<TTo>
    {
        Lanes256 factors = Lanes256.Create(factor);
        int i = 0;
        for (; i <= width - Lanes256.Count; i += Lanes256.Count)
        {
            TTo.Store(TFrom.Load<Lanes256>(x + i) * factors, to + i);
        }

        for (; i < width; i++)
        {
            to[i] = TTo.Round(x[i].Value * factor);
        }
    }
}
