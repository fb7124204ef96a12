using Saltern.Evaluation;
using Saltern.Reporting;

namespace Saltern.Training;

/// <summary>An evaluation in the form that result files keep.</summary>
public static class RunScores
{
    /// <summary>Scores over all targets and by domain.</summary>
    public static FinalScores Of(EvaluationResult scores, IReadOnlyList<string> domains) => new()
    {
        Loss = scores.Total.Loss,
        BitsPerByte = BitsPerByte(scores.Total),
        Accuracy = scores.Total.Accuracy,
        Tokens = scores.Total.Sums.Positions,
        Domains = Enumerable.Range(0, domains.Count).Where(i => scores.Domains[i] is not null).ToDictionary(i => domains[i], i => new DomainScores
        {
            Loss = scores.Domains[i]!.Loss,
            BitsPerByte = BitsPerByte(scores.Domains[i]!),
            Accuracy = scores.Domains[i]!.Accuracy,
            Tokens = scores.Domains[i]!.Sums.Positions,
        }),
    };

    // A domain whose documents are all empty has targets but no bytes.
    private static double? BitsPerByte(EvaluationPart part) => part.TextBytes > 0 ? part.BitsPerByte : null;
}
