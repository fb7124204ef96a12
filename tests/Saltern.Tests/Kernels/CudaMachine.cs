using System.Runtime.InteropServices;
using Saltern.Devices;
using Saltern.Distributed;

namespace Saltern.Tests.Kernels;

/// <summary>A GPU by its driver, with the PTX that build/kernels.sh makes. Untried: it has never met a driver.</summary>
internal sealed unsafe class CudaMachine(DeviceKernels kernels) : IKernelMachine
{
    public static string Folder { get; } = Path.Combine(RepositoryFolder.Path, "artifacts", "kernels");

    public void Run(string kernel, int groups, params object[] arguments)
    {
        var buffers = new List<(Array Values, nint Address)>();
        var passed = new KernelArgument[arguments.Length];
        for (int i = 0; i < arguments.Length; i++)
        {
            passed[i] = arguments[i] switch
            {
                Array values => Copied(values, buffers),
                int number => number,
                long number => number,
                float number => number,
                _ => throw new ArgumentException($"{arguments[i].GetType()} is no argument of a kernel."),
            };
        }

        kernels.Launch(kernel, groups, passed);
        CudaDriver.WaitForDevice();
        foreach ((Array values, nint address) in buffers)
        {
            GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
            int status = CudaFunctions.CopyFromDevice((void*)pinned.AddrOfPinnedObject(), address, Bytes(values));
            pinned.Free();
            CudaDriver.Check(status, "cuMemcpyDtoH");
            _ = CudaFunctions.Free(address);
        }
    }

    public void Dispose() => kernels.Dispose();

    private static nint Copied(Array values, List<(Array Values, nint Address)> buffers)
    {
        nint address = 0;
        CudaDriver.Check(CudaFunctions.Allocate(&address, Math.Max(Bytes(values), 4)), "cuMemAlloc");
        buffers.Add((values, address));
        GCHandle pinned = GCHandle.Alloc(values, GCHandleType.Pinned);
        int status = CudaFunctions.CopyToDevice(address, (void*)pinned.AddrOfPinnedObject(), Bytes(values));
        pinned.Free();
        CudaDriver.Check(status, "cuMemcpyHtoD");
        return address;
    }

    private static nuint Bytes(Array values) => (nuint)Buffer.ByteLength(values);
}
