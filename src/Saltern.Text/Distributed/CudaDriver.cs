using System.Runtime.InteropServices;
using System.Text;

namespace Saltern.Distributed;

/// <summary>One GPU of this process, through the driver alone: what NCCL needs beside itself, without libtorch for CUDA.</summary>
internal static unsafe class CudaDriver
{
    private const string FileName = "libcuda.so.1";
    private const int MemoryTypeAttribute = 2;
    private const int DeviceMemory = 2; // cuda.h: CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_MEMORYTYPE_DEVICE
    private const int LongestName = 256;
    private const int CapabilityMajor = 75; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
    private const int CapabilityMinor = 76;

    /// <summary>Variable by which the driver is told which GPUs a process sees; read when it starts.</summary>
    public const string DevicesVariable = "CUDA_VISIBLE_DEVICES";

    /// <summary>Starts the driver and makes the first visible GPU this thread's.</summary>
    /// <returns>Its name.</returns>
    /// <exception cref="ConfigurationException">There is no driver, or no GPU.</exception>
    public static string UseFirstDevice()
    {
        nint handle = ImportedLibraries.Open(FileName);
        if (handle == 0)
        {
            throw new ConfigurationException(
                $"{FileName} is not found: this machine has no NVIDIA driver. Use device: cpu."
            );
        }

        ImportedLibraries.Use(CudaFunctions.Library, handle);
        int count = 0;
        int device = 0;
        int status = CudaFunctions.Initialize(0);
        if (status != 0 || CudaFunctions.DeviceCount(&count) != 0 || count == 0)
        {
            throw new ConfigurationException(
                $"The NVIDIA driver finds no GPU for this process ({Words(status)}; "
                    + $"{DevicesVariable} = {Environment.GetEnvironmentVariable(DevicesVariable) ?? "not set"}). "
                    + "Start as many ranks on a machine as it has GPUs, or use device: cpu."
            );
        }

        nint context = 0;
        Check(CudaFunctions.GetDevice(&device, 0), "cuDeviceGet");
        Check(CudaFunctions.RetainContext(&context, device), "cuDevicePrimaryCtxRetain");
        Check(CudaFunctions.SetContext(context), "cuCtxSetCurrent");
        byte* name = stackalloc byte[LongestName];
        Check(CudaFunctions.DeviceName(name, LongestName, device), "cuDeviceGetName");
        return Marshal.PtrToStringUTF8((nint)name) ?? "";
    }

    /// <summary>Version of CUDA that the driver knows; <see cref="UseFirstDevice"/> comes first.</summary>
    public static Version Version()
    {
        int version = 0;
        Check(CudaFunctions.DriverVersion(&version), "cuDriverGetVersion");
        return new Version(version / 1_000, version % 1_000 / 10);
    }

    /// <summary>Compute capability of the first GPU; <see cref="UseFirstDevice"/> comes first.</summary>
    public static Version ComputeCapability()
    {
        int major = 0;
        int minor = 0;
        Check(CudaFunctions.DeviceAttribute(&major, CapabilityMajor, 0), "cuDeviceGetAttribute");
        Check(CudaFunctions.DeviceAttribute(&minor, CapabilityMinor, 0), "cuDeviceGetAttribute");
        return new Version(major, minor);
    }

    /// <summary>Memory of the first GPU, bytes; <see cref="UseFirstDevice"/> comes first.</summary>
    public static (long Free, long Total) Memory()
    {
        nuint free = 0;
        nuint total = 0;
        Check(CudaFunctions.MemoryInfo(&free, &total), "cuMemGetInfo");
        return ((long)free, (long)total);
    }

    /// <summary>Whether an address is of a GPU's memory. The driver knows no others, but for those that it was told of.</summary>
    public static bool IsOnDevice(void* address)
    {
        int type = 0;
        return CudaFunctions.PointerAttribute(&type, MemoryTypeAttribute, (nint)address) == 0 && type == DeviceMemory;
    }

    /// <summary>Returns once all work of the default stream, libtorch's own, is done.</summary>
    /// <exception cref="DistributedException">Some of it failed.</exception>
    public static void WaitForDevice() => Check(CudaFunctions.Synchronize(0), "cuStreamSynchronize");

    /// <summary>Turns a code that is not 0 into an exception.</summary>
    /// <exception cref="DistributedException">The code is not 0.</exception>
    public static void Check(int code, string function)
    {
        if (code != 0)
        {
            throw new DistributedException($"{function} failed: {Words(code)}.");
        }
    }

    private static string Words(int code)
    {
        byte* text = null;
        if (CudaFunctions.ErrorText(code, &text) == 0 && text is not null)
        {
            return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
        }

        return $"code {code}";
    }
}
