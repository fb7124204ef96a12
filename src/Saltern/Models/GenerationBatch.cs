using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>A text that a batch continues.</summary>
/// <param name="Prompt">Ids to continue, at least one.</param>
/// <param name="MaxTokens">Most tokens to add; prompt and these fit into the model's positions.</param>
/// <param name="Next">Takes the scores of the next token, [V], and says which it is; null ends the text.</param>
internal sealed record GenerationRow(IReadOnlyList<int> Prompt, int MaxTokens, NextToken Next);

/// <summary>Chooses a token.</summary>
/// <param name="logits">Scores of the real ids, [V].</param>
/// <returns>The token; null ends the text.</returns>
internal delegate int? NextToken(ReadOnlySpan<float> logits);

/// <summary>Continues several texts together, each by its own rule: one pass a token for all of them.</summary>
/// <remarks>
/// Prompts are padded on the left so that they end together; texts that are over leave the batch when half of them are. A text can differ from the one continued alone
/// where two tokens are equally likely to the last bits, because the sums of a larger product may be rounded otherwise.
/// </remarks>
internal static class GenerationBatch
{
    /// <summary>Positions of a batch, padding and answers included: a cache of some ten megabytes for a model of a million parameters.</summary>
    public const int MostPositions = 16_384;

    /// <summary>Whether a text may join a batch: positions that are counted from the beginning allow no padding.</summary>
    public static bool Fits(Transformer model, IReadOnlyList<GenerationRow> batch, GenerationRow row)
    {
        if (batch.Count == 0)
        {
            return true;
        }

        int prompt = Math.Max(batch.Max(other => other.Prompt.Count), row.Prompt.Count);
        int added = Math.Max(batch.Max(other => other.MaxTokens), row.MaxTokens);
        bool sameLength = row.Prompt.Count == batch[0].Prompt.Count;
        return (batch.Count + 1) * (prompt + added) <= MostPositions
            && prompt + added <= model.Config.MaxPositionEmbeddings
            && (sameLength || !model.Config.LearnedPositions);
    }

    /// <summary>Continues all of them to their ends.</summary>
    /// <param name="vocabulary">Real token ids; rows of the output head beyond them are never shown.</param>
    /// <param name="cancellation">Ends the work early, with an exception.</param>
    public static void Run(
        Transformer model,
        IReadOnlyList<GenerationRow> rows,
        int vocabulary,
        CancellationToken cancellation
    )
    {
        int length = rows.Max(row => row.Prompt.Count);
        using var cache = new KeyValueCache(
            model.Config,
            rows.Count,
            length + rows.Max(row => row.MaxTokens),
            model.Parameters.Type,
            model.Parameters.Device,
            [.. rows.Select(row => length - row.Prompt.Count)]
        );
        long[] next =
        [
            .. rows.SelectMany(row =>
                Enumerable.Repeat(0L, length - row.Prompt.Count).Concat(row.Prompt.Select(id => (long)id))
            ),
        ]; // [B, T]
        Live[] live = [.. rows.Select(row => new Live(row))];
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            float[] logits = Step(model, cache, next, live.Length, vocabulary);
            long[] drawn = new long[live.Length];
            for (int i = 0; i < live.Length; i++)
            {
                drawn[i] = live[i].Take(logits.AsSpan(i * vocabulary, vocabulary));
            }

            int over = live.Count(row => row.IsOver);
            if (over == live.Length)
            {
                return;
            }

            if (2 * over >= live.Length)
            {
                int[] kept = [.. Enumerable.Range(0, live.Length).Where(i => !live[i].IsOver)];
                cache.Keep(kept);
                live = [.. kept.Select(i => live[i])];
                drawn = [.. kept.Select(i => drawn[i])];
            }

            next = drawn;
        }
    }

    // Scores of the next token of each row, [B, V].
    private static float[] Step(Transformer model, KeyValueCache cache, long[] tokens, int rows, int vocabulary)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        int length = tokens.Length / rows;
        Tensor hidden = model.HiddenStates(tensor(tokens, rows, length).to(model.Parameters.Device), cache); // [N, D]
        Tensor last = hidden.view(rows, length, -1).select(1, length - 1); // [B, D]
        return model
            .LogitsOf(last)
            .narrow(1, 0, vocabulary)
            .to(ScalarType.Float32)
            .cpu()
            .contiguous() // [B, V]
            .data<float>()
            .ToArray();
    }

    private sealed class Live(GenerationRow row)
    {
        private int _added;

        public bool IsOver { get; private set; }

        // The token, which goes on being computed until the row leaves the batch; a row that is over repeats any.
        public int Take(ReadOnlySpan<float> logits)
        {
            if (IsOver)
            {
                return 0;
            }

            int? token = row.Next(logits);
            _added++;
            IsOver = token is null || _added >= row.MaxTokens;
            return token ?? 0;
        }
    }
}
