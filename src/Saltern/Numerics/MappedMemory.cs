using System.Runtime.InteropServices;
using TorchSharp;

namespace Saltern.Numerics;

/// <summary>Zeroed memory in a mapping of its own: unlike the heap's, it is back with the system the moment it is disposed.</summary>
/// <remarks>Weights, gradients and optimizer state live here, so that a teacher's weights leave resident memory at the switch.</remarks>
internal sealed unsafe partial class MappedMemory : IDisposable
{
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;
    private const int WithoutReserve = 0x4000;
    private const int DoNotNeed = 4; // of private memory: pages are zero when they are touched again
    private const int DeviceCpu = 0; // c10::DeviceType's; types are c10::ScalarType's, as TorchSharp's are
    private nint _address;

    /// <summary>Maps room for <paramref name="count"/> floats, all zero; pages become resident when first written.</summary>
    /// <param name="isSparse">Whether little of it will ever be written: the system then does not count it against its memory.</param>
    /// <exception cref="InsufficientMemoryException">The system refuses the mapping.</exception>
    public MappedMemory(long count, bool isSparse = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        Count = count;
        int flags = isSparse ? PrivateAnonymous | WithoutReserve : PrivateAnonymous;
        _address = Map(0, (nuint)(count * sizeof(float)), ReadWrite, flags, -1, 0);
        if (_address == -1)
        {
            _address = 0;
            throw new InsufficientMemoryException(
                $"The system refused to map {count * sizeof(float) / 1048576.0:0.0} MiB."
            );
        }
    }

    /// <summary>Number of floats.</summary>
    public long Count { get; }

    /// <summary>First float; valid until disposed.</summary>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public float* Start
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == 0, this);
            return (float*)_address;
        }
    }

    /// <summary>A tensor [<see cref="Count"/>], float32, on this memory; the caller owns the tensor, not the memory, and drops it and its views before this is disposed.</summary>
    public torch.Tensor AsTensor() => AsTensor(torch.ScalarType.Float32, 0, Count);

    /// <summary>A tensor [count] on a part of this memory, of any type; owned as the other.</summary>
    /// <param name="firstByte">Where it begins, bytes.</param>
    /// <param name="count">Elements.</param>
    public torch.Tensor AsTensor(torch.ScalarType type, long firstByte, long count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstByte + (count * type.ElementSize()), Count * sizeof(float));

        // Makes TorchSharp load its libraries before the first direct call into one of them.
        torch.InitializeDeviceType(DeviceType.CPU);
        long size = count;
        long stride = 1;
        nint start = (nint)Start + (nint)firstByte;
        int status = CreateFromBlob(start, 1, &size, &stride, 0, (int)type, DeviceCpu, 0, out nint handle);
        if (status != 0)
        {
            throw new InvalidOperationException($"libtorch refused a tensor over mapped memory (status {status}).");
        }

        return torch.Tensor.UnsafeCreateTensor(handle);
    }

    /// <summary>Sets some floats to zero and gives the pages that hold nothing else back to the system; they are there again when they are written.</summary>
    public void Release(long first, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, Count);
        nint start = (nint)(Start + first);
        nint end = (nint)(Start + first + count);
        nint page = Environment.SystemPageSize;
        nint firstPage = (start + page - 1) / page * page;
        nint endPage = end / page * page;
        if (firstPage >= endPage || Advise(firstPage, (nuint)(endPage - firstPage), DoNotNeed) != 0)
        {
            Clear(start, end);
            return;
        }

        Clear(start, firstPage);
        Clear(endPage, end);
    }

    private static void Clear(nint start, nint end) => NativeMemory.Clear((void*)start, (nuint)(end - start));

    /// <summary>Gives the memory back to the system; every tensor on it must be gone.</summary>
    public void Dispose()
    {
        if (_address != 0)
        {
            _ = Unmap(_address, (nuint)(Count * sizeof(float)));
            _address = 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(nint address, nuint length, int advice);

    // The stable C interface of libtorch (torch/csrc/inductor/aoti_torch/c/shim.h); TorchSharp's handles are the same pointers.
    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_create_tensor_from_blob")]
    private static partial int CreateFromBlob(
        nint data,
        long dimensions,
        long* sizes,
        long* strides,
        long offset,
        int type,
        int device,
        int index,
        out nint handle
    );
}
