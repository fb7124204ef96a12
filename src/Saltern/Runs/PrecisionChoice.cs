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
    private static readonly Dictionary<DeviceType, double> Gains = [];

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

    /// <summary>bf16 where its products are worth it, else fp32, and why in a sentence.</summary>
    /// <param name="fits">Whether the model's shape has own bfloat16 passes.</param>
    public static (ComputePrecision Precision, string Reason) Make(Device device, KernelChoice kernels, bool fits)
    {
        bool onGpu = device.type == DeviceType.CUDA;
        if (!onGpu && kernels == KernelChoice.Plain)
        {
            return (ComputePrecision.Fp32, "kernels: plain has no fast bfloat16 products on a processor.");
        }

        if (!onGpu && !OwnKernels.CoverProducts(ScalarType.BFloat16, device.type))
        {
            return (ComputePrecision.Fp32, "This processor has no bfloat16 products of its own.");
        }

        if (!onGpu && !fits)
        {
            return (ComputePrecision.Fp32, "This shape has no own bfloat16 passes (docs/speed.md).");
        }

        double gain = GainOn(device);
        return (
            gain >= WorthWhile ? ComputePrecision.Bf16 : ComputePrecision.Fp32,
            string.Create(
                CultureInfo.InvariantCulture,
                $"bfloat16 products are {gain:0.0} times as fast as float32's here; from {WorthWhile} on they are taken."
            )
        );
    }

    // Measured once in a process; the best of several turns each, so that another process's load does not decide.
    private static double GainOn(Device device)
    {
        if (!Gains.TryGetValue(device.type, out double gain))
        {
            gain = device.type == DeviceType.CUDA ? MeasureGpu(device) : MeasureProcessor();
            Gains.Add(device.type, gain);
        }

        return gain;
    }

    private static double MeasureGpu(Device device) =>
        MatmulPeak.Measure(device, ScalarType.BFloat16) / MatmulPeak.Measure(device, ScalarType.Float32);

    // One thread and the faster library of float32's, whatever the run takes: the gain is the processor's, and a probe is too small for many threads.
    private static double MeasureProcessor()
    {
        int threads = get_num_threads();
        ProductLibrary library = MatrixProduct.Library;
        try
        {
            set_num_threads(1);
            MatrixProduct.Use(MatrixProduct.Fastest());
            double single = 0;
            double half = 0;
            for (int turn = 0; turn < Turns; turn++)
            {
                single = Math.Max(single, MatmulPeak.Measure(ScalarType.Float32, Size, repeats: 1));
                half = Math.Max(half, MatmulPeak.Measure(ScalarType.BFloat16, Size, repeats: 1));
            }

            return half / single;
        }
        finally
        {
            set_num_threads(threads);
            MatrixProduct.Use(library);
        }
    }
}
