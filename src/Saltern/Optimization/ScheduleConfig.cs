using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Optimization;

/// <summary>Shape of the learning rate after warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine down to the final share at the last step.</summary>
    Cosine,

    /// <summary>Warm-up, stable, decay: constant, then down to the final share over the last steps (arXiv:2404.06395), as <see cref="ScheduleConfig.DecayShape"/> says.</summary>
    Wsd,

    /// <summary>Constant after warm-up.</summary>
    Constant,
}

/// <summary>What is left of the way down after a share p of the decay.</summary>
public enum DecayShape
{
    /// <summary>1 − p.</summary>
    Linear,

    /// <summary>Half a cosine, (1 + cos πp)/2.</summary>
    Cosine,

    /// <summary>1 − √p: falls fast at first (arXiv:2405.18392).</summary>
    OneMinusSqrt,

    /// <summary>(1 − p) to <see cref="ScheduleConfig.DecayExponent"/>: above 1 it lands gently, below 1 it falls late.</summary>
    Power,
}

/// <summary>How the momentum rises at the beginning and falls at the end: Muon's μ, AdamW's β₁ (not that of groups with betas of their own), Adafactor's β₁. Between, it is the optimizer's.</summary>
public sealed record MomentumScheduleConfig : IValidated
{
    /// <summary>Momentum of the first step.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? Start { get; init; }

    /// <summary>Steps, or a share of the run, over which it rises linearly from <see cref="Start"/>; the step after them has the optimizer's.</summary>
    public StepPoint? Warmup { get; init; }

    /// <summary>Momentum of the last step.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? End { get; init; }

    /// <summary>Steps, or a share of the run, over which it falls linearly to <see cref="End"/>.</summary>
    public StepPoint? Cooldown { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Start is null != Warmup is null)
        {
            yield return new ConfigurationProblem(
                Start is null ? "start" : "warmup",
                "is missing: a warm-up of the momentum has both, e.g. start: 0.85, warmup: 300."
            );
        }

        if (End is null != Cooldown is null)
        {
            yield return new ConfigurationProblem(
                End is null ? "end" : "cooldown",
                "is missing: a cool-down of the momentum has both, e.g. end: 0.85, cooldown: 50."
            );
        }

        if (Start is null && Warmup is null && End is null && Cooldown is null)
        {
            yield return new ConfigurationProblem(
                "",
                "names nothing. Give start and warmup, or end and cooldown, or remove the section."
            );
        }
    }
}

/// <summary>How the learning rate runs over the steps.</summary>
public sealed record ScheduleConfig : IValidated
{
    /// <summary>Shape after warm-up.</summary>
    public ScheduleKind Kind { get; init; } = ScheduleKind.Cosine;

    /// <summary>Steps over which the rate rises linearly; the step after them has the full rate.</summary>
    [Range(0, int.MaxValue)]
    public int WarmupSteps { get; init; }

    /// <summary>Rate at the last step as a share of the highest.</summary>
    [Range(0.0, 1.0)]
    public double FinalShare { get; init; } = 0.1;

    /// <summary><c>wsd</c>: share of the run, or steps, that the final decay takes; null means 0.2.</summary>
    public StepPoint? Decay { get; init; }

    /// <summary><c>wsd</c>: shape of the decay; null means <c>linear</c>.</summary>
    public DecayShape? DecayShape { get; init; }

    /// <summary><c>wsd</c> with <c>decay_shape: power</c>: exponent of what is left of the decay.</summary>
    [Range(0.0, 100.0, MinimumIsExclusive = true)]
    public double? DecayExponent { get; init; }

    /// <summary>Momentum over the steps; null for the same at every step.</summary>
    public MomentumScheduleConfig? Momentum { get; init; }

    /// <summary>First step of the decay phase of a run that never restarts its schedule; null where there is none.</summary>
    /// <param name="totalSteps">J.</param>
    internal int? FirstDecayStep(int totalSteps)
    {
        int steps = DecaySteps(totalSteps);
        return steps > 0 ? totalSteps - steps + 1 : null;
    }

    /// <summary>Steps of the decay phase; 0 where there is none.</summary>
    /// <param name="totalSteps">Steps that the schedule runs over.</param>
    internal int DecaySteps(int totalSteps) =>
        Kind == ScheduleKind.Wsd ? (Decay ?? StepPoint.FromShare(0.2)).Resolve(totalSteps) : 0;

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        (string Key, bool Named)[] ofWsd =
        [
            ("decay", Decay is not null),
            ("decay_shape", DecayShape is not null),
            ("decay_exponent", DecayExponent is not null),
        ];
        foreach ((string key, _) in ofWsd.Where(key => key.Named && Kind != ScheduleKind.Wsd))
        {
            yield return new ConfigurationProblem(key, "is used by 'kind: wsd' only. Remove it.");
        }

        bool isPower = DecayShape == Saltern.Optimization.DecayShape.Power;
        if (Kind == ScheduleKind.Wsd && isPower && DecayExponent is null)
        {
            yield return new ConfigurationProblem(
                "decay_exponent",
                "is missing. Of 'decay_shape: power' it says what 1 − p is raised to, e.g. 1.2."
            );
        }

        if (Kind == ScheduleKind.Wsd && !isPower && DecayExponent is not null)
        {
            yield return new ConfigurationProblem("decay_exponent", "is used by 'decay_shape: power' only. Remove it.");
        }
    }
}
