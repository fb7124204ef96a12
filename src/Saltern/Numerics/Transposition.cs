// Turning rows of 32-bit elements into columns: keys for attention's scores, and pairs of bfloat16 for products (BFloat16Product.cs).
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Saltern.Numerics;

/// <summary>Transposes small matrices of 32-bit elements, whatever they mean: bits are moved, not numbers.</summary>
internal static unsafe class Transposition
{
    private const int Block = 8;

    /// <summary>B[columns, rows] = A[rows, columns] transposed.</summary>
    /// <param name="strideA">From one row of A to the next, in elements.</param>
    /// <param name="strideB">From one row of B to the next.</param>
    public static void Run(int rows, int columns, float* a, int strideA, float* b, int strideB)
    {
        int wholeRows = 0;
        int wholeColumns = 0;
        if (Avx.IsSupported)
        {
            (wholeRows, wholeColumns) = (rows - (rows % Block), columns - (columns % Block));
        }

        for (int row = 0; row < wholeRows; row += Block)
        {
            for (int column = 0; column < wholeColumns; column += Block)
            {
                TransposeEight(
                    a + ((long)row * strideA) + column,
                    strideA,
                    b + ((long)column * strideB) + row,
                    strideB
                );
            }
        }

        Edge(0, rows, wholeColumns, columns, a, strideA, b, strideB);
        Edge(wholeRows, rows, 0, wholeColumns, a, strideA, b, strideB);
    }

    // What is left beside and below the whole blocks, as integers: a float that is copied through a register may change a NaN's bits.
    private static void Edge(
        int firstRow,
        int rows,
        int firstColumn,
        int columns,
        float* a,
        int strideA,
        float* b,
        int strideB
    )
    {
        var from = (int*)a;
        var to = (int*)b;
        for (int row = firstRow; row < rows; row++)
        {
            for (int column = firstColumn; column < columns; column++)
            {
                to[((long)column * strideB) + row] = from[((long)row * strideA) + column];
            }
        }
    }

    private static void TransposeEight(float* a, int strideA, float* b, int strideB)
    {
        Vector256<float> r0 = Vector256.Load(a);
        Vector256<float> r1 = Vector256.Load(a + strideA);
        Vector256<float> r2 = Vector256.Load(a + (2L * strideA));
        Vector256<float> r3 = Vector256.Load(a + (3L * strideA));
        Vector256<float> r4 = Vector256.Load(a + (4L * strideA));
        Vector256<float> r5 = Vector256.Load(a + (5L * strideA));
        Vector256<float> r6 = Vector256.Load(a + (6L * strideA));
        Vector256<float> r7 = Vector256.Load(a + (7L * strideA));
        Vector256<float> t0 = Avx.UnpackLow(r0, r1);
        Vector256<float> t1 = Avx.UnpackHigh(r0, r1);
        Vector256<float> t2 = Avx.UnpackLow(r2, r3);
        Vector256<float> t3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> t4 = Avx.UnpackLow(r4, r5);
        Vector256<float> t5 = Avx.UnpackHigh(r4, r5);
        Vector256<float> t6 = Avx.UnpackLow(r6, r7);
        Vector256<float> t7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> s0 = Avx.Shuffle(t0, t2, 0x44);
        Vector256<float> s1 = Avx.Shuffle(t0, t2, 0xEE);
        Vector256<float> s2 = Avx.Shuffle(t1, t3, 0x44);
        Vector256<float> s3 = Avx.Shuffle(t1, t3, 0xEE);
        Vector256<float> s4 = Avx.Shuffle(t4, t6, 0x44);
        Vector256<float> s5 = Avx.Shuffle(t4, t6, 0xEE);
        Vector256<float> s6 = Avx.Shuffle(t5, t7, 0x44);
        Vector256<float> s7 = Avx.Shuffle(t5, t7, 0xEE);
        Avx.Permute2x128(s0, s4, 0x20).Store(b);
        Avx.Permute2x128(s1, s5, 0x20).Store(b + strideB);
        Avx.Permute2x128(s2, s6, 0x20).Store(b + (2L * strideB));
        Avx.Permute2x128(s3, s7, 0x20).Store(b + (3L * strideB));
        Avx.Permute2x128(s0, s4, 0x31).Store(b + (4L * strideB));
        Avx.Permute2x128(s1, s5, 0x31).Store(b + (5L * strideB));
        Avx.Permute2x128(s2, s6, 0x31).Store(b + (6L * strideB));
        Avx.Permute2x128(s3, s7, 0x31).Store(b + (7L * strideB));
    }
}
