using Saltern.Tokenization;

namespace Saltern.Evaluation;

/// <summary>Tokens of which the last ones are to be scored.</summary>
/// <param name="Tokens">At least one more than targets; the last is predicted, never fed.</param>
/// <param name="TargetCount">Tokens to score, at least 1.</param>
/// <param name="IsCut">Whether the beginning was left out because the model knows fewer positions.</param>
/// <param name="LosesTargets">Whether even a part of what is to be scored was left out.</param>
internal sealed record ScoreRequest(int[] Tokens, int TargetCount, bool IsCut = false, bool LosesTargets = false)
{
    /// <summary>What the model reads.</summary>
    public ReadOnlySpan<int> Input => Tokens.AsSpan(0, Tokens.Length - 1);

    /// <summary>What it should predict.</summary>
    public ReadOnlySpan<int> Targets => Tokens.AsSpan(Tokens.Length - TargetCount);
}

/// <summary>A request's result.</summary>
/// <param name="LogProb">Σ ln p of the targets, nats.</param>
/// <param name="IsGreedy">Whether each target is the most likely token, ties to the lowest id.</param>
internal readonly record struct RequestScore(double LogProb, bool IsGreedy);

/// <summary>Texts → requests by the rules of lm-evaluation-harness (lm_eval/models: <c>_encode_pair</c>, <c>loglikelihood</c>, <c>loglikelihood_rolling</c>).</summary>
/// <param name="window">Most tokens that the model reads at once.</param>
internal sealed class RequestEncoder(BpeTokenizer tokenizer, int window)
{
    // What the harness calls prefix_token_id: begin-of-text where there is one, else end-of-text.
    private int Start
    {
        get
        {
            if (tokenizer.BeginOfText.Count > 0)
            {
                return tokenizer.BeginOfText[^1];
            }

            return tokenizer.EndOfTextId;
        }
    }

    /// <summary>log p(continuation | context).</summary>
    /// <remarks>
    /// White space at the end of the context moves to the continuation, because tokens begin with their blank. Context and continuation are encoded together and the
    /// context alone; what the whole has more are the targets. An empty context is the start token. Too long: cut from the left.
    /// </remarks>
    /// <exception cref="DataFormatException">The continuation has no token of its own.</exception>
    public ScoreRequest Pair(string context, string continuation)
    {
        string trimmed = context.TrimEnd();
        continuation = context[trimmed.Length..] + continuation;
        int[] whole = tokenizer.Encode(trimmed + continuation);
        int targets = whole.Length;
        IReadOnlyList<int> first = [Start];
        if (trimmed.Length > 0)
        {
            targets -= tokenizer.Encode(trimmed).Length;
            first = tokenizer.BeginOfText;
        }

        if (targets < 1)
        {
            throw new DataFormatException(
                $"The continuation '{continuation}' has no token of its own behind '{trimmed}'."
            );
        }

        int[] tokens = [.. first, .. whole];
        bool isCut = tokens.Length > window + 1;
        return new ScoreRequest(
            isCut ? tokens[^(window + 1)..] : tokens,
            Math.Min(targets, window),
            isCut,
            targets > window
        );
    }

    /// <summary>log p of a whole text: disjoint windows of targets, each after one token of context, the last after as much as fits.</summary>
    public IReadOnlyList<ScoreRequest> Rolling(string text)
    {
        int[] tokens = [Start, .. tokenizer.Encode(text)];
        var requests = new List<ScoreRequest>();
        int scored = 0;
        while (scored < tokens.Length - 1)
        {
            int targets = Math.Min(window, tokens.Length - 1 - scored);
            int end = scored + targets + 1;
            requests.Add(new ScoreRequest(tokens[Math.Max(0, end - window - 1)..end], targets));
            scored += targets;
        }

        return requests;
    }

    /// <summary>log p of each token of a stretch when it comes a second time, but the first, which nothing announces: all of them are read off one input.</summary>
    /// <param name="stretch">Ids, at least two. Only as many from the first on as fit twice.</param>
    public IReadOnlyList<ScoreRequest> Repeated(ReadOnlySpan<int> stretch)
    {
        bool isCut = 2 * stretch.Length > window;
        int length = isCut ? Math.Max(1, window / 2) : stretch.Length;
        int[] tokens = [Start, .. stretch[..length], .. stretch[..length]];
        return
        [
            .. Enumerable
                .Range(length + 2, length - 1)
                .Select(predicted => new ScoreRequest(tokens[..(predicted + 1)], TargetCount: 1, isCut)),
        ];
    }

    /// <summary>A prompt to go on from, cut from the left so that <paramref name="room"/> tokens fit behind it.</summary>
    public (int[] Tokens, bool IsCut) Prompt(string text, int room)
    {
        int[] tokens = [.. tokenizer.BeginOfText, .. tokenizer.Encode(text)];
        int most = Math.Max(1, window - room);
        return tokens.Length > most ? (tokens[^most..], true) : (tokens, false);
    }
}
