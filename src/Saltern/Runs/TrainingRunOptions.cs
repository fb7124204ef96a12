using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>What a run is given besides its recipe.</summary>
public sealed record TrainingRunOptions
{
    /// <summary>Whether to resume from the newest good checkpoint.</summary>
    public bool Resume { get; init; }

    /// <summary>What <c>--set</c> gave; these keys may differ from a resumed run's recipe.</summary>
    public IReadOnlyCollection<RecipeOverride> Overrides { get; init; } = [];

    /// <summary>Whether to read every file of the data whole and compare checksums, even where that was done at an earlier start.</summary>
    public bool VerifyData { get; init; }

    /// <summary>Told what a person should know: one line each.</summary>
    public Action<string> Log { get; init; } = _ => { };

    /// <summary>Told how far the loading of weights is: initial ones, a teacher's, a checkpoint's.</summary>
    internal IProgress<WeightProgress>? Loading { get; init; }

    /// <summary>Takes the metrics beside the run folder's own files.</summary>
    public IReadOnlyList<IMetricsSink> Sinks { get; init; } = [];

    /// <summary>Told of every step.</summary>
    public Action<StepReport>? OnStep { get; init; }

    /// <summary>Makes a transition of the caller's own in place of the recipe's; null for the recipe's. A resumed run has to be given the same.</summary>
    /// <remarks>The recipe needs a section <c>distillation</c> all the same: for gates, for what a run says of itself, and for how far a cache of soft labels has to reach.</remarks>
    public Func<TransitionContext, Transition>? Transition { get; init; }

    /// <summary>Puts a teacher of the caller's own around the recipe's, which it takes over; null for the recipe's. A resumed run has to be given the same.</summary>
    /// <remarks>The recipe needs <c>teacher</c> and <c>distillation</c> all the same: its small model is checked, recorded and charged. Not called any more once stage 1 is over.</remarks>
    public Func<Teacher, Teacher>? Teacher { get; init; }

    /// <summary>Threads where neither recipe nor resumed run says; null takes all cores.</summary>
    public int? DefaultThreads { get; init; }

    /// <summary>Speed of matrix products, FLOP/s; null measures it at the start.</summary>
    public double? MatmulPeak { get; init; }

    /// <summary>The ranks that train together, each with the same recipe and folder; owned by the caller. Rank 0 alone writes.</summary>
    internal ICommunicator Ranks { get; init; } = new SingleProcess();

    /// <summary>Names of runs that advance in turns with this one in one process.</summary>
    public IReadOnlyList<string> InterleavedWith { get; init; } = [];
}

/// <summary>Why <see cref="TrainingRun.Continue"/> came back.</summary>
public enum RunStatus
{
    /// <summary>The step asked for is done.</summary>
    Reached,

    /// <summary>Cancelled between two steps; a checkpoint is written.</summary>
    Interrupted,
}
