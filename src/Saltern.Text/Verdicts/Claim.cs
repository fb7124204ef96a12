namespace Saltern.Verdicts;

/// <summary>What a claim is about.</summary>
internal enum ClaimMeasure
{
    /// <summary>Final loss minus the baseline's, nats.</summary>
    FinalLoss,

    /// <summary>Loss minus the baseline's at the same charged FLOPs, nats.</summary>
    EqualChargedFlops,

    /// <summary>Steps to the baseline's end, over its own.</summary>
    Steps,

    /// <summary>FLOPs to it, the small model free.</summary>
    Flops,

    /// <summary>FLOPs to it, everything charged.</summary>
    FlopsCharged,

    /// <summary>Time to it, the small model free.</summary>
    Time,

    /// <summary>Time to it, everything charged.</summary>
    TimeCharged,
}

/// <summary>What the rules allow to call a claim.</summary>
internal enum ClaimStanding
{
    /// <summary>Enough paired seeds, and p below the bound after the correction.</summary>
    Finding,

    /// <summary>Values, but not a finding.</summary>
    Reading,

    /// <summary>There is nothing to test: the baseline's end was not reached in every seed, or a cost is not known.</summary>
    Nothing,
}

/// <summary>One arm's effect by one measure, judged by the strict rules (docs/judging.md).</summary>
internal sealed record Claim
{
    /// <summary>Fewest paired seeds of a finding.</summary>
    public const int FewestSeeds = 5;

    /// <summary>Largest p of a finding, after the correction for the number of arms.</summary>
    public const double LargestP = 0.01;

    /// <summary>Probability with which <see cref="SmallestDetectable"/> would have been found.</summary>
    public const double Power = 0.8;

    /// <summary>The arm.</summary>
    public required string Arm { get; init; }

    /// <summary>What is claimed.</summary>
    public required ClaimMeasure Measure { get; init; }

    /// <summary>Paired seeds that the arm has.</summary>
    public required int Seeds { get; init; }

    /// <summary>Small models that helped them; null where an older program wrote the verdict.</summary>
    public int? SmallModels { get; init; }

    /// <summary>Validation documents whose choice is part of <see cref="StandardError"/>; null where it is not.</summary>
    public int? Documents { get; init; }

    /// <summary>What the whole runs cost over the whole baseline, everything charged.</summary>
    public WholeCost Whole { get; init; } = new(null, null);

    /// <summary>Mean over seeds with its 95 % interval, geometric for costs; null where there is nothing to test.</summary>
    public PairedInterval? Effect { get; init; }

    /// <summary>Two-sided p of Student's paired t test, on logarithms for costs; null with fewer than two seeds.</summary>
    public double? P { get; init; }

    /// <summary>Standard error of the mean that is tested, of logarithms for costs; null with fewer than two seeds.</summary>
    public double? StandardError { get; init; }

    /// <summary>Its degrees of freedom.</summary>
    public int DegreesOfFreedom { get; init; }

    /// <summary><see cref="P"/> after Holm's correction over the arms of the verdict.</summary>
    public double? AdjustedP { get; init; }

    /// <summary>Smallest true effect that so many seeds of this spread would have shown with <see cref="Power"/>: nats, or a cost ratio below 1; null with fewer than two seeds.</summary>
    public double? SmallestDetectable { get; init; }

    /// <summary>Whether seeds share order and first weights with their baseline.</summary>
    public required bool Paired { get; init; }

    /// <summary>Whether the measure is a ratio of costs rather than a difference of losses.</summary>
    public bool IsRatio => Measure is not (ClaimMeasure.FinalLoss or ClaimMeasure.EqualChargedFlops);

    /// <summary>Whether the arm is the worse, or the dearer, of the two.</summary>
    public bool IsWorse => Effect?.Mean > (IsRatio ? 1 : 0);

    /// <summary>What it may be called.</summary>
    public ClaimStanding Standing
    {
        get
        {
            if (Effect is null)
            {
                return ClaimStanding.Nothing;
            }

            return Objection is null ? ClaimStanding.Finding : ClaimStanding.Reading;
        }
    }

    /// <summary>Why it is no finding; null where it is one.</summary>
    public string? Objection
    {
        get
        {
            if (Effect is null)
            {
                return "not reached in every seed, or not known";
            }

            if (Measure == ClaimMeasure.EqualChargedFlops)
            {
                return "one of the two is read in mid-schedule";
            }

            if (Seeds < FewestSeeds)
            {
                return $"{Seeds} of {FewestSeeds} seeds";
            }

            if (!Paired)
            {
                return "seeds are not paired";
            }

            return AdjustedP < LargestP ? null : $"p {Figures.PValue(AdjustedP ?? 1)}";
        }
    }
}

/// <summary>Cost of whole runs over the whole baseline, small models charged.</summary>
/// <param name="Flops">Null where a cost is not known.</param>
/// <param name="Seconds">Null also where clocks do not compare.</param>
internal sealed record WholeCost(double? Flops, double? Seconds);
