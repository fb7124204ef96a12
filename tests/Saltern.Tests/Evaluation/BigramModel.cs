using Saltern.Evaluation;
using Saltern.Models;
using Saltern.Tokenization;
using static TorchSharp.torch;

namespace Saltern.Tests.Evaluation;

/// <summary>A decoder whose probabilities are written down by hand: p(next | last), over bytes.</summary>
/// <remarks>
/// Embeddings are one-hot, layers add nothing, the last norm turns the length back to one, and column t of the head holds ln p(· | t). So log probabilities are exact
/// but for float32, through the whole of the real code.
/// </remarks>
internal static class BigramModel
{
    private const int Hidden = 320;

    /// <summary>Bytes, end-of-text, and the merge " x": a token that begins with its blank.</summary>
    public static BpeTokenizer Tokenizer { get; } =
        BpeTrainer.Train(
            [" x x x x x x x x"],
            new BpeTrainerOptions { VocabularySize = 258, SpecialTokens = ["<|endoftext|>"] }
        );

    /// <summary>Makes the model.</summary>
    /// <param name="window">Most tokens at once.</param>
    /// <param name="probabilities">p(next | last); what is left of each row is shared among the other tokens.</param>
    public static TaskModel Create(int window, params (string Last, string Next, double Probability)[] probabilities)
    {
        int vocabulary = Tokenizer.VocabularySize;
        TransformerConfig config = new TransformerConfig
        {
            HiddenSize = Hidden,
            NumHiddenLayers = 1,
            NumAttentionHeads = 5,
            IntermediateSize = 64,
            TieWordEmbeddings = false,
        }.Resolve(vocabulary, 64);
        var model = new Transformer(config, trainable: false);
        using IDisposable _ = no_grad();

        // Long embeddings make the norm's epsilon vanish.
        Copy(model, "model.embed_tokens.weight", (eye(config.VocabSize, Hidden) * 1_000).to(ScalarType.Float32));
        Copy(model, "model.norm.weight", full([Hidden], 1 / Math.Sqrt(Hidden), ScalarType.Float32));
        float[,] head = new float[config.VocabSize, Hidden];
        for (int last = 0; last < vocabulary; last++)
        {
            (string Last, string Next, double Probability)[] row = [.. probabilities.Where(p => Id(p.Last) == last)];
            double rest = (1 - row.Sum(p => p.Probability)) / (vocabulary - row.Length);
            for (int next = 0; next < vocabulary; next++)
            {
                head[next, last] = (float)
                    Math.Log(
                        row.FirstOrDefault(p => Id(p.Next) == next) is { Next: not null } known
                            ? known.Probability
                            : rest
                    );
            }
        }

        Copy(model, "lm_head.weight", tensor(head));
        return new TaskModel("bigram", model, Tokenizer, window);
    }

    /// <summary>Probability of a token that nothing was said of, after one of which nothing was said.</summary>
    public static double Uniform => 1.0 / Tokenizer.VocabularySize;

    /// <summary>Id of a text of one token; end-of-text for the empty one.</summary>
    public static int Id(string text)
    {
        if (text.Length == 0)
        {
            return Tokenizer.EndOfTextId;
        }

        return Assert.Single(Tokenizer.Encode(text));
    }

    private static void Copy(Transformer model, string name, Tensor values)
    {
        using (values)
        {
            model.Parameters.Weight(model.Parameters.Layout.Slices.Single(slice => slice.Name == name)).copy_(values);
        }
    }
}
