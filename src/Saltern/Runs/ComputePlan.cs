using System.Diagnostics;
using System.Globalization;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>Where and how a run computes: device, type of products, own kernels or not, library of large products. One place decides, for student, teacher, loss and evaluation alike.</summary>
internal sealed record ComputePlan
{
    private ComputePlan(ComputeDevice device, ComputePrecision precision, KernelChoice kernels, bool recomputes)
    {
        if (device == ComputeDevice.Cuda && !cuda.is_available())
        {
            throw new ConfigurationException(
                $"device = cuda, but the libtorch in use ({LibtorchVersion.Loaded()}) finds no CUDA device. "
                    + "Saltern is built with libtorch for the CPU; build it for PyTorch's CUDA libraries as docs/cuda.md says, "
                    + "on a machine with an NVIDIA driver, or use device: cpu."
            );
        }

        Device = device == ComputeDevice.Cuda ? CUDA : CPU;
        ProductType = precision == ComputePrecision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        UsesKernels = kernels == KernelChoice.Fused && OwnKernels.Cover(ProductType, Device.type);
        Recomputes = recomputes;
    }

    /// <summary>Where weights and activations live.</summary>
    public Device Device { get; }

    /// <summary>Whether that is a GPU.</summary>
    internal bool IsOnGpu => Device.type == DeviceType.CUDA;

    /// <summary>Type of products and attention.</summary>
    public ScalarType ProductType { get; }

    /// <summary>Whether own kernels compute what lies between the products.</summary>
    public bool UsesKernels { get; }

    /// <summary>Whether the student's layers run again in the backward pass.</summary>
    public bool Recomputes { get; }

    /// <summary>What a recipe asks for.</summary>
    /// <exception cref="ConfigurationException">There is no such device here.</exception>
    public static ComputePlan Of(RunConfig config) =>
        new(config.Device, config.Precision, config.Kernels, config.Training.Recompute);

    /// <summary>For a teacher pass: float32, on the CPU with own kernels.</summary>
    /// <exception cref="ConfigurationException">There is no such device here.</exception>
    public static ComputePlan Of(ComputeDevice device) =>
        new(device, ComputePrecision.Fp32, KernelChoice.Fused, recomputes: false);

    /// <summary>Library of large products for a run: the recipe's, else that of the run's first life, else the faster one; MKL where the processor lacks what oneDNN needs.</summary>
    /// <param name="resumed">Library that a resumed run computed with; null where it starts.</param>
    public static ProductLibrary ChooseProducts(RunConfig config, ProductLibrary? resumed)
    {
        ProductLibrary wanted = config.Products switch
        {
            ProductChoice.Blas => ProductLibrary.Blas,
            ProductChoice.Onednn => ProductLibrary.OneDnn,
            _ => resumed ?? MatrixProduct.Fastest(),
        };
        return MatrixProduct.Available(wanted);
    }

    /// <summary>The library of products for some ranks: rank 0's, because the two round differently; MKL where this processor lacks what oneDNN needs.</summary>
    /// <param name="wanted">What this rank would take alone.</param>
    /// <param name="ranks">Ranks that compute together, all of which have to come here; null for a process that computes alone.</param>
    public static ProductLibrary AgreeOnProducts(ProductLibrary wanted, ICommunicator? ranks)
    {
        ProductLibrary first = wanted;
        if (ranks is not null)
        {
            first = (ProductLibrary)ranks.FromFirst((double)wanted);
        }

        return MatrixProduct.Available(first);
    }

    /// <summary>Speed of matrix products here and now, FLOP/s, in the type that the run's products have on a GPU and float32 on the CPU.</summary>
    public double MeasurePeak()
    {
        if (IsOnGpu)
        {
            return MatmulPeak.Measure(Device, ProductType);
        }

        return MatmulPeak.Measure();
    }

    /// <summary>Tells a model how to compute.</summary>
    public Transformer Apply(Transformer model)
    {
        (model.UsesKernels, model.ProductType, model.Recomputes) = (UsesKernels, ProductType, Recomputes);
        return model;
    }

    /// <summary>A loss head for this plan; the caller owns it.</summary>
    /// <param name="headRows">Rows of the student's output head.</param>
    /// <param name="threads">Threads of own kernels.</param>
    public LossHead CreateHead(int vocabulary, int headRows, int threads)
    {
        if (UsesKernels)
        {
            return new FusedLossHead(vocabulary, headRows, threads);
        }

        return new TensorLossHead(vocabulary, headRows, ProductType, IsOnGpu);
    }

    /// <summary>What a person should know of the plan; empty for float32 with own kernels on the CPU.</summary>
    public IReadOnlyList<string> Remarks()
    {
        if (IsOnGpu)
        {
            return
            [
                "device: cuda. The same algorithm with libtorch's operations; Saltern's own tests run without a GPU, "
                    + "on one they are equal to rounding (docs/cuda.md).",
            ];
        }

        if (ProductType == ScalarType.BFloat16)
        {
            double factor = ProductSeconds(ScalarType.BFloat16) / ProductSeconds(ScalarType.Float32);
            return
            [
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"precision: bf16. On this processor bfloat16 products take {factor:0.00} times as long as float32's. "
                )
                    + "Own kernels are for float32, so libtorch's operations do the rest, "
                    + "and a step is slower than with precision: fp32.",
            ];
        }

        if (!UsesKernels)
        {
            return ["kernels: plain. libtorch's operations instead of own kernels: the same to rounding, slower."];
        }

        return [];
    }

    private static double ProductSeconds(ScalarType type)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor a = ones(512, 512, type);
        Tensor b = ones(512, 512, type);
        Tensor product = zeros(512, 512, type);
        double best = double.PositiveInfinity;
        for (int turn = 0; turn < 5; turn++)
        {
            long start = Stopwatch.GetTimestamp();
            if (type == ScalarType.Float32)
            {
                MatrixProduct.Into(product, a, b, 0);
            }
            else
            {
                product.addmm_(a, b, 0, 1);
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }
}
