// C = A·B with whichever of libtorch's two BLAS libraries is faster here. MKL takes AVX2 paths on AMD processors that have AVX-512; oneDNN does not
// (EPYC of the Zen 5 generation, one thread: 106 against 212 GFLOP/s). On processors without AVX-512 oneDNN is not offered.
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Library that computes large products.</summary>
internal enum ProductLibrary
{
    /// <summary>libtorch's BLAS (MKL), through its ordinary operations.</summary>
    Blas,

    /// <summary>oneDNN, which is inside libtorch too.</summary>
    OneDnn,
}

internal static class ProductLibraryWords
{
    /// <summary>What people call a library.</summary>
    public static string Words(this ProductLibrary library) => library == ProductLibrary.OneDnn ? "oneDNN" : "MKL";
}

/// <summary>Large float32 products into memory that is there already, on the CPU.</summary>
/// <remarks>The choice concerns the whole process, as libtorch's number of threads does. The two libraries round differently: a run keeps to one.</remarks>
internal static partial class MatrixProduct
{
    // oneDNN is taken only where it is clearly faster: a choice that flips with noise would flip the last bits too.
    private const double ClearlyFaster = 1.15;
    private const int ProbeSize = 768;

    /// <summary>What people call the library of products on a GPU.</summary>
    public const string OfTheGpu = "cuBLAS";

    private static double? Advantage;

    /// <summary>The library in use.</summary>
    public static ProductLibrary Library { get; private set; } = ProductLibrary.Blas;

    /// <summary>Whether oneDNN's float32 products can be used here: it asks for AVX-512 with byte, word and double-word instructions and vector lengths.</summary>
    public static bool OneDnnIsThere =>
        OneDnnLimit.AllowsAvx512 && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512BW.VL.IsSupported;

    /// <summary>A library where this processor has what it asks for, else <see cref="ProductLibrary.Blas"/>, which is everywhere.</summary>
    public static ProductLibrary Available(ProductLibrary wanted)
    {
        if (OneDnnIsThere)
        {
            return wanted;
        }

        return ProductLibrary.Blas;
    }

    /// <summary>Uses one library from now on.</summary>
    /// <exception cref="PlatformNotSupportedException">The processor lacks what oneDNN asks for.</exception>
    public static void Use(ProductLibrary library)
    {
        if (library != Available(library))
        {
            throw new PlatformNotSupportedException(
                "oneDNN's float32 products need a processor with AVX-512 (BW, DQ, VL)."
            );
        }

        Library = library;
    }

    /// <summary>The faster library on this machine, measured once in a process with libtorch's current threads (some 50 ms).</summary>
    public static ProductLibrary Fastest()
    {
        if (!OneDnnIsThere)
        {
            return ProductLibrary.Blas;
        }

        Advantage ??= Measure();
        if (Advantage > ClearlyFaster)
        {
            return ProductLibrary.OneDnn;
        }

        return ProductLibrary.Blas;
    }

    /// <summary>result = beta·result + a·b.</summary>
    /// <param name="a">[m, k], contiguous or the transposed of a contiguous matrix.</param>
    public static void Into(Tensor result, Tensor a, Tensor b, float beta)
    {
        if (
            Library == ProductLibrary.OneDnn
            && result.dtype == ScalarType.Float32
            && result.device_type == DeviceType.CPU
            && result.shape[0] > 0
        )
        {
            OneDnnMatmul(a.Handle, b.Handle, result.Handle, beta, 1f);
            return;
        }

        using DisposeScope scope = NewDisposeScope(); // for the second handle that some in-place operations return
        result.addmm_(a, b, beta, 1);
    }

    // How many times faster oneDNN is; the best of several turns each, so that another process's load does not decide.
    private static double Measure()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor a = ones(ProbeSize, ProbeSize);
        Tensor b = ones(ProbeSize, ProbeSize);
        Tensor product = zeros(ProbeSize, ProbeSize);
        double blas = double.PositiveInfinity;
        double oneDnn = double.PositiveInfinity;
        ProductLibrary before = Library;
        for (int turn = 0; turn < 5; turn++)
        {
            blas = Math.Min(blas, Seconds(ProductLibrary.Blas));
            oneDnn = Math.Min(oneDnn, Seconds(ProductLibrary.OneDnn));
        }

        Library = before;
        return blas / oneDnn;

        double Seconds(ProductLibrary library)
        {
            Library = library;
            long start = Stopwatch.GetTimestamp();
            Into(product, a, b, 0);
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    // at::native::mkldnn_matmul(mat1, mat2, result, beta, alpha): all tensors by reference, which is what TorchSharp's handles are. Exported with TORCH_API, but
    // not a stable interface: NativeLibraryTests holds the name and the arithmetic.
    [LibraryImport("torch_cpu", EntryPoint = "_ZN2at6native13mkldnn_matmulERKNS_6TensorES3_S3_ff")]
    private static partial void OneDnnMatmul(nint a, nint b, nint result, float beta, float alpha);
}
