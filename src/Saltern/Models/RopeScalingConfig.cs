using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Models;

/// <summary>How rotary frequencies are changed for sequences longer than those of the first training.</summary>
public enum RopeType
{
    /// <summary>Llama 3.1's: long wavelengths are stretched, short ones kept, those between go over.</summary>
    Llama3,
}

/// <summary>Scaled rotary positions; the keys are those of Hugging Face's <c>rope_scaling</c>.</summary>
/// <remarks>
/// scaled = freq·(kept + (1 − kept)/factor) with kept = clamp((original·freq/2π − low)/(high − low), 0, 1), freq in radians a token. Source: the model code of Llama 3.1 (apply_scaling).
/// </remarks>
public sealed record RopeScalingConfig : IValidated
{
    /// <summary>Kind of scaling.</summary>
    public required RopeType RopeType { get; init; }

    /// <summary>By how much the longest wavelengths are stretched.</summary>
    [Range(1.0, 1e6)]
    public required double Factor { get; init; }

    /// <summary>Turns within the original length below which a wavelength is stretched in full.</summary>
    [Range(0.0, 1e6)]
    public required double LowFreqFactor { get; init; }

    /// <summary>Turns within the original length above which it is kept.</summary>
    [Range(0.0, 1e6)]
    public required double HighFreqFactor { get; init; }

    /// <summary>Sequence length of the first training, tokens.</summary>
    [Range(1, 10_000_000)]
    public required int OriginalMaxPositionEmbeddings { get; init; }

    /// <summary>A frequency after scaling.</summary>
    /// <param name="frequency">freq, radians a token.</param>
    internal double Scale(double frequency)
    {
        double turns = OriginalMaxPositionEmbeddings * frequency / (2 * Math.PI);
        double kept = Math.Clamp((turns - LowFreqFactor) / (HighFreqFactor - LowFreqFactor), 0, 1);
        return frequency * (kept + ((1 - kept) / Factor));
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (HighFreqFactor <= LowFreqFactor)
        {
            yield return new ConfigurationProblem(
                "high_freq_factor",
                $"= {HighFreqFactor} must be above low_freq_factor = {LowFreqFactor}."
            );
        }
    }
}
