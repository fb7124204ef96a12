using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>How the next token is drawn.</summary>
public sealed record SamplingOptions
{
    /// <summary>Most tokens to add.</summary>
    public int MaxTokens { get; init; } = 128;

    /// <summary>Divides the logits; 0 always takes the most likely token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Only the k most likely tokens take part; 0 means all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the most likely tokens that together have this probability take part; 1 means all.</summary>
    public double TopP { get; init; } = 1.0;

    /// <summary>Divides positive and multiplies negative logits of tokens that the prompt or the text have already (arXiv:1909.05858, as transformers has it); 1 means no penalty.</summary>
    public double RepetitionPenalty { get; init; } = 1.0;

    /// <summary>Decides the draws.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ConfigurationException">A value is out of range; all are listed.</exception>
    internal void Validate()
    {
        var problems = new List<string>();
        void Require(bool holds, string problem)
        {
            if (!holds)
            {
                problems.Add(problem);
            }
        }

        Require(MaxTokens > 0, $"--max-tokens = {MaxTokens} must be at least 1.");
        Require(
            Temperature is >= 0 and <= 100,
            $"--temperature = {Temperature} is outside [0, 100]. Use 0 for the most likely token each time."
        );
        Require(TopK >= 0, $"--top-k = {TopK} must be at least 0. Use 0 for all tokens.");
        Require(
            RepetitionPenalty is > 0 and <= 100,
            $"--repetition-penalty = {RepetitionPenalty} is outside (0, 100]. Use 1 for none."
        );
        Require(TopP is > 0 and <= 1, $"--top-p = {TopP} is outside (0, 1]. Use 1 for all tokens.");
        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}

/// <summary>Lets a model continue a text, one token after the other, each computed once.</summary>
public static class TextGenerator
{
    /// <summary>The tokens that the model adds, end-of-text left out; ends there, at the limit, or when cancelled.</summary>
    /// <param name="model">Any decoder.</param>
    /// <param name="prompt">Ids to continue, of a longer one the last that fit into the model's positions; an empty prompt starts from the end-of-text token.</param>
    /// <param name="endOfText">Id that ends a text.</param>
    /// <param name="vocabulary">Real token ids; rows of the output head beyond them are never drawn.</param>
    /// <param name="options">How to draw.</param>
    /// <param name="cancellation">Ends the text early.</param>
    public static IEnumerable<int> Generate(
        Transformer model,
        IReadOnlyList<int> prompt,
        int endOfText,
        int vocabulary,
        SamplingOptions options,
        CancellationToken cancellation = default
    ) => Generate(model, prompt, [endOfText], vocabulary, options, cancellation);

    /// <summary>As the other, with several tokens that end a text.</summary>
    /// <param name="model">Any decoder.</param>
    /// <param name="prompt">Ids to continue, of a longer one the last that fit into the model's positions; an empty prompt starts from the first end token.</param>
    /// <param name="endTokens">Ids that end a text, at least one.</param>
    /// <param name="vocabulary">Real token ids; rows of the output head beyond them are never drawn.</param>
    /// <param name="options">How to draw.</param>
    /// <param name="cancellation">Ends the text early.</param>
    public static IEnumerable<int> Generate(
        Transformer model,
        IReadOnlyList<int> prompt,
        IReadOnlyList<int> endTokens,
        int vocabulary,
        SamplingOptions options,
        CancellationToken cancellation = default
    )
    {
        options.Validate();
        return Tokens(model, prompt, endTokens, vocabulary, options, cancellation);
    }

    private static IEnumerable<int> Tokens(
        Transformer model,
        IReadOnlyList<int> prompt,
        IReadOnlyList<int> endTokens,
        int vocabulary,
        SamplingOptions options,
        CancellationToken cancellation
    )
    {
        int window = model.Config.MaxPositionEmbeddings;
        var random = new Random(options.Seed);
        List<int> text = prompt.Count > 0 ? [.. prompt] : [endTokens[0]];
        HashSet<int> seen = [.. text];
        KeyValueCache cache = NewCache(model, window);
        try
        {
            float[] logits = Feed(model, cache, Tail(text, window - 1), vocabulary);
            for (int i = 0; i < options.MaxTokens && !cancellation.IsCancellationRequested; i++)
            {
                Penalise(logits, seen, options.RepetitionPenalty);
                int token = Draw(logits, options, random);
                if (endTokens.Contains(token))
                {
                    yield break;
                }

                text.Add(token);
                seen.Add(token);
                yield return token;
                if (cache.Length >= window)
                {
                    // Past the positions that the model knows: continue from the second half of the window.
                    cache.Dispose();
                    cache = NewCache(model, window);
                    logits = Feed(model, cache, Tail(text, Math.Max(1, window / 2)), vocabulary);
                }
                else
                {
                    logits = Feed(model, cache, [token], vocabulary);
                }
            }
        }
        finally
        {
            cache.Dispose();
        }
    }

    /// <summary>Makes tokens that are there already less likely.</summary>
    /// <param name="logits">[V], changed in place.</param>
    /// <param name="seen">Ids of prompt and text.</param>
    /// <param name="penalty">1 changes nothing.</param>
    internal static void Penalise(Span<float> logits, IReadOnlySet<int> seen, double penalty)
    {
        if (penalty == 1)
        {
            return;
        }

        foreach (int id in seen)
        {
            if (id >= logits.Length)
            {
                continue; // of the prompt, which may have ids beyond the real vocabulary
            }

            logits[id] = (float)(logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty);
        }
    }

    /// <summary>Draws one token from a row of logits.</summary>
    /// <param name="random">Source of the draw.</param>
    internal static int Draw(ReadOnlySpan<float> logits, SamplingOptions options, Random random)
    {
        int best = MostLikely(logits);
        if (options.Temperature == 0)
        {
            return best;
        }

        int[] ids = new int[logits.Length];
        double[] weights = new double[logits.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            (ids[i], weights[i]) = (i, Math.Exp((logits[i] - logits[best]) / options.Temperature));
        }

        int kept = ids.Length;
        if (options.TopK > 0 || options.TopP < 1)
        {
            // Most likely first; ties by id, so that a draw does not depend on the sort.
            Array.Sort(ids, (a, b) => weights[b] != weights[a] ? weights[b].CompareTo(weights[a]) : a.CompareTo(b));
            if (options.TopK > 0)
            {
                kept = Math.Min(options.TopK, kept);
            }

            double within = 0;
            double wanted = options.TopP * ids.Take(kept).Sum(id => weights[id]);
            int nucleus = 0;
            while (nucleus < kept && within < wanted)
            {
                within += weights[ids[nucleus++]];
            }

            kept = Math.Max(1, nucleus);
        }

        double total = 0;
        for (int i = 0; i < kept; i++)
        {
            total += weights[ids[i]];
        }

        double left = random.NextDouble() * total;
        for (int i = 0; i < kept; i++)
        {
            left -= weights[ids[i]];
            if (left < 0)
            {
                return ids[i];
            }
        }

        return ids[kept - 1];
    }

    /// <summary>Id of the largest logit; the lowest of equal ones.</summary>
    internal static int MostLikely(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
            {
                best = i;
            }
        }

        return best;
    }

    private static KeyValueCache NewCache(Transformer model, int window) =>
        new(model.Config, 1, window, model.Parameters.Type, model.Parameters.Device);

    private static int[] Tail(List<int> text, int count) =>
        [.. text.Skip(Math.Max(0, text.Count - Math.Max(1, count)))];

    // Next-token scores after some tokens, [V].
    private static float[] Feed(Transformer model, KeyValueCache cache, int[] tokens, int vocabulary)
    {
        using var scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor ids = tensor(tokens, ScalarType.Int64, model.Parameters.Device).unsqueeze(0); // [1, T]
        Tensor last = model.HiddenStates(ids, cache).narrow(0, tokens.Length - 1, 1); // [1, D]
        Tensor logits = model.LogitsOf(last).narrow(1, 0, vocabulary).to(ScalarType.Float32).cpu(); // [1, V]
        return logits.data<float>().ToArray();
    }
}
