using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Batches;

/// <summary>How much of each domain a run draws. Without weights or temperature each domain has the share that it has in the data.</summary>
public sealed record MixtureConfig : IValidated
{
    /// <summary>Weight of each domain, relative to one another; a domain not named is not drawn. Null leaves it to the sizes.</summary>
    public IReadOnlyDictionary<string, double>? Weights { get; init; }

    /// <summary>Shares go with size^(1/temperature): 1 is natural size (the default), a large value makes domains equal. Not beside <see cref="Weights"/>.</summary>
    [Range(0.01, 1_000.0)]
    public double? Temperature { get; init; }

    /// <summary>No domain is planned to be drawn more often than this, epochs; what it would have had goes to the others. Null for no cap.</summary>
    [Range(0.0, 1_000_000.0, MinimumIsExclusive = true)]
    public double? MaxEpochs { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Weights is not null && Temperature is not null)
        {
            yield return new ConfigurationProblem(
                "temperature",
                "stands beside weights, and only one of them can decide the shares. Remove one."
            );
        }

        if (
            Weights is not null
            && (
                Weights.Values.Any(weight => !(weight >= 0) || double.IsInfinity(weight)) || !(Weights.Values.Sum() > 0)
            )
        )
        {
            yield return new ConfigurationProblem(
                "weights",
                "must be finite and at least 0, with one of them above 0."
            );
        }
    }
}
