using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;
using Saltern.Losses;

namespace Saltern.Guidance;

/// <summary>How ω falls from its first value to 0; formulas in <see cref="ScheduledTransition"/> and <see cref="AutoTransition"/>.</summary>
public enum TransitionKind
{
    /// <summary>ω₀ up to <c>start</c>, 0 after.</summary>
    Step,

    /// <summary>ω falls linearly from <c>start</c> to <c>end</c>.</summary>
    Linear,

    /// <summary>The ratio ω/(1 − ω) falls linearly from <c>start</c> to <c>end</c>.</summary>
    LinearRatio,

    /// <summary>Half a cosine from <c>start</c> to <c>end</c>.</summary>
    Cosine,

    /// <summary>ω follows how much closer the teacher still is to the data, and ends stage 1 by itself.</summary>
    Auto,

    /// <summary>ω₀ throughout: RKD, distillation to the end.</summary>
    Constant,
}

/// <summary>The two stages: how much weight the teacher's soft labels have, and when they go.</summary>
public sealed record DistillationConfig : IValidated
{
    /// <summary>ω₀, weight of the teacher's term in stage 1, in [0, 1].</summary>
    [Range(0.0, 1.0)]
    [Advice("Use 0 to turn distillation off.")]
    public double Weight { get; init; } = 0.667;

    /// <summary>Shape of the way from ω₀ to 0.</summary>
    public TransitionKind Transition { get; init; } = TransitionKind.LinearRatio;

    /// <summary>n₁, last step with ω₀ (<c>step</c>: n_KD), a share of the run or a step; not used by <c>auto</c> and <c>constant</c>.</summary>
    public StepPoint? Start { get; init; }

    /// <summary>n₂, first step with ω = 0; only for <c>linear</c>, <c>linear_ratio</c> and <c>cosine</c>.</summary>
    public StepPoint? End { get; init; }

    /// <summary><c>auto</c>: step whose gap is the measure for later ones; not before the end of warm-up.</summary>
    public StepPoint Anchor { get; init; } = StepPoint.FromShare(0.10);

    /// <summary><c>auto</c>: share of the anchor's gap below which ω begins to fall.</summary>
    [Range(0.0, 1.0)]
    public double GapHigh { get; init; } = 0.4;

    /// <summary><c>auto</c>: share of the anchor's gap at which the teacher is no longer useful.</summary>
    [Range(0.0, 1.0)]
    public double GapLow { get; init; } = 0.1;

    /// <summary><c>auto</c>: stage 1 does not end because of a closed gap before this step.</summary>
    public StepPoint Minimum { get; init; } = StepPoint.FromShare(0.02);

    /// <summary><c>auto</c>: stage 1 ends here at the latest.</summary>
    public StepPoint Maximum { get; init; } = StepPoint.FromShare(0.50);

    /// <summary><c>auto</c> with <c>schedule.kind: wsd</c>: whether stage 1 ends at the latest with the last step before the learning rate's decay, whatever <see cref="Maximum"/> says.</summary>
    public bool EndBeforeDecay { get; init; }

    /// <summary>Time constant of the smoothed gap, share of the run.</summary>
    [Range(0.0, 1.0)]
    public double Smoothing { get; init; } = 0.01;

    /// <summary><c>auto</c>: stage 1 ends when ω falls to this.</summary>
    [Range(0.0, 1.0)]
    public double EndWeight { get; init; } = 0.05;

    /// <summary><c>auto</c>: whether ω/(1 − ω) falls with the learning rate.</summary>
    public bool FollowLearningRate { get; init; } = true;

    /// <summary><c>auto</c>: whether each domain has a gap, and an end, of its own.</summary>
    public bool PerDomain { get; init; }

    /// <summary>Which positions learn from the teacher.</summary>
    public GateKind Gate { get; init; }

    /// <summary>Threshold of <c>top_probability</c> and <c>observed</c> (probability) or <c>entropy</c> (nats).</summary>
    [Range(0.0, 100.0)]
    public double? GateThreshold { get; init; }

    /// <summary>Factors for easy, medium and hard positions (<c>bucket</c>), each in [0, 1].</summary>
    public IReadOnlyList<double>? GateBuckets { get; init; }

    /// <summary>Bounds between easy and medium, medium and hard (<c>bucket</c>): teacher's loss in nats, ascending; null takes those of the teacher's cache.</summary>
    public IReadOnlyList<double>? GateBucketBounds { get; init; }

    /// <summary>Factor per domain (<c>domain</c>), each in [0, 1]; a domain not named has 1.</summary>
    public IReadOnlyDictionary<string, double>? GateDomains { get; init; }

    /// <summary>Whether the gated weights are scaled up so that their mean stays near ω, each at most 0.95.</summary>
    public bool Renormalise { get; init; }

    /// <summary>ω over the steps, but for <c>auto</c>, which finds its own.</summary>
    internal WeightSchedule Schedule => new("distillation", Transition, Weight, Start, End);

    /// <summary>This section for a run whose learning rate decays from a step on: with the maximum that it then has.</summary>
    /// <param name="firstDecayStep">First step of the decay phase; null where there is none.</param>
    /// <param name="totalSteps">J.</param>
    internal DistillationConfig ForDecay(int? firstDecayStep, int totalSteps)
    {
        if (!EndBeforeDecay || firstDecayStep is not int first || Maximum.Resolve(totalSteps) <= first)
        {
            return this;
        }

        return this with
        {
            Maximum = StepPoint.FromSteps(first),
        };
    }

    /// <summary>The gate that this configuration describes.</summary>
    /// <param name="bounds">Bounds of the buckets, nats, where the configuration has none; those of the teacher pass.</param>
    internal Losses.Gate CreateGate(IReadOnlyList<double>? bounds = null) =>
        new(Gate, GateThreshold ?? 0, GateBuckets ?? [], GateBucketBounds ?? bounds ?? []);

    /// <summary>Whether the teacher may be the very weights that the student started from or grew out of. Such a student is that teacher already, and ended worse for its labels (docs/growth.md).</summary>
    [DoesNotAlterNumbers]
    public bool FromOwnOrigin { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        foreach (ConfigurationProblem problem in Schedule.Validate())
        {
            yield return problem;
        }

        if (Transition is TransitionKind.Auto or TransitionKind.LinearRatio && Weight >= 1.0)
        {
            yield return new ConfigurationProblem(
                "weight",
                $"= 1 has no finite ratio ω/(1 − ω), which the transition '{Schedule.KindName}' lowers. "
                    + "Use a weight below 1, or another transition."
            );
        }

        if (GapLow >= GapHigh)
        {
            yield return new ConfigurationProblem("gap_low", $"= {GapLow} is not below gap_high = {GapHigh}.");
        }

        if (Transition != TransitionKind.Auto)
        {
            foreach (string key in AutoKeysThatWereChanged())
            {
                yield return new ConfigurationProblem(
                    key,
                    $"is used by the transition 'auto' only, not by '{Schedule.KindName}'. Remove it."
                );
            }
        }

        foreach (ConfigurationProblem problem in ValidateGate())
        {
            yield return problem;
        }
    }

    private IEnumerable<string> AutoKeysThatWereChanged()
    {
        var defaults = new DistillationConfig();
        (string Key, bool Changed)[] keys =
        [
            ("anchor", Anchor != defaults.Anchor),
            ("gap_high", GapHigh != defaults.GapHigh),
            ("gap_low", GapLow != defaults.GapLow),
            ("minimum", Minimum != defaults.Minimum),
            ("maximum", Maximum != defaults.Maximum),
            ("end_before_decay", EndBeforeDecay),
            ("end_weight", EndWeight != defaults.EndWeight),
            ("follow_learning_rate", FollowLearningRate != defaults.FollowLearningRate),
            ("per_domain", PerDomain != defaults.PerDomain),
        ];
        return keys.Where(key => key.Changed).Select(key => key.Key);
    }

    private IEnumerable<ConfigurationProblem> ValidateGate()
    {
        if (Renormalise && Gate == GateKind.None)
        {
            yield return new ConfigurationProblem(
                "renormalise",
                "has nothing to scale without a gate. Remove it, or name a gate."
            );
        }

        if (Gate is GateKind.TopProbability or GateKind.Observed && GateThreshold > 1)
        {
            yield return new ConfigurationProblem(
                "gate_threshold",
                $"= {GateThreshold} is a probability for this gate, so it must be in (0, 1]."
            );
        }

        bool threshold = Gate is GateKind.TopProbability or GateKind.Entropy or GateKind.Observed;
        if (threshold && GateThreshold is null or 0.0)
        {
            yield return new ConfigurationProblem(
                "gate_threshold",
                "is missing or 0. Give a probability (top_probability, observed) or nats (entropy)."
            );
        }

        if (!threshold && GateThreshold is not null)
        {
            yield return new ConfigurationProblem("gate_threshold", "is not used by this gate. Remove it.");
        }

        if (Gate == GateKind.Bucket)
        {
            if (GateBuckets is not { Count: 3 } factors || factors.Any(h => h is < 0 or > 1))
            {
                yield return new ConfigurationProblem(
                    "gate_buckets",
                    "must be three factors in [0, 1], for easy, medium and hard positions."
                );
            }

            if (GateBucketBounds is { } bounds && (bounds.Count != 2 || !(bounds[0] <= bounds[1])))
            {
                yield return new ConfigurationProblem(
                    "gate_bucket_bounds",
                    "must be two ascending bounds of the teacher's loss, in nats."
                );
            }
        }
        else if (GateBuckets is not null || GateBucketBounds is not null)
        {
            yield return new ConfigurationProblem(
                "gate_buckets",
                "and gate_bucket_bounds are used by 'gate: bucket' only. Remove them."
            );
        }

        if (Gate == GateKind.Domain)
        {
            if (GateDomains is not { Count: > 0 } factors || factors.Values.Any(h => h is < 0 or > 1))
            {
                yield return new ConfigurationProblem(
                    "gate_domains",
                    "must give at least one domain a factor in [0, 1]."
                );
            }
        }
        else if (GateDomains is not null)
        {
            yield return new ConfigurationProblem("gate_domains", "is used by 'gate: domain' only. Remove it.");
        }
    }
}
