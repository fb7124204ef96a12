using System.ComponentModel.DataAnnotations;
using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Evaluation;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Selection;

namespace Saltern.Runs;

/// <summary>Where a run computes.</summary>
public enum ComputeDevice
{
    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>The first CUDA device; needs libtorch for CUDA (docs/cuda.md).</summary>
    Cuda,
}

/// <summary>Who computes what lies between the products.</summary>
public enum KernelChoice
{
    /// <summary>Saltern's own kernels where they work (the CPU; bfloat16 where the processor has its instructions), libtorch's operations elsewhere.</summary>
    Fused,

    /// <summary>libtorch's operations everywhere: the plain twin, equal to rounding and slower.</summary>
    Plain,
}

/// <summary>Library for large float32 products on the CPU.</summary>
public enum ProductChoice
{
    /// <summary>The faster one, measured at the start of a run and kept for its life.</summary>
    Fastest,

    /// <summary>libtorch's BLAS (MKL).</summary>
    Blas,

    /// <summary>oneDNN; needs AVX-512.</summary>
    Onednn,
}

/// <summary>A whole run as one tree: what <c>saltern train</c> reads from a recipe.</summary>
/// <remarks>A key is the property's name in snake case: <c>training.batch_sequences</c> is <see cref="TrainingConfig.BatchSequences"/>.</remarks>
public sealed record RunConfig : IValidated, IRunRecipe
{
    /// <summary>Name of the run; its folder is <c>runs/&lt;name&gt;</c> unless told otherwise.</summary>
    [MinLength(1)]
    [DoesNotAlterNumbers]
    public required string Name { get; init; }

    /// <summary>Decides initial weights and order of samples.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What is read.</summary>
    public required DataConfig Data { get; init; }

    /// <summary>Mix of causal, prefix and span training; null for causal alone.</summary>
    public ObjectiveConfig? Objective { get; init; }

    /// <summary>Shape of the model that is trained, the student.</summary>
    public required TransformerConfig Model { get; init; }

    /// <summary>The small model; null for training without one.</summary>
    public TeacherConfig? Teacher { get; init; }

    /// <summary>The two stages; null for none.</summary>
    public DistillationConfig? Distillation { get; init; }

    /// <summary>Hidden-state alignment instead of soft labels, for a teacher with any tokenizer; null for none.</summary>
    public AlignmentConfig? Alignment { get; init; }

    /// <summary>Selected samples for stage 1; null for all.</summary>
    public SelectionConfig? Selection { get; init; }

    /// <summary>Update rule.</summary>
    public OptimizerConfig Optimizer { get; init; } = new();

    /// <summary>Learning rate over the steps.</summary>
    public ScheduleConfig Schedule { get; init; } = new();

    /// <summary>Average of the weights over the last steps, beside them; null for none.</summary>
    public AveragingConfig? Averaging { get; init; }

    /// <summary>Length of the run, and what happens along it.</summary>
    public required TrainingConfig Training { get; init; }

    /// <summary>What else is measured along the run; null for loss and accuracy alone.</summary>
    [DoesNotAlterNumbers]
    public EvaluationConfig? Evaluation { get; init; }

    /// <summary>Model that the run starts from, as it is or grown; null for fresh weights.</summary>
    public InitFromConfig? InitFrom { get; init; }

    /// <summary>First parts of the run in which the model is smaller, in order; null for a model that does not grow.</summary>
    public IReadOnlyList<GrowthStageConfig>? Growth { get; init; }

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

    /// <summary>Whether the run learns from soft labels.</summary>
    public bool Distils => Distillation is { Weight: > 0 };

    /// <summary>Tokens of one optimizer step of the whole model (the global batch), those that do not count included.</summary>
    internal long BatchTokens => (long)Training.BatchSequences * Data.SequenceLength;

    /// <summary>The stages of the run.</summary>
    /// <param name="vocabulary">Ids of the tokenizer.</param>
    /// <exception cref="ConfigurationException">The stages do not fit together.</exception>
    internal GrowthPlan PlanStages(int vocabulary)
    {
        var plan = GrowthPlan.Of(
            Growth,
            Model.Resolve(vocabulary, Data.SequenceLength),
            Training.Steps,
            Training.BatchSequences,
            Data.SequenceLength
        );
        plan = plan.WithBatches([
            .. (Training.BatchWarmup ?? []).Select(part => (part.Until.Resolve(Training.Steps), part.BatchSequences)),
        ]);
        if (Model.InitializerRange != 0)
        {
            return plan;
        }

        // It follows from the width, and a stage's may be another.
        TransformerConfig Derived(TransformerConfig model) =>
            (model with { InitializerRange = 0 }).Resolve(vocabulary, Data.SequenceLength);
        return new GrowthPlan([.. plan.Stages.Select(stage => stage with { Model = Derived(stage.Model) })]);
    }

    /// <summary>A recipe of one stage alone, from fresh weights: to time its steps.</summary>
    internal RunConfig OfStage(GrowthStage stage)
    {
        if (Growth is not { Count: > 0 })
        {
            return this with { Training = Training with { BatchWarmup = null, BatchSequences = stage.BatchSequences } };
        }

        return this with
        {
            Model = stage.Model,
            Growth = null,
            InitFrom = null,
            Training = Training with { BatchWarmup = null, BatchSequences = stage.BatchSequences },
        };
    }

    /// <summary>The learning rate over the steps of a plan.</summary>
    /// <exception cref="ConfigurationException">Warm-up and decay do not fit into the run.</exception>
    internal LearningRateSchedule RateSchedule(GrowthPlan plan) =>
        new(
            Schedule,
            Optimizer.LearningRate,
            Training.Steps,
            [
                .. plan.Growing.Select(stage => new RateBreak(
                    stage.LastStep,
                    stage.Growth!.WarmupSteps,
                    stage.Growth.RestartSchedule
                )),
            ]
        );

    /// <summary>What changes from update to update over the steps of a plan.</summary>
    /// <exception cref="ConfigurationException">Warm-up and decay do not fit into the run, or weights would be averaged over a growth.</exception>
    internal UpdateSchedule UpdateSchedule(GrowthPlan plan)
    {
        int lastGrowth = plan.Growing.LastOrDefault()?.LastStep ?? 0;
        if (Averaging?.FirstStep(Training.Steps) is int first && first <= lastGrowth)
        {
            throw new ConfigurationException(
                $"averaging.last = {Averaging.Last} begins with step {first}, before the model's last growth after step {lastGrowth}: "
                    + "weights of two shapes have no average. Let it begin later."
            );
        }

        return new UpdateSchedule(RateSchedule(plan), Optimizer, Schedule, Training.Steps);
    }

    /// <summary>Name of the method: <c>baseline</c>, <c>rkd</c>, <c>salt</c> or <c>aligned</c>; on selected data <c>selected</c> (without a teacher) or <c>salt_ds</c>. Of a model that grows <c>grown</c>, or
    /// <c>grown+salt</c> and so on.</summary>
    internal string Arm
    {
        get
        {
            if (Growth is not { Count: > 0 } && InitFrom?.Grow is null)
            {
                return ArmOfGuidance;
            }

            return ArmOfGuidance == "baseline" ? "grown" : $"grown+{ArmOfGuidance}";
        }
    }

    private string ArmOfGuidance
    {
        get
        {
            // Active: named, with a weight above 0.
            if (GuidanceKinds.Active(this) is GuidanceKind kind)
            {
                return kind.ArmOf(this);
            }

            return Selection is null ? "baseline" : "selected";
        }
    }

    /// <inheritdoc/>
    string? IRunRecipe.FixedBecause(string key, IRunRecipe now, int doneSteps) =>
        key switch
        {
            "training.steps" when now is RunConfig other => RunExtension.Problem(this, other, doneSteps),
            _ when key.StartsWith("init_from.", StringComparison.Ordinal)
                    && doneSteps > 0
                    && key is not ("init_from.path" or "init_from.step") =>
                "what the run started from is done, so it may not change on resume. Start a new run.",
            _ when key.StartsWith("growth", StringComparison.Ordinal) =>
                "the model's shape along the run follows from it, so it may not change on resume. "
                    + "Start a new run, with init_from.grow to grow what there is.",
            _ when Distillation?.Transition == TransitionKind.Auto
                    && key.StartsWith("distillation.", StringComparison.Ordinal) =>
                "the constants of 'auto' may not change on resume.",
            _ => null,
        };

    /// <summary>Whether a recipe file is one of fine-tuning, which names a model to start from and describes none.</summary>
    internal static bool IsOfFineTuning(string path)
    {
        IReadOnlyDictionary<string, string> keys = RecipeKeys.Flatten(RecipeFile.Read(path));
        return (keys.ContainsKey("init_from") || keys.ContainsKey("init_from.path"))
            && !keys.Keys.Any(key => key.StartsWith("model.", StringComparison.Ordinal));
    }

    /// <summary>What this processor cannot do of a choice.</summary>
    internal static IEnumerable<ConfigurationProblem> ProductProblems(ProductChoice products)
    {
        if (products == ProductChoice.Onednn && !MatrixProduct.OneDnnIsThere)
        {
            yield return new ConfigurationProblem(
                "products",
                "= onednn needs a processor with AVX-512 (BW, DQ, VL), which this one is not. Use 'fastest' or 'blas'."
            );
        }
    }

    /// <summary>TF32 where it would be ignored: a processor has no such products.</summary>
    internal static IEnumerable<ConfigurationProblem> Tf32Problems(bool allowed, ComputeDevice device)
    {
        if (allowed && device != ComputeDevice.Cuda)
        {
            yield return new ConfigurationProblem(
                "allow_tf32",
                "= true is for 'device: cuda': a processor has no TF32 products. Remove it, or train on a GPU."
            );
        }
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        foreach (ConfigurationProblem problem in GuidanceKinds.Problems(this))
        {
            yield return problem;
        }

        if (Teacher is not null && GuidanceKinds.Named(this) is null)
        {
            yield return new ConfigurationProblem(
                "distillation",
                "is missing, so the teacher would be ignored. "
                    + "Add the section (or alignment, for a teacher with another tokenizer), "
                    + "or remove the section teacher."
            );
        }

        foreach (ConfigurationProblem problem in ProductProblems(Products))
        {
            yield return problem;
        }

        foreach (ConfigurationProblem problem in Tf32Problems(AllowTf32, Device))
        {
            yield return problem;
        }

        if (Selection is { Until: not null } && Distils)
        {
            yield return new ConfigurationProblem(
                "selection.until",
                "is not used with distillation: selected samples are drawn as long as ω is above 0. Remove it."
            );
        }

        if (Selection is { Until: null } && !Distils)
        {
            yield return new ConfigurationProblem(
                "selection.until",
                "is missing. "
                    + "Without distillation it says how long selected samples are drawn, "
                    + "as a share of the run (0.25) or a step (250)."
            );
        }

        foreach (
            GrowthStageConfig stage in (Growth ?? []).Where(stage =>
                stage.BatchSequences % Training.MicroBatchSequences is not (null or 0)
            )
        )
        {
            yield return new ConfigurationProblem(
                "growth",
                $"has a stage of batch_sequences = {stage.BatchSequences}, "
                    + $"which training.micro_batch_sequences = {Training.MicroBatchSequences} does not divide."
            );
        }

        if (Training.BatchWarmup is { Count: > 0 })
        {
            if ((Teacher?.Cache ?? Selection?.Path) is not null)
            {
                yield return new ConfigurationProblem(
                    "training.batch_warmup",
                    "does not go with teacher.cache or selection: both know their samples by the run's one batch size. Remove one of them."
                );
            }

            if (Growth?.Any(stage => stage.BatchSequences is not null || stage.UntilFlops is not null) == true)
            {
                yield return new ConfigurationProblem(
                    "training.batch_warmup",
                    "does not go with a batch_sequences or an until_flops of a stage of growth: one section says how the batch grows. "
                        + "Let the stages end by 'until', and leave their batches out."
                );
            }
        }

        if (Growth is { Count: > 0 } stages)
        {
            if (
                stages.Any(stage => stage.BatchSequences is not null) && (Teacher?.Cache ?? Selection?.Path) is not null
            )
            {
                yield return new ConfigurationProblem(
                    "growth",
                    "has a stage with a batch_sequences of its own, which does not go with teacher.cache or selection: "
                        + "both know their samples by the run's one batch size. Leave it out."
                );
            }

            if (Alignment is { Weight: > 0 })
            {
                yield return new ConfigurationProblem(
                    "growth",
                    "does not go with alignment, which learns a projection of the student's width along the run. "
                        + "Grow first (saltern grow, or init_from.grow), then align."
                );
            }
        }

        if (InitFrom is { ContinueData: true } && (Teacher?.Cache ?? Selection?.Path) is not null)
        {
            yield return new ConfigurationProblem(
                "init_from.continue_data",
                "does not go with teacher.cache or selection: both know their samples from the beginning of a run. Remove one of them."
            );
        }

        if (InitFrom is { Optimizer: not OptimizerTransfer.Fresh } && Alignment is { Weight: > 0 })
        {
            yield return new ConfigurationProblem(
                "init_from.optimizer",
                "must be fresh with alignment, whose projection begins with the run."
            );
        }

        bool hasShape = Model.Preset is null || ModelPresets.Names.Contains(Model.Preset);
        if (Optimizer.Head is not null && hasShape && Model.Resolve(1, 1).IsTied)
        {
            yield return new ConfigurationProblem(
                "optimizer.head",
                "is not used with tied embeddings (model.tie_word_embeddings), where the head is the embedding's matrix. "
                    + "Say it in optimizer.embedding."
            );
        }

        if (Averaging?.Last.Resolve(Training.Steps) is int averaged && (averaged < 1 || averaged > Training.Steps))
        {
            yield return new ConfigurationProblem(
                "averaging.last",
                $"= {Averaging.Last} is {averaged} of {Training.Steps} steps. Give from 1 step to all of them, or remove the section."
            );
        }

        if (Optimizer.Gradients == OptimizerGradients.Released)
        {
            if (
                Training.MicroBatch != Training.BatchSequences
                || Training.BatchWarmup is not null
                || Growth is { Count: > 0 }
            )
            {
                yield return new ConfigurationProblem(
                    "optimizer.gradients",
                    "= released updates each layer in the one backward pass of a step, so gradients cannot be added up over micro-batches: "
                        + "it does not go with training.micro_batch_sequences below the batch, batch_warmup or growth. Remove one of them."
                );
            }

            if (Kernels != KernelChoice.Fused || Device != ComputeDevice.Cpu)
            {
                yield return new ConfigurationProblem(
                    "optimizer.gradients",
                    "= released needs 'kernels: fused' and 'device: cpu'. Name them, or remove it."
                );
            }
        }

        if (Optimizer.Weights != OptimizerWeightType.Full)
        {
            foreach (ConfigurationProblem problem in PackedWeightProblems())
            {
                yield return problem;
            }
        }

        foreach (string problem in ScheduleProblems())
        {
            yield return new ConfigurationProblem("", problem);
        }
    }

    // Packed weights are read by the bfloat16 passes of own kernels, and by nothing else that changes them.
    private IEnumerable<ConfigurationProblem> PackedWeightProblems()
    {
        const string Key = "optimizer.weights";
        if (Precision != ComputePrecision.Bf16 || Kernels != KernelChoice.Fused || Device != ComputeDevice.Cpu)
        {
            yield return new ConfigurationProblem(
                Key,
                "packs weights that bfloat16 products of own kernels read: it needs 'precision: bf16', 'kernels: fused' and 'device: cpu'. "
                    + "Name them, or remove it."
            );
        }

        if (Averaging is not null)
        {
            yield return new ConfigurationProblem(
                Key,
                "does not go with averaging, which keeps a float32 copy. Remove one of them."
            );
        }

        if (Growth is { Count: > 0 })
        {
            yield return new ConfigurationProblem(
                Key,
                "does not go with growth in the run. Grow first (saltern grow), or remove it."
            );
        }
    }

    // What only the number of steps decides: windows and warm-up that do not fit into the run.
    private List<string> ScheduleProblems()
    {
        var problems = new List<string>();
        if (Growth is not { Count: > 0 })
        {
            // Where the model grows only its vocabulary tells: RunParts.Open.
            Collect(
                problems,
                () =>
                    _ = new UpdateSchedule(
                        new LearningRateSchedule(Schedule, Optimizer.LearningRate, Training.Steps),
                        Optimizer,
                        Schedule,
                        Training.Steps
                    )
            );
        }

        // A section that contradicts itself has said so already.
        foreach (GuidanceKind kind in GuidanceKinds.All.Where(kind => kind.IsActive(this)))
        {
            if (kind.SectionOf(this)?.Validate().Any() == false)
            {
                Collect(problems, () => _ = kind.CreateTransition(this, domainCount: 1));
            }
        }

        return problems;
    }

    private static void Collect(List<string> problems, Action check)
    {
        try
        {
            check();
        }
        catch (ConfigurationException e)
        {
            problems.AddRange(e.Problems);
        }
    }
}
