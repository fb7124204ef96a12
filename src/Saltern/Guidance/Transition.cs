using System.Text.Json.Serialization;

namespace Saltern.Guidance;

/// <summary>ω of each step: how much weight the teacher has, from the first step to its last.</summary>
/// <remarks>Per step: <see cref="Next"/> before the forward pass, <see cref="Observe"/> after it.</remarks>
public abstract class Transition
{
    // Of one's own: StepwiseTransition.
    private protected Transition() { }

    /// <summary>ω_j of a step; steps are asked for in order, once each.</summary>
    /// <param name="step">j, from 1.</param>
    /// <param name="learningRate">η_j.</param>
    /// <returns>ω by domain; all zero where the teacher does not run.</returns>
    internal abstract StageWeights Next(int step, double learningRate);

    /// <summary>Takes note of how far the student was behind the teacher in the step just made.</summary>
    /// <param name="gapByDomain">Σ over counted positions of student NLL − reference, and the number of positions, per domain; positions without a teacher left out.</param>
    internal abstract void Observe(IReadOnlyList<(double Sum, long Count)> gapByDomain);

    /// <summary>γ_j, the smoothed gap over all domains, nats; NaN before the first observation.</summary>
    public abstract double Gap { get; }

    /// <summary>Why stage 1 ended, in the log and in <c>result.json</c>.</summary>
    public virtual string EndReason => "schedule";

    /// <summary>Everything that a resumed run needs to continue bit for bit.</summary>
    internal abstract TransitionState Save();

    /// <summary>Resumes from a saved state.</summary>
    internal abstract void Restore(TransitionState state);

    /// <summary>The last step in which ω can be above 0: what stage 1 reads at most.</summary>
    internal static int LastTeacherStep(DistillationConfig config, int totalSteps)
    {
        if (config.Transition == TransitionKind.Auto)
        {
            return config.Maximum.Resolve(totalSteps) - 1;
        }

        return config.Schedule.LastStep(totalSteps);
    }

    /// <summary>The transition that a configuration describes.</summary>
    /// <param name="warmupSteps">End of the learning rate's warm-up, steps.</param>
    /// <param name="domainCount">Domains of the data.</param>
    /// <param name="startsTrained">Whether the student starts from a trained model.</param>
    internal static Transition Create(
        DistillationConfig config,
        int totalSteps,
        int warmupSteps,
        int domainCount,
        bool startsTrained = false
    )
    {
        if (config.Transition == TransitionKind.Auto)
        {
            return new AutoTransition(config, totalSteps, warmupSteps, domainCount, startsTrained);
        }

        return new ScheduledTransition(config, totalSteps, domainCount);
    }
}

/// <summary>What a transition of one's own may want to know of the run.</summary>
/// <param name="Distillation">The recipe's section; validated.</param>
/// <param name="Steps">J.</param>
/// <param name="WarmupSteps">End of the learning rate's warm-up, steps.</param>
/// <param name="Domains">Number of domains of the data.</param>
public sealed record TransitionContext(DistillationConfig Distillation, int Steps, int WarmupSteps, int Domains);

/// <summary>ω of one step.</summary>
/// <param name="Global">ω_j over all domains.</param>
/// <param name="ByDomain">ω_j of each domain; the same everywhere unless <c>auto</c> runs per domain.</param>
public sealed record StageWeights(double Global, IReadOnlyList<double> ByDomain)
{
    /// <summary>Whether any domain still learns from the teacher in this step.</summary>
    public bool TeacherRuns => ByDomain.Any(weight => weight > 0);
}

/// <summary>State of a transition in a checkpoint.</summary>
/// <param name="Tracks">The overall track first, then one per domain where each has its own.</param>
internal sealed record TransitionState(IReadOnlyList<GapTrackState> Tracks);

/// <summary>State of one smoothed gap.</summary>
/// <param name="Sum">S_d, smoothed sum of differences, nats.</param>
/// <param name="Count">S_n, smoothed number of positions.</param>
/// <param name="AnchorGap">γ_a; null before the anchor.</param>
/// <param name="Ratio">r, the ratio ω/(1 − ω) of the last step.</param>
/// <param name="MaximumLearningRate">Highest η so far.</param>
/// <param name="LastStep">Last step with the teacher; null while it runs.</param>
/// <param name="EndReason"><c>gap</c>, <c>no gap</c> or <c>maximum</c>; null while the teacher runs.</param>
/// <param name="Seen">Positions that were seen so far.</param>
/// <param name="FollowsGlobal">Whether too little was seen of this domain, so that it goes by the overall track.</param>
internal sealed record GapTrackState(
    double Sum,
    double Count,
    double? AnchorGap,
    double Ratio,
    double MaximumLearningRate,
    int? LastStep,
    string? EndReason,
    bool FollowsGlobal,
    long Seen = 0
)
{
    /// <summary>Older states name the first step without the teacher; never written.</summary>
    [JsonInclude]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    internal int? EndStep
    {
        get => null;
        init
        {
            if (value is int firstWithout)
            {
                LastStep = firstWithout - 1;
            }
        }
    }
}
