using Saltern.Distributed;

namespace Saltern.Models;

/// <summary>Lets a model continue many texts at once, always by the most likely token: what <see cref="TextGenerator"/> gives at temperature 0, in far fewer passes.</summary>
/// <remarks>
/// Prompts of like length share a batch, padded on the left so that they end together; texts that are over leave it. Sums of a larger product may be rounded
/// otherwise, so a text can differ from the one generated alone where two tokens are equally likely to the last bits.
/// </remarks>
internal static class GreedyBatch
{
    // Sequences of a batch.
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
            int count = Math.Min(
                Math.Clamp(GenerationBatch.MostPositions / positions, 1, MostRows),
                order.Length - first
            );
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
                    () => progress?.Invoke(++done),
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
        Action ended,
        CancellationToken cancellation
    )
    {
        GenerationRow[] rows =
        [
            .. batch.Select(answer => new GenerationRow(
                answer.Prompt.Length > 0 ? answer.Prompt : [limits.EndOfText],
                limits.MaxTokens,
                logits => Next(answer, logits)
            )),
        ];
        GenerationBatch.Run(model, rows, limits.Vocabulary, cancellation);

        int? Next(Answer answer, ReadOnlySpan<float> logits)
        {
            int token = TextGenerator.MostLikely(logits);
            bool isOver = answer.EndsWith(token, limits);
            if (isOver)
            {
                ended();
            }

            return isOver ? null : token;
        }
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
