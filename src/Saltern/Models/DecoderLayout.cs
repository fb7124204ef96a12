namespace Saltern.Models;

/// <summary>Names, shapes and places of a decoder's weights; known from its shape alone, before any memory is taken.</summary>
/// <remarks>Names and order are Llama's for every family, with Llama-like names for what Llama lacks; how a family's files name and arrange them is StoredWeights.cs.</remarks>
internal sealed class DecoderLayout
{
    /// <summary>Name of the token embedding; of tied embeddings the head's too.</summary>
    public const string EmbeddingName = "model.embed_tokens.weight";

    /// <summary>Name of an untied output head.</summary>
    public const string HeadName = "lm_head.weight";

    private readonly HashSet<int> _norms = [];
    private readonly HashSet<int> _intoResidual = [];

    /// <summary>Plans the weights.</summary>
    public DecoderLayout(TransformerConfig config)
    {
        int width = config.HiddenSize;
        int inner = config.IntermediateSize;
        int queryRows = config.NumAttentionHeads * config.HeadDim;
        int keyRows = config.NumKeyValueHeads * config.HeadDim;
        Embedding = Parameters.Add(width, (EmbeddingName, config.VocabSize));
        if (config.LearnedPositions)
        {
            Positions = Parameters.Add(width, ("model.embed_positions.weight", config.PositionRows));
        }

        bool hasQkvBias = config.AttentionBias || config.QkvBias;
        bool hasOutputBias = config.AttentionBias || config.AttentionOutputBias;
        Layers = new DecoderLayer[config.NumHiddenLayers];
        for (int i = 0; i < Layers.Length; i++)
        {
            string at = $"model.layers.{i}.";
            string attention = at + "self_attn.";
            string mlp = at + "mlp.";

            // In the order of the flat buffer.
            NormBlocks? before = NormIf(config.HasNormsBefore, config, at + "input_layernorm");
            Layers[i] = new DecoderLayer
            {
                Index = i,
                AttentionNorm = before,
                Qkv = Parameters.Add(
                    width,
                    (attention + "q_proj.weight", queryRows),
                    (attention + "k_proj.weight", keyRows),
                    (attention + "v_proj.weight", keyRows)
                ),
                QkvBias = AddIf(
                    hasQkvBias,
                    (attention + "q_proj.bias", queryRows),
                    (attention + "k_proj.bias", keyRows),
                    (attention + "v_proj.bias", keyRows)
                ),
                QueryNorm = HeadNorm(config, attention + "q_norm.weight", queryRows),
                KeyNorm = HeadNorm(config, attention + "k_norm.weight", keyRows),
                Output = IntoResidual(queryRows, attention + "o_proj.weight", width),
                OutputBias = AddIf(hasOutputBias, (attention + "o_proj.bias", width)),
                AfterAttention = NormIf(config.HasNormsAfter, config, at + "post_attention_layernorm"),
                FeedForwardNorm = config.SharedAttentionNorm
                    ? before
                    : NormIf(config.HasNormsBefore, config, at + FeedForwardNormOf(config)),
                GateUp = AddGateUp(width, mlp, "weight", inner, config.IsGated),
                GateUpBias = config.MlpBias ? AddGateUp(null, mlp, "bias", inner, config.IsGated) : null,
                Down = IntoResidual(inner, mlp + "down_proj.weight", width),
                DownBias = AddIf(config.MlpBias, (mlp + "down_proj.bias", width)),
                AfterFeedForward = NormIf(config.HasNormsAfter, config, at + "post_feedforward_layernorm"),
            };
        }

        FinalNorm = Norm(config, "model.norm");
        Head = config.IsTied ? Embedding : Parameters.Add(width, (HeadName, config.VocabSize));
        HeadBias = AddIf(config.LmHeadBias, ("lm_head.bias", config.VocabSize));
    }

    /// <summary>Where each weight lies.</summary>
    public ParameterLayout Parameters { get; } = new();

    /// <summary>Block of the embedding, [V, D].</summary>
    public int Embedding { get; }

    /// <summary>Block of the learned positions, [positions, D]; null for rotary ones.</summary>
    public int? Positions { get; }

    /// <summary>Blocks of each layer.</summary>
    public DecoderLayer[] Layers { get; }

    /// <summary>Blocks of the last norm.</summary>
    public NormBlocks FinalNorm { get; }

    /// <summary>Block of the output head, [V, D]: the embedding's where tied.</summary>
    public int Head { get; }

    /// <summary>Block of its biases, [V]; null for none.</summary>
    public int? HeadBias { get; }

    /// <summary>Whether a block is a norm's weight, which starts at one.</summary>
    public bool IsNorm(int block) => _norms.Contains(block);

    /// <summary>Whether a block projects into the residual stream, and starts smaller for it.</summary>
    public bool IsIntoResidual(int block) => _intoResidual.Contains(block);

    // A block of biases, where the shape has it.
    private int? AddIf(bool exists, params ReadOnlySpan<(string Name, int Length)> biases)
    {
        if (exists)
        {
            return Parameters.Add(null, biases);
        }

        return null;
    }

    // The norm of query or key heads, where the shape has it.
    private int? HeadNorm(TransformerConfig config, string name, int rows)
    {
        if (config.QkNorm)
        {
            return NormWeight(name, config.QkNormWhole ? rows : config.HeadDim);
        }

        return null;
    }

    // Llama's name for it says what it comes after; where there is a norm after attention too, Gemma's says what it comes before.
    private static string FeedForwardNormOf(TransformerConfig config) =>
        config.HasNormsAfter ? "pre_feedforward_layernorm" : "post_attention_layernorm";

    private NormBlocks? NormIf(bool exists, TransformerConfig config, string name)
    {
        if (exists)
        {
            return Norm(config, name);
        }

        return null;
    }

    private NormBlocks Norm(TransformerConfig config, string name) =>
        new(
            NormWeight(name + ".weight", config.HiddenSize),
            AddIf(config.LayerNormEps is not null, (name + ".bias", config.HiddenSize))
        );

    private int NormWeight(string name, int length)
    {
        int block = Parameters.Add(null, (name, length));
        _norms.Add(block);
        return block;
    }

    private int IntoResidual(int columns, string name, int rows)
    {
        int block = Parameters.Add(columns, (name, rows));
        _intoResidual.Add(block);
        return block;
    }

    private int AddGateUp(int? columns, string mlp, string kind, int inner, bool gated)
    {
        if (gated)
        {
            return Parameters.Add(columns, ($"{mlp}gate_proj.{kind}", inner), ($"{mlp}up_proj.{kind}", inner));
        }

        return Parameters.Add(columns, ($"{mlp}up_proj.{kind}", inner));
    }
}
