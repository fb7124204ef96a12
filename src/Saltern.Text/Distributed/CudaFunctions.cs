using System.Runtime.InteropServices;

namespace Saltern.Distributed;

/// <summary>The functions of the NVIDIA driver that are used (CUDA driver API); each gives 0 where it succeeds.</summary>
internal static unsafe partial class CudaFunctions
{
    /// <summary>Name that <see cref="CudaDriver"/> resolves.</summary>
    public const string Library = "cuda";

    [LibraryImport(Library, EntryPoint = "cuInit")]
    public static partial int Initialize(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetCount")]
    public static partial int DeviceCount(int* count);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    public static partial int GetDevice(int* device, int index);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    public static partial int DeviceName(byte* name, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRetain")]
    public static partial int RetainContext(nint* context, int device);

    [LibraryImport(Library, EntryPoint = "cuCtxSetCurrent")]
    public static partial int SetContext(nint context);

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    public static partial int Allocate(nint* address, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    public static partial int Free(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoD_v2")]
    public static partial int CopyToDevice(nint to, void* from, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoH_v2")]
    public static partial int CopyFromDevice(void* to, nint from, nuint bytes);

    [LibraryImport(Library, EntryPoint = "cuStreamSynchronize")]
    public static partial int Synchronize(nint stream);

    [LibraryImport(Library, EntryPoint = "cuPointerGetAttribute")]
    public static partial int PointerAttribute(void* value, int attribute, nint address);

    [LibraryImport(Library, EntryPoint = "cuDriverGetVersion")]
    public static partial int DriverVersion(int* version);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetAttribute")]
    public static partial int DeviceAttribute(int* value, int attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial int MemoryInfo(nuint* free, nuint* total);

    [LibraryImport(Library, EntryPoint = "cuModuleLoadData")]
    public static partial int LoadModule(nint* module, void* image);

    [LibraryImport(Library, EntryPoint = "cuModuleUnload")]
    public static partial int UnloadModule(nint module);

    [LibraryImport(Library, EntryPoint = "cuModuleGetFunction")]
    public static partial int GetFunction(nint* function, nint module, byte* name);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernel")]
    public static partial int Launch(
        nint function,
        uint groupsX,
        uint groupsY,
        uint groupsZ,
        uint itemsX,
        uint itemsY,
        uint itemsZ,
        uint sharedBytes,
        nint stream,
        void** arguments,
        void** extra
    );

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    public static partial int CreateEvent(nint* created, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventRecord")]
    public static partial int RecordEvent(nint recorded, nint stream);

    [LibraryImport(Library, EntryPoint = "cuEventSynchronize")]
    public static partial int WaitForEvent(nint recorded);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial int DestroyEvent(nint destroyed);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    public static partial int ErrorText(int code, byte** text);
}
