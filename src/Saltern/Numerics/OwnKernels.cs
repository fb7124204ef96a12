using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>What own kernels can work on; whether they are to is a choice of the recipe, kept by the model.</summary>
internal static class OwnKernels
{
    /// <summary>Whether kernels exist for a type on a device: float32 in the processor's memory.</summary>
    public static bool Cover(ScalarType type, DeviceType device) =>
        type == ScalarType.Float32 && device == DeviceType.CPU;
}
