using CsCheck;
using Saltern.Numerics;

namespace Saltern.Tests.Numerics;

public unsafe class SmallProductTests
{
    [Fact]
    public void Multiply_EqualsTheSumsInFloat64()
    {
        Assert.SkipUnless(SmallProduct.IsThere, "this processor has no AVX-512");
        Gen.Select(Gen.Int[1, 21], Gen.Int[1, 5], Gen.Int[1, 40], Gen.Bool, Gen.Bool, Gen.Int[0, 1_000_000])
            .Sample(
                (m, vectors, k, transposed, add, seed) =>
                {
                    var random = new Random(seed);
                    int n = vectors * SmallProduct.ColumnStep;
                    int strideB = n + 3;
                    int strideC = n + 5;
                    int strideA = (transposed ? m : k) + 2;
                    float[] a = Draw(random, (transposed ? k : m) * strideA);
                    float[] b = Draw(random, k * strideB);
                    float[] c = Draw(random, m * strideC);
                    float[] before = [.. c];
                    fixed (float* pa = a)
                    fixed (float* pb = b)
                    fixed (float* pc = c)
                    {
                        SmallProduct.Multiply(
                            m,
                            n,
                            k,
                            pa,
                            transposed ? 1 : strideA,
                            transposed ? strideA : 1,
                            pb,
                            strideB,
                            pc,
                            strideC,
                            add
                        );
                    }

                    for (int i = 0; i < m; i++)
                    {
                        for (int j = 0; j < strideC; j++)
                        {
                            double expected = j >= n || add ? before[(i * strideC) + j] : 0;
                            for (int p = 0; p < k && j < n; p++)
                            {
                                expected +=
                                    (double)a[transposed ? (p * strideA) + i : (i * strideA) + p]
                                    * b[(p * strideB) + j];
                            }

                            Assert.True(
                                Math.Abs(expected - c[(i * strideC) + j]) < 1e-4,
                                $"[{i}, {j}] of {m} x {n} x {k}: {c[(i * strideC) + j]}, expected {expected}"
                            ); // 40 products of size 1 in float32
                        }
                    }
                }
            );
    }

    [Fact]
    public void Transpose_MovesEveryElement()
    {
        Assert.SkipUnless(SmallProduct.IsThere, "this processor has no AVX-512");
        const int Rows = 24;
        const int Columns = 16;
        const int StrideA = 19;
        const int StrideB = 31;
        float[] a = Draw(new Random(1), Rows * StrideA);
        float[] b = new float[Columns * StrideB];
        fixed (float* pa = a)
        fixed (float* pb = b)
        {
            Transposition.Run(Rows, Columns, pa, StrideA, pb, StrideB);
        }

        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
            {
                Assert.Equal(a[(i * StrideA) + j], b[(j * StrideB) + i]);
            }
        }
    }

    private static float[] Draw(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
}
