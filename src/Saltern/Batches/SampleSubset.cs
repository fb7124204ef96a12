namespace Saltern.Batches;

/// <summary>Some samples of each domain: what stage 1 draws from when data was selected (SALT_DS).</summary>
internal sealed class SampleSubset
{
    private readonly long[][] _indices;

    /// <summary>Takes the samples.</summary>
    /// <param name="indices">Of each domain, ascending.</param>
    public SampleSubset(IReadOnlyList<IReadOnlyList<long>> indices) =>
        _indices = [.. indices.Select(domain => domain.ToArray())];

    /// <summary>Number of samples of each domain.</summary>
    public IReadOnlyList<long> Sizes => [.. _indices.Select(domain => (long)domain.Length)];

    /// <summary>The samples of a domain, ascending.</summary>
    public IReadOnlyList<long> Indices(int domain) => _indices[domain];

    /// <summary>The sample that a key of the subset's own stream stands for.</summary>
    public SampleKey Resolve(SampleKey key) => key with { Index = _indices[key.Domain][key.Index] };

    /// <summary>Shares of the domains in the subset's stream: in proportion to its samples, so that it is gone through evenly.</summary>
    /// <param name="shares">Shares of the domains in the stream of all samples; a domain without one is not drawn here either.</param>
    /// <exception cref="DataFormatException">No sample is left.</exception>
    public double[] Shares(IReadOnlyList<double> shares)
    {
        double total = _indices.Where((_, domain) => shares[domain] > 0).Sum(domain => (double)domain.Length);
        if (total > 0)
        {
            return [.. _indices.Select((domain, i) => shares[i] > 0 ? domain.Length / total : 0)];
        }

        throw new DataFormatException(
            "None of the selected samples is of a domain that the run draws. Select again, or change data.mixture."
        );
    }
}
