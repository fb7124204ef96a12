using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>What own kernels can work on; whether they are to is a choice of the recipe, kept by the model.</summary>
internal static class OwnKernels
{
    /// <summary>Whether kernels exist for weights of a type on a device: float32 in the processor's memory.</summary>
    public static bool Cover(ScalarType type, DeviceType device) =>
        type == ScalarType.Float32 && device == DeviceType.CPU;

    /// <summary>Whether there are passes with products of a type on a device: float32 on every processor, bfloat16 where the processor has its instructions.</summary>
    public static bool CoverProducts(ScalarType type, DeviceType device) =>
        Cover(type, device)
        || (
            type == ScalarType.BFloat16
            && device == DeviceType.CPU
            && BFloat16Product.IsThere
            && BFloat16Product.IsExported
        );
}
