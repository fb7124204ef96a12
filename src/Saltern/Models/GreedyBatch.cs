using Saltern.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Lets a model continue many texts at once, always by the most likely token: what <see cref="TextGenerator"/> gives at temperature 0, in far fewer passes.</summary>
/// <remarks>
/// Prompts of like length share a batch, padded on the left so that they end together; texts that are over leave it. Sums of a larger product may be rounded
/// otherwise, so a text can differ from the one generated alone where two tokens are equally likely to the last bits.
/// </remarks>
internal static class GreedyBatch
{
    // Positions of a batch, padding and answers included, and sequences of one: a cache of some ten megabytes for a model of a million parameters.
    private const int PositionsPerBatch = 16_384;
    private const int MostRows = 128;

    /// <summary>The tokens that the model adds to each prompt, end-of-text left out.</summary>
    /// <param name="prompts">Ids to continue; an empty prompt starts from the end-of-text token.</param>
    /// <param name="limits">Where each text ends, and which ids it is made of.</param>
    /// <param name="progress">Told how many prompts are done.</param>
    /// <param name="ranks">Ranks with the same model and prompts, which share the batches out; null for one process. All get all texts, the same for any number of ranks.</param>
    /// <param name="cancellation">Ends the work early, with an exception.</param>
    /// <returns>In the order of the prompts.</returns>
    /// <exception cref="ArgumentException">A prompt and its answer would not fit into the positions that the model knows.</exception>
    public static int[][] Generate(
        Transformer model,
        IReadOnlyList<int[]> prompts,
        AnswerLimits limits,
        Action<int>? progress = null,
        ICommunicator? ranks = null,
        CancellationToken cancellation = default
    )
    {
        int longest = prompts.Select(prompt => prompt.Length).DefaultIfEmpty().Max();
        if (longest + limits.MaxTokens > model.Config.MaxPositionEmbeddings)
        {
            throw new ArgumentException(
                $"A prompt of {longest} tokens and an answer of {limits.MaxTokens} do not fit "
                    + $"into {model.Config.MaxPositionEmbeddings} positions.",
                nameof(prompts)
            );
        }

        ranks ??= new SingleProcess();
        int[] owners = new int[prompts.Count];
        int[] order = [.. Enumerable.Range(0, prompts.Count).OrderByDescending(index => prompts[index].Length)];
        Answer[] answers = [.. prompts.Select((prompt, index) => new Answer(index, prompt))];
        int batch = 0;
        for (int first = 0; first < order.Length; batch++)
        {
            int positions = prompts[order[first]].Length + limits.MaxTokens;
            int count = Math.Min(Math.Clamp(PositionsPerBatch / positions, 1, MostRows), order.Length - first);
            if (model.Config.LearnedPositions)
            {
                // Padding shifts a text, which only relative positions do not notice.
                count = order
                    .Skip(first)
                    .Take(count)
                    .TakeWhile(index => prompts[index].Length == prompts[order[first]].Length)
                    .Count();
            }

            int done = first;
            int owner = batch % ranks.Size;
            Array.ForEach(order[first..(first + count)], index => owners[index] = owner);
            if (owner == ranks.Rank)
            {
                RunBatch(
                    model,
                    [.. order[first..(first + count)].Select(index => answers[index])],
                    limits,
                    ended => progress?.Invoke(done += ended),
                    cancellation
                );
            }

            first += count;
        }

        List<int>[] texts = [.. answers.Select(answer => answer.Added)];
        if (ranks.Size == 1)
        {
            return [.. texts.Select(text => text.ToArray())];
        }

        return Exchange(ranks, texts, owners, limits.MaxTokens);
    }

    // Length, then tokens, of each text.
    private static int[][] Exchange(ICommunicator ranks, List<int>[] texts, int[] owners, int maxTokens)
    {
        int row = maxTokens + 1;
        int[] flat = new int[texts.Length * row];
        for (int i = 0; i < texts.Length; i++)
        {
            flat[i * row] = texts[i].Count;
            texts[i].CopyTo(flat, (i * row) + 1);
        }

        ranks.Exchange<int>(flat, owners, row);
        return [.. flat.Chunk(row).Select(text => text[1..(1 + text[0])])];
    }

    private static void RunBatch(
        Transformer model,
        Answer[] batch,
        AnswerLimits limits,
        Action<int> ended,
        CancellationToken cancellation
    )
    {
        int[][] starts = [.. batch.Select(answer => answer.Prompt.Length > 0 ? answer.Prompt : [limits.EndOfText])];
        int length = starts.Max(start => start.Length);
        int[] padding = [.. starts.Select(start => length - start.Length)];
        using var cache = new KeyValueCache(
            model.Config,
            batch.Length,
            length + limits.MaxTokens,
            model.Head.dtype,
            model.Parameters.Device,
            padding
        );
        long[] next =
        [
            .. starts
                .Zip(padding)
                .SelectMany(row => Enumerable.Repeat(0L, row.Second).Concat(row.First.Select(id => (long)id))),
        ]; // [B, T]
        Answer[] live = batch; // of each row of the cache
        var over = new HashSet<Answer>();
        while (over.Count < batch.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] drawn = Step(model, cache, next, live.Length, limits.Vocabulary);
            int before = over.Count;
            for (int row = 0; row < live.Length; row++)
            {
                Answer answer = live[row];
                if (!over.Contains(answer) && answer.EndsWith(drawn[row], limits))
                {
                    over.Add(answer);
                }
            }

            ended(over.Count - before);
            int[] rows = [.. Enumerable.Range(0, live.Length)];
            if (over.Count < batch.Length && 2 * live.Count(over.Contains) >= live.Length)
            {
                rows = [.. rows.Where(row => !over.Contains(live[row]))];
                cache.Keep(rows);
                live = [.. rows.Select(row => live[row])];
            }

            next = [.. rows.Select(row => (long)drawn[row])];
        }
    }

    // The most likely token after each row.
    private static int[] Step(Transformer model, KeyValueCache cache, long[] tokens, int rows, int vocabulary)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        int length = tokens.Length / rows;
        Tensor hidden = model.HiddenStates(tensor(tokens, rows, length).to(model.Parameters.Device), cache); // [N, D]
        Tensor last = hidden.view(rows, length, -1).select(1, length - 1); // [B, D]
        Tensor logits = model.LogitsOf(last).narrow(1, 0, vocabulary).to(ScalarType.Float32).cpu().contiguous(); // [B, V]
        float[] scores = logits.data<float>().ToArray();
        return
        [
            .. Enumerable
                .Range(0, rows)
                .Select(row => TextGenerator.MostLikely(scores.AsSpan(row * vocabulary, vocabulary))),
        ];
    }

    private sealed class Answer(int index, int[] prompt)
    {
        public int[] Prompt => prompt;

        public List<int> Added { get; } = [];

        // Adds a token, unless it is the one that ends a text, and says whether the text is over.
        public bool EndsWith(int token, AnswerLimits limits)
        {
            if (token == limits.EndOfText || limits.MoreEnds?.Contains(token) == true)
            {
                return true;
            }

            Added.Add(token);
            return limits.IsOver?.Invoke(index, Added) == true || Added.Count == limits.MaxTokens;
        }
    }
}

/// <summary>What ends a generated text, and which ids it is made of.</summary>
/// <param name="MaxTokens">Most tokens to add to a prompt.</param>
/// <param name="EndOfText">Id that ends a text.</param>
/// <param name="Vocabulary">Real token ids; rows of the output head beyond them are never taken.</param>
internal readonly record struct AnswerLimits(int MaxTokens, int EndOfText, int Vocabulary)
{
    /// <summary>Further ids that end a text, such as a chat model's end of a reply; null for none.</summary>
    public IReadOnlyList<int>? MoreEnds { get; init; }

    /// <summary>Told a prompt's index and its tokens so far, after each: whether the text ends there, before the limit; null for the end-of-text token alone.</summary>
    public Func<int, IReadOnlyList<int>, bool>? IsOver { get; init; }
}
