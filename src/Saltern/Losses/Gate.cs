using System.Diagnostics;

namespace Saltern.Losses;

/// <summary>Which positions learn from the teacher; formulas in <see cref="Gate"/>.</summary>
public enum GateKind
{
    /// <summary>All alike.</summary>
    None,

    /// <summary>Where the teacher's most likely token has at least the threshold's probability.</summary>
    TopProbability,

    /// <summary>Where the teacher's entropy is at most the threshold, nats.</summary>
    Entropy,

    /// <summary>A factor each for easy, medium and hard positions by the teacher's loss; looks at the label, so it biases the target.</summary>
    Bucket,

    /// <summary>A factor per domain.</summary>
    Domain,

    /// <summary>min(1, q(y)/threshold); looks at the label, so it biases the target.</summary>
    Observed,
}

/// <summary>h_t in [0, 1], the share of ω that a position gets: ω_t = ω_j·h_t, so that the target stays a distribution.</summary>
/// <remarks>
/// top_probability: [max q ≥ θ]; entropy: [H(q) ≤ θ]; observed: min(1, q(y)/θ); bucket: by the teacher's loss. All at τ = 1.
/// The last two look at the label and so lift unlikely tokens in expectation (docs/method.md, "Gates"). The domain gate is a
/// matter of whole samples and is applied where ω is made.
/// </remarks>
/// <param name="Threshold">θ: a probability, or nats for the entropy.</param>
/// <param name="Factors">Easy, medium, hard (bucket).</param>
/// <param name="Bounds">Between easy and medium, medium and hard, nats (bucket).</param>
internal sealed record Gate(
    GateKind Kind,
    double Threshold,
    IReadOnlyList<double> Factors,
    IReadOnlyList<double> Bounds
)
{
    /// <summary>No position is treated differently.</summary>
    public static Gate Open { get; } = new(GateKind.None, 0, [], []);

    /// <summary>h_t.</summary>
    public double Factor(double topProbability, double entropy, double nll) =>
        Kind switch
        {
            GateKind.TopProbability => topProbability >= Threshold ? 1.0 : 0.0,
            GateKind.Entropy => entropy <= Threshold ? 1.0 : 0.0,
            GateKind.Observed => Math.Min(1.0, Math.Exp(-nll) / Threshold),
            GateKind.Bucket => Factors[BucketOf(nll)],
            GateKind.None or GateKind.Domain => 1.0,
            _ => throw new UnreachableException($"{Kind} is no kind of gate that has a formula here."),
        };

    // 0 easy, 1 medium, 2 hard.
    private int BucketOf(double nll)
    {
        if (nll <= Bounds[0])
        {
            return 0;
        }

        return nll <= Bounds[1] ? 1 : 2;
    }
}
