using System.Runtime.InteropServices;

namespace Saltern.Numerics;

/// <summary>libtorch's own BLAS on raw memory, for products that are too small to be tensors of their own.</summary>
/// <remarks>Row-major: a row-major matrix is the column-major transposed one, so C = A·B is asked for as Cᵀ = Bᵀ·Aᵀ. Call from worker threads inside <see cref="OneThread"/>.</remarks>
internal static unsafe partial class Blas
{
    private const byte Plain = (byte)'N';
    private const byte Transposed = (byte)'T';

    /// <summary>C = alpha·A·Bᵀ + beta·C. A [m, k], B [n, k], C [m, n], each with its own row stride.</summary>
    public static void MultiplyTransposed(
        int m,
        int n,
        int k,
        float alpha,
        float* a,
        int strideA,
        float* b,
        int strideB,
        float beta,
        float* c,
        int strideC
    )
    {
        byte first = Transposed;
        byte second = Plain;
        Sgemm(&first, &second, &n, &m, &k, &alpha, b, &strideB, a, &strideA, &beta, c, &strideC);
    }

    /// <summary>C = alpha·A·B + beta·C. A [m, k], B [k, n], C [m, n].</summary>
    public static void Multiply(
        int m,
        int n,
        int k,
        float alpha,
        float* a,
        int strideA,
        float* b,
        int strideB,
        float beta,
        float* c,
        int strideC
    )
    {
        byte first = Plain;
        byte second = Plain;
        Sgemm(&first, &second, &n, &m, &k, &alpha, b, &strideB, a, &strideA, &beta, c, &strideC);
    }

    /// <summary>C = alpha·Aᵀ·B + beta·C. A [k, m], B [k, n], C [m, n].</summary>
    public static void TransposedMultiply(
        int m,
        int n,
        int k,
        float alpha,
        float* a,
        int strideA,
        float* b,
        int strideB,
        float beta,
        float* c,
        int strideC
    )
    {
        byte first = Plain;
        byte second = Transposed;
        Sgemm(&first, &second, &n, &m, &k, &alpha, b, &strideB, a, &strideA, &beta, c, &strideC);
    }

    /// <summary>Runs work whose products use the calling thread alone; without it each of our workers would start a team of its own.</summary>
    public static void OneThread(Action work)
    {
        int before = SetThreadsOfThisThread(1);
        try
        {
            work();
        }
        finally
        {
            _ = SetThreadsOfThisThread(before);
        }
    }

    [LibraryImport("torch_cpu", EntryPoint = "sgemm_")]
    private static partial void Sgemm(
        byte* transposeA,
        byte* transposeB,
        int* m,
        int* n,
        int* k,
        float* alpha,
        float* a,
        int* strideA,
        float* b,
        int* strideB,
        float* beta,
        float* c,
        int* strideC
    );

    [LibraryImport("torch_cpu", EntryPoint = "MKL_Set_Num_Threads_Local")]
    private static partial int SetThreadsOfThisThread(int threads);
}
