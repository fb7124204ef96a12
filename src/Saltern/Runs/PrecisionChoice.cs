using System.Diagnostics;
using System.Globalization;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>Which type of products is the faster one here.</summary>
internal static class PrecisionChoice
{
    /// <summary>How many times as fast bfloat16's products have to be for <c>precision: auto</c> to take them: a choice that flips with noise would flip the results too.</summary>
    public const double WorthWhile = 1.4;

    private const int Turns = 5;
    private const int Size = 768;
    private static double? Gain;

    /// <summary>Type of products of fp32 and bf16.</summary>
    public static ScalarType TypeOf(ComputePrecision precision) =>
        precision switch
        {
            ComputePrecision.Fp32 => ScalarType.Float32,
            ComputePrecision.Bf16 => ScalarType.BFloat16,
            _ => throw new UnreachableException($"{precision} is no type: it was to be resolved before."),
        };

    /// <summary>The recipe's word.</summary>
    public static string Word(ComputePrecision precision) => precision.ToString().ToLowerInvariant();

    /// <summary>bf16 where its products are worth it, measured once in a process with libtorch's current threads; else fp32.</summary>
    public static ComputePrecision Fastest(Device device, KernelChoice kernels)
    {
        bool isThere =
            device.type == DeviceType.CUDA
            || (kernels == KernelChoice.Fused && OwnKernels.CoverProducts(ScalarType.BFloat16, device.type));
        if (!isThere)
        {
            return ComputePrecision.Fp32;
        }

        Gain ??= Measure(device);
        return Gain >= WorthWhile ? ComputePrecision.Bf16 : ComputePrecision.Fp32;
    }

    /// <summary>What the choice rests on, in a sentence.</summary>
    public static string Reason()
    {
        if (Gain is not double gain)
        {
            return "This processor has no bfloat16 products of its own.";
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"bfloat16 products are {gain:0.0} times as fast as float32's here; from {WorthWhile} on they are taken."
        );
    }

    // The best of several turns each, so that another process's load does not decide.
    private static double Measure(Device device)
    {
        if (device.type == DeviceType.CUDA)
        {
            return MatmulPeak.Measure(device, ScalarType.BFloat16) / MatmulPeak.Measure(device, ScalarType.Float32);
        }

        double single = 0;
        double half = 0;
        for (int turn = 0; turn < Turns; turn++)
        {
            single = Math.Max(single, MatmulPeak.Measure(ScalarType.Float32, Size, repeats: 1));
            half = Math.Max(half, MatmulPeak.Measure(ScalarType.BFloat16, Size, repeats: 1));
        }

        return half / single;
    }
}
