using System.Globalization;

namespace Saltern.Batches;

/// <summary>The share that each domain has in a run's samples, from the recipe's mixture and the sizes of the domains.</summary>
internal static class DomainShares
{
    // Of a sum of shares in float64: a cap that is exactly enough is enough.
    private const double Rounding = 1e-9;

    /// <summary>Shares in proportion to the number of samples.</summary>
    /// <param name="sizes">Samples of each domain.</param>
    /// <returns>Shares that add up to 1.</returns>
    /// <exception cref="DataFormatException">No domain has a sample.</exception>
    public static double[] Natural(IReadOnlyList<long> sizes) => Normalised([.. sizes.Select(size => (double)size)]);

    /// <summary>Shares by a mixture.</summary>
    /// <param name="mixture">The recipe's; null for natural size.</param>
    /// <param name="names">Names of the domains.</param>
    /// <param name="sizes">Samples of each domain.</param>
    /// <param name="plannedSamples">Samples that the run draws in all, for the cap on repetition.</param>
    /// <returns>Shares that add up to 1; 0 for a domain that is not drawn.</returns>
    /// <exception cref="DataFormatException">No domain has a sample.</exception>
    /// <exception cref="ConfigurationException">A weight is for no domain or an empty one, or the cap leaves too few samples for the run.</exception>
    public static double[] Of(
        MixtureConfig? mixture,
        IReadOnlyList<string> names,
        IReadOnlyList<long> sizes,
        long plannedSamples
    )
    {
        double[] shares = mixture switch
        {
            { Weights: { } weights } => ByWeight(weights, names, sizes),
            { Temperature: double temperature } => Normalised([
                .. sizes.Select(size => size == 0 ? 0.0 : Math.Pow(size, 1.0 / temperature)),
            ]),
            _ => Natural(sizes),
        };
        if (mixture?.MaxEpochs is double cap)
        {
            return Capped(shares, names, sizes, plannedSamples, cap);
        }

        return shares;
    }

    private static double[] ByWeight(
        IReadOnlyDictionary<string, double> weights,
        IReadOnlyList<string> names,
        IReadOnlyList<long> sizes
    )
    {
        List<string> problems =
        [
            .. weights
                .Keys.Except(names)
                .Select(name =>
                    $"data.mixture.weights: the data set has no domain '{name}'. It has {string.Join(", ", names)}."
                ),
        ];
        problems.AddRange(
            Enumerable
                .Range(0, names.Count)
                .Where(i => sizes[i] == 0 && weights.GetValueOrDefault(names[i]) > 0)
                .Select(i =>
                    $"data.mixture.weights: the domain '{names[i]}' has no whole sequence of training text. "
                    + "Leave it out, or use a shorter data.sequence_length."
                )
        );
        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }

        return Normalised([.. names.Select(name => weights.GetValueOrDefault(name))]);
    }

    // A domain over its cap gets the cap; the others share the rest as before, which may put further ones over theirs.
    private static double[] Capped(
        double[] shares,
        IReadOnlyList<string> names,
        IReadOnlyList<long> sizes,
        long plannedSamples,
        double cap
    )
    {
        double[] limits = [.. sizes.Select(size => cap * size / plannedSamples)];
        double possible = Enumerable.Range(0, shares.Length).Where(i => shares[i] > 0).Sum(i => limits[i]);
        if (possible < 1 - Rounding)
        {
            IEnumerable<string> drawn = names.Where((_, i) => shares[i] > 0);
            throw TooFewEpochs(cap, possible * plannedSamples, drawn, plannedSamples);
        }

        bool[] full = new bool[shares.Length];
        double[] capped = [.. shares];
        bool changed = true;
        while (changed)
        {
            changed = false;
            double left = 1 - Enumerable.Range(0, shares.Length).Where(i => full[i]).Sum(i => limits[i]);
            double weight = Enumerable.Range(0, shares.Length).Where(i => !full[i]).Sum(i => shares[i]);
            for (int i = 0; i < shares.Length; i++)
            {
                if (full[i])
                {
                    capped[i] = limits[i];
                    continue;
                }

                capped[i] = weight > 0 ? left * shares[i] / weight : 0;
                if (capped[i] > limits[i])
                {
                    full[i] = changed = true;
                }
            }
        }

        return Normalised(capped);
    }

    private static ConfigurationException TooFewEpochs(
        double cap,
        double allowed,
        IEnumerable<string> domains,
        long plannedSamples
    ) =>
        new(
            string.Create(
                CultureInfo.InvariantCulture,
                $"data.mixture.max_epochs = {cap} allows {allowed:0} samples of the domains {string.Join(", ", domains)}, "
                    + $"but the run draws {plannedSamples}. Allow more epochs, or train for fewer steps."
            )
        );

    private static double[] Normalised(double[] weights)
    {
        double total = weights.Sum();
        if (total > 0)
        {
            return [.. weights.Select(weight => weight / total)];
        }

        throw new DataFormatException(
            "No domain of the data set has one whole sequence of training text. Use more text, or a shorter data.sequence_length."
        );
    }
}
