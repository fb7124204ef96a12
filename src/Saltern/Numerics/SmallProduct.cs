// Products of the size of one block of attention, with AVX-512: 8 rows by 32 columns of the result stay in registers while the depth runs by.
// MKL takes AVX2 paths on AMD processors, and oneDNN's calls cost more than products this small (docs/speed.md has the measurements).
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Saltern.Numerics;

/// <summary>C = A·B or C += A·B for small float32 matrices on one thread; needs AVX-512.</summary>
internal static unsafe class SmallProduct
{
    private const int Lanes = 16;
    private const int Rows = 8;

    /// <summary>Columns of B and C that are computed together; n must be a multiple.</summary>
    public const int ColumnStep = Lanes;

    /// <summary>Whether the processor has what this needs.</summary>
    public static bool IsThere => Vector512.IsHardwareAccelerated && Avx.IsSupported;

    /// <summary>C[m, n] = A[m, k]·B[k, n], or added to what is there.</summary>
    /// <param name="n">Columns of C, a multiple of <see cref="ColumnStep"/>.</param>
    /// <param name="a">First element of A.</param>
    /// <param name="rowStrideA">From one row of A to the next; 1 with a depth stride of the row length reads A transposed.</param>
    /// <param name="depthStrideA">From one column of A to the next.</param>
    /// <param name="strideB">From one row of B to the next.</param>
    /// <param name="strideC">From one row of C to the next.</param>
    /// <param name="add">Whether to add to C.</param>
    public static void Multiply(
        int m,
        int n,
        int k,
        float* a,
        int rowStrideA,
        int depthStrideA,
        float* b,
        int strideB,
        float* c,
        int strideC,
        bool add
    )
    {
        int row = 0;
        for (; row <= m - Rows; row += Rows)
        {
            float* rowA = a + ((long)row * rowStrideA);
            float* rowC = c + ((long)row * strideC);
            int column = 0;
            for (; column <= n - (2 * Lanes); column += 2 * Lanes)
            {
                EightByTwo(k, rowA, rowStrideA, depthStrideA, b + column, strideB, rowC + column, strideC, add);
            }

            if (column < n)
            {
                for (int i = 0; i < Rows; i++)
                {
                    OneByOne(
                        k,
                        rowA + ((long)i * rowStrideA),
                        depthStrideA,
                        b + column,
                        strideB,
                        rowC + column + ((long)i * strideC),
                        add
                    );
                }
            }
        }

        for (; row < m; row++)
        {
            for (int column = 0; column < n; column += Lanes)
            {
                OneByOne(
                    k,
                    a + ((long)row * rowStrideA),
                    depthStrideA,
                    b + column,
                    strideB,
                    c + column + ((long)row * strideC),
                    add
                );
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightByTwo(
        int k,
        float* a,
        int rowStride,
        int depthStride,
        float* b,
        int strideB,
        float* c,
        int strideC,
        bool add
    )
    {
        float* a1 = a + rowStride;
        float* a2 = a1 + rowStride;
        float* a3 = a2 + rowStride;
        float* a4 = a3 + rowStride;
        float* a5 = a4 + rowStride;
        float* a6 = a5 + rowStride;
        float* a7 = a6 + rowStride;
        Vector512<float> c00 = default;
        Vector512<float> c01 = default;
        Vector512<float> c10 = default;
        Vector512<float> c11 = default;
        Vector512<float> c20 = default;
        Vector512<float> c21 = default;
        Vector512<float> c30 = default;
        Vector512<float> c31 = default;
        Vector512<float> c40 = default;
        Vector512<float> c41 = default;
        Vector512<float> c50 = default;
        Vector512<float> c51 = default;
        Vector512<float> c60 = default;
        Vector512<float> c61 = default;
        Vector512<float> c70 = default;
        Vector512<float> c71 = default;
        long at = 0;
        for (int p = 0; p < k; p++, at += depthStride, b += strideB)
        {
            Vector512<float> b0 = Vector512.Load(b);
            Vector512<float> b1 = Vector512.Load(b + Lanes);
            Vector512<float> x = Vector512.Create(a[at]);
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(a1[at]);
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(a2[at]);
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(a3[at]);
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
            x = Vector512.Create(a4[at]);
            c40 = Vector512.FusedMultiplyAdd(x, b0, c40);
            c41 = Vector512.FusedMultiplyAdd(x, b1, c41);
            x = Vector512.Create(a5[at]);
            c50 = Vector512.FusedMultiplyAdd(x, b0, c50);
            c51 = Vector512.FusedMultiplyAdd(x, b1, c51);
            x = Vector512.Create(a6[at]);
            c60 = Vector512.FusedMultiplyAdd(x, b0, c60);
            c61 = Vector512.FusedMultiplyAdd(x, b1, c61);
            x = Vector512.Create(a7[at]);
            c70 = Vector512.FusedMultiplyAdd(x, b0, c70);
            c71 = Vector512.FusedMultiplyAdd(x, b1, c71);
        }

        Put(c, c00, c01, add);
        Put(c + strideC, c10, c11, add);
        Put(c + (2L * strideC), c20, c21, add);
        Put(c + (3L * strideC), c30, c31, add);
        Put(c + (4L * strideC), c40, c41, add);
        Put(c + (5L * strideC), c50, c51, add);
        Put(c + (6L * strideC), c60, c61, add);
        Put(c + (7L * strideC), c70, c71, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* c, Vector512<float> low, Vector512<float> high, bool add)
    {
        if (add)
        {
            low += Vector512.Load(c);
            high += Vector512.Load(c + Lanes);
        }

        low.Store(c);
        high.Store(c + Lanes);
    }

    // One row by 16 columns: what is left over at the edges.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneByOne(int k, float* a, int depthStride, float* b, int strideB, float* c, bool add)
    {
        Vector512<float> sum = add ? Vector512.Load(c) : default;
        for (int p = 0; p < k; p++, a += depthStride, b += strideB)
        {
            sum = Vector512.FusedMultiplyAdd(Vector512.Create(*a), Vector512.Load(b), sum);
        }

        sum.Store(c);
    }
}
