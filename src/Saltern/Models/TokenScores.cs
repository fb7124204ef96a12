using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Log probability of a token, and of the likeliest ones in its place.</summary>
/// <param name="Token">Id.</param>
/// <param name="LogProbability">Nats; null for the first token, before which there is nothing.</param>
/// <param name="Top">The likeliest ids with their log probabilities, likeliest first.</param>
internal sealed record TokenScore(
    int Token,
    double? LogProbability,
    IReadOnlyList<(int Token, double LogProbability)> Top
)
{
    /// <summary>A token that was drawn from scores.</summary>
    /// <param name="logits">Scores of the real ids, [V].</param>
    /// <param name="count">Of the likeliest ids to name.</param>
    public static TokenScore Of(int token, ReadOnlySpan<float> logits, int count)
    {
        double highest = double.NegativeInfinity;
        foreach (float logit in logits)
        {
            highest = Math.Max(highest, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - highest);
        }

        double normaliser = highest + Math.Log(sum);
        return new TokenScore(token, logits[token] - normaliser, Likeliest(logits, count, normaliser));
    }

    // Likeliest first; the lower id first among equals.
    private static List<(int Token, double LogProbability)> Likeliest(
        ReadOnlySpan<float> logits,
        int count,
        double normaliser
    )
    {
        List<(int Token, double LogProbability)> top = [];
        for (int id = 0; count > 0 && id < logits.Length; id++)
        {
            double score = logits[id] - normaliser;
            if (top.Count == count && score <= top[^1].LogProbability)
            {
                continue;
            }

            int place = top.FindLastIndex(other => other.LogProbability >= score) + 1;
            top.Insert(place, (id, score));
            if (top.Count > count)
            {
                top.RemoveAt(count);
            }
        }

        return top;
    }
}

/// <summary>Log probabilities of the tokens of a text.</summary>
internal static class TokenScores
{
    // Rows of logits at a time.
    private const int RowsAtOnce = 256;

    /// <summary>Scores a text.</summary>
    /// <param name="tokens">Ids, at most one more than the model has positions.</param>
    /// <param name="vocabulary">Real token ids.</param>
    /// <param name="count">Of the likeliest ids in each place.</param>
    /// <returns>One for each token, the first without a log probability.</returns>
    public static IReadOnlyList<TokenScore> Of(Transformer model, int[] tokens, int vocabulary, int count)
    {
        var scores = new List<TokenScore> { new(tokens[0], null, []) };
        if (tokens.Length == 1)
        {
            return scores;
        }

        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor ids = tensor(tokens[..^1], ScalarType.Int64, model.Parameters.Device).unsqueeze(0); // [1, T − 1]
        Tensor hidden = model.HiddenStates(ids); // [T − 1, D]
        for (int first = 0; first < tokens.Length - 1; first += RowsAtOnce)
        {
            using DisposeScope chunk = NewDisposeScope();
            int rows = Math.Min(RowsAtOnce, tokens.Length - 1 - first);
            float[] logits = model
                .LogitsOf(hidden.narrow(0, first, rows))
                .narrow(1, 0, vocabulary)
                .to(ScalarType.Float32)
                .cpu()
                .contiguous() // [rows, V]
                .data<float>()
                .ToArray();
            for (int i = 0; i < rows; i++)
            {
                scores.Add(TokenScore.Of(tokens[first + i + 1], logits.AsSpan(i * vocabulary, vocabulary), count));
            }
        }

        return scores;
    }
}
