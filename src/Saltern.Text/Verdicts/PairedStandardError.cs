using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The mean difference of two models' losses on the same documents, with its standard error (docs/method.md).</summary>
/// <param name="MeanDifference">First minus second, nats per token.</param>
/// <param name="StandardError">√(n_doc/(n_doc − 1)·Σ(Δ_i − Δ·n_i)²)/Σn_i over n_doc documents, nats; null with one document.</param>
/// <remarks>Tokens of a document are not independent, so the document is the unit; taking tokens for independent gave a fifth of the error in our measurement.</remarks>
internal sealed record PairedStandardError(double MeanDifference, double? StandardError, int Documents, long Tokens)
{
    /// <summary>Nats that the standard error must stay below before a difference is worth reading.</summary>
    public const double Wanted = 0.01;

    /// <summary>Tokens of validation text that would bring the error down to <see cref="Wanted"/>, Σn_i·(SE/0.01)²; null with one document.</summary>
    public long? TokensNeeded
    {
        get
        {
            if (StandardError is { } error)
            {
                return (long)Math.Ceiling(Tokens * (error / Wanted) * (error / Wanted));
            }

            return null;
        }
    }

    /// <summary>Pairs the scores by domain and document.</summary>
    /// <param name="first">Scores of one model.</param>
    /// <param name="second">Scores of the other on the same documents.</param>
    /// <returns>Null where either has no scores by document.</returns>
    /// <exception cref="DataFormatException">The documents, or their numbers of tokens, are not the same, or a document appears twice.</exception>
    public static PairedStandardError? Compute(IReadOnlyList<DocumentScore> first, IReadOnlyList<DocumentScore> second)
    {
        if (Differences(first, second) is { } documents)
        {
            return Of([.. documents.Select(document => (document.Difference, document.Score.Tokens))]);
        }

        return null;
    }

    /// <summary>By document what the sum over its tokens differs by, first minus second, nats, beside the first's score.</summary>
    /// <returns>Null where either has no scores by document.</returns>
    /// <exception cref="DataFormatException">As of <see cref="Compute"/>.</exception>
    internal static List<(DocumentScore Score, double Difference)>? Differences(
        IReadOnlyList<DocumentScore> first,
        IReadOnlyList<DocumentScore> second
    )
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        if (first.Count == 0 || second.Count == 0)
        {
            return null;
        }

        Dictionary<(string, long), DocumentScore> others = [];
        foreach (DocumentScore score in second)
        {
            if (!others.TryAdd((score.Domain, score.Document), score))
            {
                throw Mismatch($"document {score.Document} of '{score.Domain}' appears twice");
            }
        }

        if (first.Count != second.Count)
        {
            throw Mismatch($"{first.Count} documents in one run, {second.Count} in the other");
        }

        List<(DocumentScore Score, double Difference)> differences = [];
        foreach (DocumentScore score in first)
        {
            if (
                !others.Remove((score.Domain, score.Document), out DocumentScore? other)
                || other.Tokens != score.Tokens
            )
            {
                string found = "is not";
                if (other is not null)
                {
                    found = $"{other.Tokens}";
                }

                throw Mismatch(
                    $"document {score.Document} of '{score.Domain}' "
                        + $"has {score.Tokens} tokens in one run and {found} in the other"
                );
            }

            differences.Add((score, score.Nll - other.Nll));
        }

        return differences;
    }

    /// <summary>Mean and standard error of sums over documents.</summary>
    /// <param name="documents">For each document the sum of differences over its tokens, nats, and the number of tokens.</param>
    /// <exception cref="DataFormatException">No tokens at all.</exception>
    internal static PairedStandardError Of(IReadOnlyList<(double Sum, long Tokens)> documents)
    {
        long tokens = documents.Sum(document => document.Tokens);
        if (tokens == 0)
        {
            throw Mismatch("no tokens were scored");
        }

        double mean = documents.Sum(document => document.Sum) / tokens;
        int count = documents.Count;
        double squares = documents.Sum(document => Math.Pow(document.Sum - mean * document.Tokens, 2));
        double? error = null;
        if (count > 1)
        {
            error = Math.Sqrt((double)count / (count - 1) * squares) / tokens;
        }

        return new PairedStandardError(mean, error, count, tokens);
    }

    private static DataFormatException Mismatch(string found) =>
        new(
            $"{RunLayout.Documents} of two runs: {found}. "
                + "Runs compare on the same validation documents only; evaluate both with the same data."
        );
}
