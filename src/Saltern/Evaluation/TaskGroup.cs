using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Evaluation;

/// <summary>Tasks in domains, and averages over the domains. A domain's score is the mean of its tasks' main metrics, an average the mean of its domains' scores.</summary>
internal sealed record TaskGroup : IValidated
{
    /// <summary>Name in results.</summary>
    [MinLength(1)]
    public required string Group { get; init; }

    /// <summary>The domains.</summary>
    [MinLength(1)]
    public required IReadOnlyList<TaskDomain> Domains { get; init; }

    /// <summary>The averages.</summary>
    public IReadOnlyList<TaskAverage> Averages { get; init; } = [new TaskAverage { Name = "average" }];

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        foreach (
            string name in Averages.SelectMany(average => average.Without).Except(Domains.Select(domain => domain.Name))
        )
        {
            yield return new ConfigurationProblem(
                "averages",
                $"leaves out {name}, which is no domain. Domains: {string.Join(", ", Domains.Select(domain => domain.Name))}."
            );
        }
    }

    /// <summary>Scores of domains and averages.</summary>
    /// <param name="scores">Main metric of each task measured.</param>
    public GroupScores Score(IReadOnlyDictionary<string, double> scores)
    {
        ArgumentNullException.ThrowIfNull(scores);
        DomainScore[] domains =
        [
            .. Domains.Select(domain =>
            {
                double[] found = [.. domain.Tasks.Where(scores.ContainsKey).Select(task => scores[task])];
                return new DomainScore(domain.Name, Mean(found), found.Length, domain.Tasks.Count);
            }),
        ];
        return new GroupScores(
            Group,
            domains,
            [
                .. Averages.Select(average =>
                {
                    DomainScore[] counted = [.. domains.Where(domain => !average.Without.Contains(domain.Name))];
                    double[] found = [.. counted.Select(domain => domain.Score).OfType<double>()];
                    return new DomainScore(average.Name, Mean(found), found.Length, counted.Length);
                }),
            ]
        );
    }

    private static double? Mean(double[] scores) => scores.Length == 0 ? null : scores.Average();
}

/// <summary>A domain of a group.</summary>
internal sealed record TaskDomain
{
    /// <summary>Its name.</summary>
    [MinLength(1)]
    public required string Name { get; init; }

    /// <summary>Tasks: names of files beside the group's, without .yaml.</summary>
    [MinLength(1)]
    public required IReadOnlyList<string> Tasks { get; init; }
}

/// <summary>An average over domains.</summary>
internal sealed record TaskAverage
{
    /// <summary>Its name.</summary>
    [MinLength(1)]
    public required string Name { get; init; }

    /// <summary>Domains left out.</summary>
    public IReadOnlyList<string> Without { get; init; } = [];
}

/// <summary>Score of a domain, or of an average.</summary>
/// <param name="Score">The mean; null where nothing of it was measured.</param>
/// <param name="Measured">Tasks (or domains) in the mean.</param>
/// <param name="Of">How many belong to it.</param>
internal sealed record DomainScore(string Name, double? Score, int Measured, int Of);

/// <summary>Scores of a group.</summary>
internal sealed record GroupScores(
    string Group,
    IReadOnlyList<DomainScore> Domains,
    IReadOnlyList<DomainScore> Averages
);
