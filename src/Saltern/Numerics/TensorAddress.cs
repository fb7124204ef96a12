using System.Runtime.InteropServices;
using TorchSharp;

namespace Saltern.Numerics;

/// <summary>Where a tensor's elements lie, for kernels that work on raw memory.</summary>
internal static partial class TensorAddress
{
    /// <summary>Address of the first element of a contiguous CPU tensor; valid while the tensor lives.</summary>
    /// <exception cref="ArgumentException">The tensor is not contiguous or not on the CPU.</exception>
    public static nint Of(torch.Tensor tensor)
    {
        if (!tensor.is_contiguous() || tensor.device_type != DeviceType.CPU)
        {
            throw new ArgumentException(
                $"A contiguous CPU tensor is needed, not {tensor.dtype} {string.Join('x', tensor.shape)} on {tensor.device_type}.",
                nameof(tensor)
            );
        }

        return Anywhere(tensor);
    }

    /// <summary>Address of the first element on whatever device the tensor is: not to be looked into here unless it is the CPU.</summary>
    /// <exception cref="ArgumentException">The tensor is not contiguous.</exception>
    public static nint Anywhere(torch.Tensor tensor)
    {
        if (!tensor.is_contiguous())
        {
            throw new ArgumentException(
                $"A contiguous tensor is needed, not {tensor.dtype} {string.Join('x', tensor.shape)}.",
                nameof(tensor)
            );
        }

        int status = DataPointer(tensor.Handle, out nint address);
        if (status == 0)
        {
            return address;
        }

        throw new InvalidOperationException($"libtorch gave no address (status {status}).");
    }

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_get_data_ptr")]
    private static partial int DataPointer(nint tensor, out nint address);
}
