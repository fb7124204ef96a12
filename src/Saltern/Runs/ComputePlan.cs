using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>Where and how a run computes: device, type of products, own kernels or not, library of large products. One place decides, for student, teacher, loss and evaluation alike.</summary>
internal sealed record ComputePlan
{
    private readonly KernelChoice _kernels;

    // Whether the student's shape has own bfloat16 passes.
    private readonly bool _fits;

    // Whether the recipe left the type to the machine; what it said then.
    private readonly bool _isOpen;
    private readonly string _reason = "";

    private ComputePlan(
        ComputeDevice device,
        ComputePrecision precision,
        KernelChoice kernels,
        LayerCount recompute,
        bool fits = true,
        ComputePrecision? resumed = null,
        bool allowTf32 = false
    )
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
        (_kernels, Recompute, _fits, Precision) = (kernels, recompute, fits, precision);
        AllowsTf32 = allowTf32 && IsOnGpu;
        if (IsOnGpu)
        {
            // libtorch's own setting, of the whole process; before anything is measured, because 'auto' weighs the products that the run would have.
            backends.cuda.matmul.allow_tf32 = AllowsTf32;
        }

        _isOpen = precision == ComputePrecision.Auto;
        if (!_isOpen)
        {
            return;
        }

        if (resumed is ComputePrecision kept)
        {
            (Precision, _reason) = (kept, "It is what the run began with.");
        }
        else
        {
            (Precision, _reason) = PrecisionChoice.Make(Device, kernels, fits);
        }
    }

    /// <summary>Where weights and activations live.</summary>
    public Device Device { get; }

    /// <summary>Whether that is a GPU.</summary>
    internal bool IsOnGpu => Device.type == DeviceType.CUDA;

    /// <summary>fp32 or bf16.</summary>
    public ComputePrecision Precision { get; private init; }

    /// <summary>What <c>precision: auto</c> found; null where the recipe names a type.</summary>
    public ComputePrecision? FoundPrecision => _isOpen ? Precision : null;

    /// <summary>Type of products and attention.</summary>
    public ScalarType ProductType => PrecisionChoice.TypeOf(Precision);

    /// <summary>Whether float32 products read their operands as TF32.</summary>
    public bool AllowsTf32 { get; }

    /// <summary>What a result says of the products: <c>tf32</c> where float32's operands are read so, else the recipe's word of the type.</summary>
    public string ProductWord => RecordedWord(Precision, AllowsTf32);

    /// <summary>The same for a type and a choice.</summary>
    internal static string RecordedWord(ComputePrecision precision, bool allowsTf32)
    {
        if (allowsTf32 && precision == ComputePrecision.Fp32)
        {
            return "tf32";
        }

        return PrecisionChoice.Word(precision);
    }

    /// <summary>Whether own kernels compute what lies between the products.</summary>
    public bool UsesKernels => _kernels == KernelChoice.Fused && OwnKernels.CoverProducts(ProductType, Device.type);

    /// <summary>Layers of the student that run again in the backward pass.</summary>
    public LayerCount Recompute { get; }

    /// <summary>How a student's weights are kept.</summary>
    public WeightForm WeightForm { get; private init; }

    /// <summary>What a recipe asks for.</summary>
    /// <param name="resumed">What the run has computed with so far; null where it starts.</param>
    /// <exception cref="ConfigurationException">There is no such device here.</exception>
    public static ComputePlan Of(RunConfig config, ComputePrecision? resumed = null)
    {
        TransformerConfig shape = config.Model.Resolve(1, config.Data.SequenceLength);
        var plan = new ComputePlan(
            config.Device,
            config.Precision,
            config.Kernels,
            config.Training.Recompute,
            shape.HasEvenWidths,
            resumed,
            config.AllowTf32
        )
        {
            WeightForm = FormOf(config.Optimizer.Weights),
        };
        if (plan.WeightForm != WeightForm.Float32 && !(plan.UsesKernels && plan._fits))
        {
            string reason = plan._fits
                ? "this processor has no bfloat16 products (AVX512_BF16)"
                : "a model of odd widths has no bfloat16 passes";
            throw new ConfigurationException(
                $"optimizer.weights packs weights for own kernels in bfloat16, but {reason}. Remove the key."
            );
        }

        return plan;
    }

    /// <summary>For passes of a finished model: on the CPU with own kernels.</summary>
    /// <exception cref="ConfigurationException">There is no such device here.</exception>
    public static ComputePlan Of(ComputeDevice device, ComputePrecision precision = ComputePrecision.Fp32) =>
        new(device, precision, KernelChoice.Fused, LayerCount.None);

    /// <summary>The same for all ranks: what rank 0 has measured decides.</summary>
    public ComputePlan AgreeOn(ICommunicator ranks) =>
        this with
        {
            Precision = (ComputePrecision)ranks.FromFirst((double)Precision),
        };

    /// <summary>The same with a teacher's own type of products.</summary>
    /// <param name="precision">null for this plan's.</param>
    public ComputePlan For(ComputePrecision? precision) => this with { Precision = precision ?? Precision };

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

    /// <summary>Speed of matrix products here and now, FLOP/s, in the type that the run's products have.</summary>
    public double MeasurePeak()
    {
        if (IsOnGpu)
        {
            return MatmulPeak.Measure(Device, ProductType);
        }

        return MatmulPeak.Measure(ProductType);
    }

    /// <summary>The same for each type that own kernels have, GFLOP/s, by the recipe's word; empty on a GPU.</summary>
    public IReadOnlyDictionary<string, double> MeasurePeaks() =>
        new[] { ComputePrecision.Fp32, ComputePrecision.Bf16 }
            .Where(precision => OwnKernels.CoverProducts(PrecisionChoice.TypeOf(precision), Device.type))
            .ToDictionary(
                PrecisionChoice.Word,
                precision => MatmulPeak.Measure(PrecisionChoice.TypeOf(precision)) / 1e9
            );

    private static WeightForm FormOf(OptimizerWeightType type) =>
        type switch
        {
            OptimizerWeightType.Split24 => WeightForm.Split24,
            OptimizerWeightType.Bf16 => WeightForm.BFloat16,
            _ => WeightForm.Float32,
        };

    /// <summary>Tells a model how to compute.</summary>
    public Transformer Apply(Transformer model)
    {
        (model.UsesKernels, model.ProductType) = (UsesKernels, ProductType);
        model.RecomputedLayers = Recompute.Resolve(model.Config.NumHiddenLayers);
        return model;
    }

    /// <summary>What people call the library of the run's large products.</summary>
    /// <param name="library">That of float32's products.</param>
    public string LibraryOf(ProductLibrary library)
    {
        if (IsOnGpu)
        {
            return MatrixProduct.OfTheGpu;
        }

        return ProductsOf(library).Words();
    }

    /// <summary>The library of the run's large products on the CPU: block kernels are oneDNN's, whatever float32's are.</summary>
    /// <param name="library">That of float32's products.</param>
    public ProductLibrary ProductsOf(ProductLibrary library) =>
        UsesKernels && Precision == ComputePrecision.Bf16 ? ProductLibrary.OneDnn : library;

    /// <summary>A loss head for this plan; the caller owns it.</summary>
    /// <param name="headRows">Rows of the student's output head.</param>
    /// <param name="threads">Threads of own kernels.</param>
    public LossHead CreateHead(int vocabulary, int headRows, int threads)
    {
        if (UsesKernels)
        {
            return new FusedLossHead(vocabulary, headRows, threads, ProductType);
        }

        return new TensorLossHead(vocabulary, headRows, ProductType, IsOnGpu);
    }

    /// <summary>What a person should know of the plan; empty where the recipe says all and own kernels compute on the CPU.</summary>
    public IReadOnlyList<string> Remarks()
    {
        List<string> remarks = [];
        if (_isOpen)
        {
            remarks.Add($"precision: {PrecisionChoice.Word(Precision)} (auto). {_reason}");
        }

        if (IsOnGpu)
        {
            remarks.Add(
                "device: cuda. The same algorithm with libtorch's operations; Saltern's own tests run without a GPU, "
                    + "on one they are equal to rounding (docs/cuda.md)."
            );
            if (AllowsTf32)
            {
                string effect =
                    Precision == ComputePrecision.Bf16
                        ? "The run's products are bfloat16, which it does not change"
                        : "float32 products read 10 bits of mantissa instead of 23";
                remarks.Add($"allow_tf32: true. {effect}.");
            }

            return remarks;
        }

        bool isBFloat16 = ProductType == ScalarType.BFloat16;
        if (isBFloat16 && !OwnKernels.CoverProducts(ProductType, Device.type))
        {
            remarks.Add(
                "precision: bf16. This processor has no bfloat16 products that are faster than float32's, "
                    + "so libtorch's operations compute, and a step is slower than with precision: fp32."
            );
        }
        else if (isBFloat16 && !_fits)
        {
            remarks.Add(
                "precision: bf16. This shape has no own bfloat16 passes (docs/speed.md), so libtorch's operations compute its layers."
            );
        }

        if (_kernels == KernelChoice.Plain)
        {
            remarks.Add("kernels: plain. libtorch's operations instead of own kernels: the same to rounding, slower.");
        }

        return remarks;
    }
}
