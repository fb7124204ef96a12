namespace Saltern.Verdicts;

/// <summary>A mean over paired seeds with its 95 % interval by Student's t (docs/method.md).</summary>
/// <param name="Mean">The mean; geometric for ratios.</param>
/// <param name="Lower">Lower end; null with fewer than two pairs.</param>
/// <param name="Upper">Upper end; null with fewer than two pairs.</param>
/// <param name="Count">Number of pairs.</param>
public sealed record PairedInterval(double Mean, double? Lower, double? Upper, int Count)
{
    /// <summary>Both ends, as a file has them; null with fewer than two pairs.</summary>
    internal IReadOnlyList<double>? Ends
    {
        get
        {
            if (this is { Lower: { } low, Upper: { } high })
            {
                return [low, high];
            }

            return null;
        }
    }

    /// <summary>Interval of ratios: exp(mean ± t₀.₉₇₅·sd/√n_s) over ln ratio of n_s seeds, n_s − 1 degrees of freedom.</summary>
    /// <param name="ratios">One ratio a pair, each above 0.</param>
    /// <exception cref="ArgumentException">No ratio, or one that is not above 0.</exception>
    internal static PairedInterval OfRatios(IReadOnlyList<double> ratios)
    {
        ArgumentNullException.ThrowIfNull(ratios);
        foreach (double ratio in ratios)
        {
            if (!(ratio > 0) || double.IsInfinity(ratio))
            {
                throw new ArgumentException(
                    $"A ratio of {ratio} has no logarithm; ratios of costs are above 0.",
                    nameof(ratios)
                );
            }
        }

        PairedInterval logs = OfDifferences([.. ratios.Select(ratio => Math.Log(ratio))]);
        return new PairedInterval(Math.Exp(logs.Mean), Exp(logs.Lower), Exp(logs.Upper), logs.Count);
    }

    /// <summary>Interval of differences: mean ± t₀.₉₇₅·sd/√n_s, n_s − 1 degrees of freedom.</summary>
    /// <param name="differences">One difference a pair.</param>
    /// <exception cref="ArgumentException">No difference at all.</exception>
    internal static PairedInterval OfDifferences(IReadOnlyList<double> differences)
    {
        ArgumentNullException.ThrowIfNull(differences);
        int count = differences.Count;
        if (count == 0)
        {
            throw new ArgumentException("A mean needs at least one pair.", nameof(differences));
        }

        double mean = differences.Average();
        if (count == 1)
        {
            return new PairedInterval(mean, null, null, count);
        }

        double variance = differences.Sum(x => (x - mean) * (x - mean)) / (count - 1);
        double half = StudentT.Quantile975(count - 1) * Math.Sqrt(variance / count);
        return new PairedInterval(mean, mean - half, mean + half, count);
    }

    private static double? Exp(double? value)
    {
        if (value is { } x)
        {
            return Math.Exp(x);
        }

        return null;
    }
}
