using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Models;

/// <summary>How rotary frequencies are changed for sequences longer than those of the first training.</summary>
public enum RopeType
{
    /// <summary>Llama 3.1's: long wavelengths are stretched, short ones kept, those between go over.</summary>
    Llama3,

    /// <summary>All wavelengths are stretched alike: positions are interpolated (arXiv:2306.15595).</summary>
    Linear,

    /// <summary>NTK-aware: in sequences longer than max_position_embeddings the base grows with their length; shorter ones are as without scaling.</summary>
    Dynamic,

    /// <summary>YaRN (arXiv:2309.00071): by parts, as Llama 3.1's, along the pairs of a head; scores of attention become larger.</summary>
    Yarn,
}

/// <summary>Scaled rotary positions; the keys are those of Hugging Face's <c>rope_scaling</c>.</summary>
/// <remarks>
/// Llama3: scaled = freq·(kept + (1 − kept)/factor) with kept = clamp((original·freq/2π − low)/(high − low), 0, 1), freq in radians a token. Source: the model code of Llama 3.1 (apply_scaling).
/// Yarn: the same with kept = 1 − clamp((i − first)/(last − first), 0, 1) for pair i, where a wavelength of pair first makes beta_fast turns in the original length and one of pair last beta_slow.
/// </remarks>
public sealed record RopeScalingConfig : IValidated
{
    private const double DefaultBetaFast = 32;
    private const double DefaultBetaSlow = 1;
    private const double Singular = 0.001; // added where first and last pair are one

    /// <summary>Kind of scaling.</summary>
    public required RopeType RopeType { get; init; }

    /// <summary>By how much the longest wavelengths are stretched.</summary>
    [Range(1.0, 1e6)]
    public required double Factor { get; init; }

    /// <summary>Llama3: turns within the original length below which a wavelength is stretched in full.</summary>
    [Range(0.0, 1e6)]
    public double? LowFreqFactor { get; init; }

    /// <summary>Llama3: turns within the original length above which it is kept.</summary>
    [Range(0.0, 1e6)]
    public double? HighFreqFactor { get; init; }

    /// <summary>Llama3 and yarn: sequence length of the first training, tokens; null (yarn) for max_position_embeddings.</summary>
    [Range(1, 10_000_000)]
    public int? OriginalMaxPositionEmbeddings { get; init; }

    /// <summary>Yarn: factor of cosines and sines; null for 0.1·ln(factor) + 1, or what mscale and mscale_all_dim make of it.</summary>
    [Range(1e-3, 1e3)]
    public double? AttentionFactor { get; init; }

    /// <summary>Yarn: turns within the original length above which a wavelength is kept; null for 32.</summary>
    [Range(1e-3, 1e6)]
    public double? BetaFast { get; init; }

    /// <summary>Yarn: turns below which it is stretched in full; null for 1.</summary>
    [Range(1e-3, 1e6)]
    public double? BetaSlow { get; init; }

    /// <summary>Yarn: with mscale_all_dim, the factor of cosines and sines is (0.1·mscale·ln(factor) + 1)/(0.1·mscale_all_dim·ln(factor) + 1).</summary>
    [Range(0.0, 1e3)]
    public double? Mscale { get; init; }

    /// <summary>Yarn: see mscale.</summary>
    [Range(0.0, 1e3)]
    public double? MscaleAllDim { get; init; }

    /// <summary>Yarn: whether the first and the last pair are whole numbers; null for true.</summary>
    public bool? Truncate { get; init; }

    /// <summary>Factor of cosines and sines.</summary>
    internal double Magnitude
    {
        get
        {
            if (RopeType != RopeType.Yarn)
            {
                return 1;
            }

            if (AttentionFactor is double given)
            {
                return given;
            }

            if (Mscale is double scale and not 0 && MscaleAllDim is double all and not 0)
            {
                return MagnitudeOf(scale) / MagnitudeOf(all);
            }

            return MagnitudeOf(1);
        }
    }

    /// <summary>Frequencies after scaling.</summary>
    /// <param name="theta">Base.</param>
    /// <param name="turned">A_r, elements of a head that are turned.</param>
    /// <param name="longest">Positions that the model is meant for, tokens.</param>
    /// <param name="length">Positions of the sequence, tokens.</param>
    /// <returns>Radians a token of each pair, [A_r/2].</returns>
    internal double[] Frequencies(double theta, int turned, int longest, long length)
    {
        double[] plain = RotaryTable.Plain(theta, turned);
        switch (RopeType)
        {
            case RopeType.Llama3:
                return [.. plain.Select(ScaleByWavelength)];
            case RopeType.Linear:
                return [.. plain.Select(frequency => frequency / Factor)];
            case RopeType.Yarn:
                return ScaleByPair(plain, theta, turned, longest);
            default:
                double stretched = (Factor * Math.Max(length, longest) / longest) - (Factor - 1);
                return RotaryTable.Plain(theta * Math.Pow(stretched, turned / (turned - 2.0)), turned);
        }
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        (string Key, bool IsGiven, RopeType[] Kinds)[] keys =
        [
            ("low_freq_factor", LowFreqFactor is not null, [RopeType.Llama3]),
            ("high_freq_factor", HighFreqFactor is not null, [RopeType.Llama3]),
            (
                "original_max_position_embeddings",
                OriginalMaxPositionEmbeddings is not null,
                [RopeType.Llama3, RopeType.Yarn]
            ),
            ("attention_factor", AttentionFactor is not null, [RopeType.Yarn]),
            ("beta_fast", BetaFast is not null, [RopeType.Yarn]),
            ("beta_slow", BetaSlow is not null, [RopeType.Yarn]),
            ("mscale", Mscale is not null, [RopeType.Yarn]),
            ("mscale_all_dim", MscaleAllDim is not null, [RopeType.Yarn]),
            ("truncate", Truncate is not null, [RopeType.Yarn]),
        ];
        string kind = RopeType.ToString().ToLowerInvariant();
        foreach ((string key, bool isGiven, RopeType[] kinds) in keys)
        {
            if (isGiven && !kinds.Contains(RopeType))
            {
                yield return new ConfigurationProblem(key, $"has no effect with rope_type {kind}. Remove it.");
            }
            else if (!isGiven && RopeType == RopeType.Llama3 && kinds.Contains(RopeType.Llama3))
            {
                yield return new ConfigurationProblem(key, $"is missing: rope_type {kind} needs it.");
            }
        }

        if (HighFreqFactor <= LowFreqFactor)
        {
            yield return new ConfigurationProblem(
                "high_freq_factor",
                $"= {HighFreqFactor} must be above low_freq_factor = {LowFreqFactor}."
            );
        }

        if ((BetaFast ?? DefaultBetaFast) <= (BetaSlow ?? DefaultBetaSlow))
        {
            yield return new ConfigurationProblem(
                "beta_fast",
                $"= {BetaFast ?? DefaultBetaFast} must be above beta_slow = {BetaSlow ?? DefaultBetaSlow}."
            );
        }
    }

    private double MagnitudeOf(double scale) => Factor <= 1 ? 1 : (0.1 * scale * Math.Log(Factor)) + 1;

    /// <summary>A frequency after Llama 3.1's scaling.</summary>
    /// <param name="frequency">freq, radians a token.</param>
    internal double ScaleByWavelength(double frequency)
    {
        double low = LowFreqFactor ?? 0;
        double turns = (OriginalMaxPositionEmbeddings ?? 0) * frequency / (2 * Math.PI);
        return Stretch(frequency, Math.Clamp((turns - low) / ((HighFreqFactor ?? 0) - low), 0, 1));
    }

    private double[] ScaleByPair(double[] plain, double theta, int turned, int longest)
    {
        double original = OriginalMaxPositionEmbeddings ?? longest;
        double first = PairOf(BetaFast ?? DefaultBetaFast);
        double last = PairOf(BetaSlow ?? DefaultBetaSlow);
        if (Truncate ?? true)
        {
            (first, last) = (Math.Floor(first), Math.Ceiling(last));
        }

        first = Math.Max(first, 0);
        last = Math.Min(last, turned - 1);
        if (first == last)
        {
            last += Singular;
        }

        return
        [
            .. plain.Select((frequency, i) => Stretch(frequency, 1 - Math.Clamp((i - first) / (last - first), 0, 1))),
        ];

        // The pair that makes so many turns within the original length.
        double PairOf(double turns) => turned * Math.Log(original / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
    }

    private double Stretch(double frequency, double kept) => frequency * (kept + ((1 - kept) / Factor));
}
