// The kernels of src/Saltern/Kernels on a GPU, from the PTX that build/kernels.sh makes. Untried: this file has never met a driver (docs/cuda.md), and no run uses it.
using System.Globalization;
using System.Text;
using Saltern.Distributed;

namespace Saltern.Devices;

/// <summary>A module of kernels on the first GPU, in libtorch's own context: each kernel by its name, launched on libtorch's default stream.</summary>
internal sealed unsafe class DeviceKernels : IDisposable
{
    /// <summary>Work-items of a group; common.cl has the same.</summary>
    public const int Group = 256;

    private const int UnsupportedPtx = 222; // cuda.h: CUDA_ERROR_UNSUPPORTED_PTX_VERSION
    private const int NoBinary = 209; // CUDA_ERROR_NO_BINARY_FOR_GPU
    private readonly Dictionary<string, nint> _functions = [];
    private readonly nint _module;

    private DeviceKernels(nint module) => _module = module;

    /// <summary>Loads the kernels for this machine's first GPU.</summary>
    /// <param name="folder">What build/kernels.sh wrote.</param>
    /// <param name="bfloat16">Whether products read and write bfloat16.</param>
    /// <param name="neededBytes">GPU memory that is about to be used, at the least; 0 for not known.</param>
    /// <exception cref="ConfigurationException">There is no driver or GPU, the driver or the GPU is too old for the PTX, memory does not suffice, or the file is not there.</exception>
    public static DeviceKernels Load(string folder, bool bfloat16, long neededBytes = 0)
    {
        string gpu = CudaDriver.UseFirstDevice();
        Version capability = CudaDriver.ComputeCapability();
        (long free, long total) = CudaDriver.Memory();
        if (MemoryProblem(neededBytes, free, total, gpu) is string tooLittle)
        {
            throw new ConfigurationException(tooLittle);
        }

        string file = Path.Combine(folder, FileName(capability, bfloat16, gpu));
        if (!File.Exists(file))
        {
            throw new ConfigurationException($"{file} is not there. Make the kernels: build/kernels.sh.");
        }

        string text = File.ReadAllText(file);
        Version cuda = CudaDriver.Version();
        if (PtxHeader.Read(text, file).Problem(cuda, capability, gpu) is string problem)
        {
            throw new ConfigurationException(problem);
        }

        byte[] image = [.. Encoding.ASCII.GetBytes(text), 0];
        nint module = 0;
        fixed (byte* at = image)
        {
            int status = CudaFunctions.LoadModule(&module, at);
            if (status is UnsupportedPtx or NoBinary)
            {
                throw new ConfigurationException(
                    $"The NVIDIA driver (CUDA {cuda}) refuses {file} for {gpu} as too new for it (code {status}). "
                        + "Install a newer driver, or leave the kernels out."
                );
            }

            CudaDriver.Check(status, "cuModuleLoadData");
        }

        return new DeviceKernels(module);
    }

    /// <summary>Starts a kernel and returns at once; work on libtorch's default stream before it is done first.</summary>
    /// <param name="arguments">In the kernel's order: addresses of GPU memory as nint, and int, long or float.</param>
    /// <exception cref="DistributedException">The driver refused.</exception>
    public void Launch(string kernel, int groups, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (!_functions.TryGetValue(kernel, out nint function))
        {
            byte[] name = [.. Encoding.ASCII.GetBytes(kernel), 0];
            fixed (byte* text = name)
            {
                CudaDriver.Check(CudaFunctions.GetFunction(&function, _module, text), $"cuModuleGetFunction {kernel}");
            }

            _functions.Add(kernel, function);
        }

        long* values = stackalloc long[Math.Max(1, arguments.Length)];
        void** pointers = stackalloc void*[Math.Max(1, arguments.Length)];
        for (int i = 0; i < arguments.Length; i++)
        {
            values[i] = arguments[i].Bits; // little-endian: a shorter argument is the first bytes
            pointers[i] = values + i;
        }

        CudaDriver.Check(
            CudaFunctions.Launch(function, (uint)groups, 1, 1, Group, 1, 1, 0, 0, pointers, null),
            $"cuLaunchKernel {kernel}"
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _ = CudaFunctions.UnloadModule(_module);

    /// <summary>The file for a GPU.</summary>
    /// <exception cref="ConfigurationException">It is older than any that the kernels are compiled for.</exception>
    internal static string FileName(Version capability, bool bfloat16, string gpu)
    {
        string type = bfloat16 ? "bf16" : "fp32";
        if (capability >= new Version(9, 0))
        {
            return $"saltern-sm_90-{type}.ptx";
        }

        if (capability >= new Version(8, 0))
        {
            return $"saltern-sm_80-{type}.ptx";
        }

        throw new ConfigurationException(
            $"{gpu} has compute capability {capability}, and the kernels are for 8.0 (A100) and later. Leave them out."
        );
    }

    /// <summary>Why memory does not suffice, in a sentence; null where it does.</summary>
    internal static string? MemoryProblem(long needed, long free, long total, string gpu)
    {
        if (needed <= free)
        {
            return null;
        }

        static string GiB(long bytes) => (bytes / (double)(1 << 30)).ToString("0.0", CultureInfo.InvariantCulture);
        return $"{GiB(needed)} GiB of GPU memory are needed at the least, and {gpu} has {GiB(free)} of its {GiB(total)} GiB free. "
            + "Train a smaller model or smaller micro-batches, or end what else uses the GPU.";
    }
}

/// <summary>One argument of a kernel.</summary>
internal readonly record struct KernelArgument(long Bits)
{
    /// <summary>GPU memory.</summary>
    public static implicit operator KernelArgument(nint address) => new(address);

    /// <summary>A number.</summary>
    public static implicit operator KernelArgument(int value) => new(value);

    /// <summary>A number.</summary>
    public static implicit operator KernelArgument(long value) => new(value);

    /// <summary>A number.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToInt32Bits(value));
}
