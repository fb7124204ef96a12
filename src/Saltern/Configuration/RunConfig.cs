using System.ComponentModel.DataAnnotations;
using Saltern.Data;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Teachers;
using Saltern.Training;

namespace Saltern.Configuration;

/// <summary>Where a run computes.</summary>
public enum ComputeDevice
{
    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>The first CUDA device; not built yet.</summary>
    Cuda,
}

/// <summary>A whole run as one tree: what <c>saltern train</c> reads from a recipe.</summary>
public sealed record RunConfig : IValidated
{
    /// <summary>Name of the run; its folder is <c>runs/&lt;name&gt;</c> unless told otherwise.</summary>
    [MinLength(1)]
    [DoesNotAlterNumbers]
    public required string Name { get; init; }

    /// <summary>Decides initial weights and order of samples.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What is read.</summary>
    public required DataConfig Data { get; init; }

    /// <summary>Shape of the model that is trained, the student.</summary>
    public required TransformerConfig Model { get; init; }

    /// <summary>The small model; null for training without one.</summary>
    public TeacherConfig? Teacher { get; init; }

    /// <summary>The two stages; null for plain next-token training (BASELINE).</summary>
    public DistillationConfig? Distillation { get; init; }

    /// <summary>Update rule.</summary>
    public OptimizerConfig Optimizer { get; init; } = new();

    /// <summary>Learning rate over the steps.</summary>
    public ScheduleConfig Schedule { get; init; } = new();

    /// <summary>Length of the run, and what happens along it.</summary>
    public required TrainingConfig Training { get; init; }

    /// <summary>Model whose weights the run starts from; null for fresh ones.</summary>
    public string? InitFrom { get; init; }

    /// <summary>Threads to compute with; null takes all cores.</summary>
    [Range(1, 4_096)]
    [DoesNotAlterNumbers]
    public int? Threads { get; init; }

    /// <summary>Where to compute.</summary>
    [DoesNotAlterNumbers]
    public ComputeDevice Device { get; init; }

    /// <summary>Whether the run distils at all.</summary>
    public bool Distils => Distillation is { Weight: > 0 };

    /// <summary>Name of the method: <c>baseline</c>, <c>rkd</c> or <c>salt</c>.</summary>
    public string Arm => !Distils ? "baseline" : Distillation!.Transition == TransitionKind.Constant ? "rkd" : "salt";

    /// <inheritdoc/>
    public IEnumerable<ConfigurationProblem> Validate()
    {
        if (Distils && Teacher is null)
        {
            yield return new ConfigurationProblem("teacher", "is missing, but distillation.weight is above 0. Name a teacher, or remove the section distillation.");
        }

        if (Teacher is not null && Distillation is null)
        {
            yield return new ConfigurationProblem("distillation", "is missing, so the teacher would be ignored. Add the section, or remove the section teacher.");
        }

        foreach (string problem in ScheduleProblems())
        {
            yield return new ConfigurationProblem("", problem);
        }
    }

    // What only the number of steps decides: windows and warm-up that do not fit into the run.
    private List<string> ScheduleProblems()
    {
        var problems = new List<string>();
        Collect(problems, () => _ = new LearningRateSchedule(Schedule, Optimizer.LearningRate, Training.Steps));

        // A section that contradicts itself has said so already.
        if (Distils && !Distillation!.Validate().Any())
        {
            Collect(problems, () => _ = Transition.Create(Distillation, Training.Steps, Schedule.WarmupSteps, 1));
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
