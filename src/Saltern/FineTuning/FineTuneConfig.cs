using System.ComponentModel.DataAnnotations;
using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;

namespace Saltern.FineTuning;

/// <summary>A whole fine-tuning run as one tree: what <c>saltern finetune</c> reads from a recipe.</summary>
internal sealed record FineTuneConfig : IValidated, IRunRecipe
{
    /// <summary>Name of the run; its folder is <c>runs/&lt;name&gt;</c> unless told otherwise.</summary>
    [MinLength(1)]
    [DoesNotAlterNumbers]
    public required string Name { get; init; }

    /// <summary>Decides the order of the rows.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>The model to start from.</summary>
    public required FineTuneStartConfig InitFrom { get; init; }

    /// <summary>The examples.</summary>
    public required ExampleConfig Data { get; init; }

    /// <summary>Tasks to measure before and after; null for none.</summary>
    [DoesNotAlterNumbers]
    public FineTuneEvaluationConfig? Evaluation { get; init; }

    /// <summary>Low-rank adapters that are trained in place of the model's weights (LoRA); null trains the weights.</summary>
    public LowRankConfig? Lora { get; init; }

    /// <summary>Update rule.</summary>
    public OptimizerConfig Optimizer { get; init; } = new();

    /// <summary>Learning rate over the steps.</summary>
    public ScheduleConfig Schedule { get; init; } = new();

    /// <summary>Length of the run, and what happens along it.</summary>
    public required FineTuneTrainingConfig Training { get; init; }

    /// <summary>Type of products and attention.</summary>
    public ComputePrecision Precision { get; init; }

    /// <summary>device: cuda: whether float32 products read their operands as TF32 (8 bits of exponent, 10 of mantissa) on tensor cores; sums stay float32.</summary>
    public bool AllowTf32 { get; init; }

    /// <summary>Own kernels, or libtorch's operations; equal to rounding.</summary>
    public KernelChoice Kernels { get; init; }

    /// <summary>Library for large products; equal to rounding.</summary>
    [DoesNotAlterNumbers]
    public ProductChoice Products { get; init; }

    /// <summary>Threads to compute with; null takes the cores that are free at the start of the run.</summary>
    [Range(1, 4_096)]
    [DoesNotAlterNumbers]
    public int? Threads { get; init; }

    /// <summary>Where to compute.</summary>
    [DoesNotAlterNumbers]
    public ComputeDevice Device { get; init; }

    /// <summary>Whether a recipe file is one of fine-tuning: it names a model to start from and describes none.</summary>
    public static bool IsRecipe(string path) => RunConfig.IsOfFineTuning(path);

    /// <inheritdoc/>
    string? IRunRecipe.FixedBecause(string key, IRunRecipe now, int doneSteps)
    {
        if (key is "training.steps" or "training.epochs")
        {
            return "the schedule depends on it, so it may not change on resume. Start a new run.";
        }

        if (key == "lora" || key.StartsWith("lora.", StringComparison.Ordinal))
        {
            return "the adapters in the checkpoint were trained with it. Start a new run.";
        }

        return null;
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        foreach (ConfigurationProblem problem in RunConfig.ProductProblems(Products))
        {
            yield return problem;
        }

        foreach (ConfigurationProblem problem in RunConfig.Tf32Problems(AllowTf32, Device))
        {
            yield return problem;
        }

        bool isWhole = Optimizer is { Weights: OptimizerWeightType.Full, Gradients: OptimizerGradients.Kept };
        if (Lora is not null && !isWhole)
        {
            yield return new ConfigurationProblem(
                "lora",
                "trains adapters beside weights that stay as they are, so there is nothing for optimizer.weights and "
                    + "optimizer.gradients to save: leave them at float32 and kept, or remove the section."
            );
        }
    }

    /// <summary>The same as the training loop takes it.</summary>
    /// <param name="model">Shape of the model to start from.</param>
    /// <param name="initFrom">Its folder; null where a checkpoint fills the model.</param>
    /// <param name="rows">Packed rows of one epoch.</param>
    /// <exception cref="ConfigurationException">Warm-up and decay do not fit into the steps.</exception>
    internal RunConfig ToRun(TransformerConfig model, string? initFrom, long rows)
    {
        var run = new RunConfig
        {
            Name = Name,
            Seed = Seed,
            Data = new DataConfig
            {
                Path = Data.Path,
                SequenceLength = Data.SequenceLength,
                MaskDocuments = true,
            },
            Model = model,
            InitFrom = initFrom is null
                ? null
                : new InitFromConfig { Path = initFrom, IgnoreKeys = InitFrom.IgnoreKeys },
            Optimizer = Optimizer,
            Schedule = Schedule,
            Training = Training.ToTraining(rows) with
            {
                // A copy of the weights for a background thread would be most of what adapters save.
                CheckpointInBackground = Lora is null,
            },
            Precision = Precision,
            AllowTf32 = AllowTf32,
            Kernels = Kernels,
            Products = Products,
            Threads = Threads,
            Device = Device,
        };
        string[] problems =
        [
            .. ((IValidated)run).Validate().Select(problem => $"{problem.Key} {problem.Message}".Trim()),
        ];
        if (problems.Length == 0)
        {
            return run;
        }

        throw new ConfigurationException(problems);
    }
}

/// <summary>The model that a fine-tuning run starts from.</summary>
[ShortForm("path")]
internal sealed record FineTuneStartConfig
{
    /// <summary>A run folder (its newest good checkpoint), a checkpoint folder or a Hugging Face folder.</summary>
    [MinLength(1)]
    [NamesInput]
    public required string Path { get; init; }

    /// <summary>Keys of the model's config.json that need not be understood, those inside others with dots; null for none. They are recorded with the run.</summary>
    [DoesNotAlterNumbers]
    public IReadOnlyList<string>? IgnoreKeys { get; init; }
}
