using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Saltern.Configuration;

namespace Saltern.Batches;

/// <summary>What a sample asks of the model.</summary>
internal enum ObjectiveKind
{
    /// <summary>Every token from those before it.</summary>
    Causal,

    /// <summary>The tokens after a pivot; those before it see each other freely.</summary>
    Prefix,

    /// <summary>Spans that were cut out of the text and replaced by sentinels; the rest of the text sees itself freely.</summary>
    Span,
}

/// <summary>Objectives in the manner of UL2, mixed by share of samples (the paper: 60 % causal, 20 % prefix, 20 % span). A share left out is 0.</summary>
public sealed record ObjectiveConfig : IValidated
{
    /// <summary>How a mix without anything but causal training is described.</summary>
    internal const string CausalDescription = "causal";

    // Shares are written by hand: 0.6 + 0.2 + 0.2 is 1 but for rounding.
    private const double ShareTolerance = 1e-6;

    /// <summary>Share of samples with causal training, in [0, 1].</summary>
    [Range(0.0, 1.0)]
    public double Causal { get; init; }

    /// <summary>Share of samples with a free prefix, in [0, 1].</summary>
    [Range(0.0, 1.0)]
    public double Prefix { get; init; }

    /// <summary>Share of samples with span corruption, in [0, 1].</summary>
    [Range(0.0, 1.0)]
    public double Span { get; init; }

    /// <summary>Share of the text that span corruption takes out, in (0, 0.5].</summary>
    [Range(0.0, 0.5, MinimumIsExclusive = true)]
    public double SpanDensity { get; init; } = 0.15;

    /// <summary>Mean length of a span, tokens.</summary>
    [Range(1.0, 1_024.0)]
    public double SpanLength { get; init; } = 3.0;

    /// <summary>Sentinel tokens of the tokenizer that span corruption may use, <c>&lt;extra_id_0&gt;</c> on.</summary>
    [Range(1, 100_000)]
    public int Sentinels { get; init; } = 100;

    /// <summary>Decides task, pivot and spans of each sample; apart from the run's seed, so that seeds share a teacher's cache.</summary>
    public long Seed { get; init; }

    /// <summary>Whether samples can be anything but causal.</summary>
    internal bool IsMixed => Prefix > 0 || Span > 0;

    /// <summary>All that decides the inputs, in one line.</summary>
    internal string Description
    {
        get
        {
            if (!IsMixed)
            {
                return CausalDescription;
            }

            return string.Create(
                CultureInfo.InvariantCulture,
                $"causal {Causal:R} prefix {Prefix:R} span {Span:R}"
                    + $"{(Span > 0 ? $" (density {SpanDensity:R}, length {SpanLength:R})" : "")} seed {Seed}"
            );
        }
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        double sum = Causal + Prefix + Span;
        if (Math.Abs(sum - 1) > ShareTolerance)
        {
            yield return new ConfigurationProblem(
                "",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"has the shares causal {Causal}, prefix {Prefix} and span {Span}, which add up to {sum:0.######}, not 1."
                )
            );
        }
    }
}
