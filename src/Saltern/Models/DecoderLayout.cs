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
            Positions = Parameters.Add(width, ("model.embed_positions.weight", config.MaxPositionEmbeddings));
        }

        bool hasNormBias = config.LayerNormEps is not null;
        bool hasQkvBias = config.AttentionBias || config.QkvBias;
        Layers = new DecoderLayer[config.NumHiddenLayers];
        for (int i = 0; i < Layers.Length; i++)
        {
            string at = $"model.layers.{i}.";
            string attention = at + "self_attn.";
            string mlp = at + "mlp.";

            // In the order of the flat buffer.
            Layers[i] = new DecoderLayer
            {
                AttentionNorm = Norm(at + "input_layernorm.weight", width),
                AttentionNormBias = AddIf(hasNormBias, (at + "input_layernorm.bias", width)),
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
                QueryNorm = HeadNorm(config, attention + "q_norm.weight"),
                KeyNorm = HeadNorm(config, attention + "k_norm.weight"),
                Output = IntoResidual(queryRows, attention + "o_proj.weight", width),
                OutputBias = AddIf(config.AttentionBias, (attention + "o_proj.bias", width)),
                FeedForwardNorm = Norm(at + "post_attention_layernorm.weight", width),
                FeedForwardNormBias = AddIf(hasNormBias, (at + "post_attention_layernorm.bias", width)),
                GateUp = AddGateUp(width, mlp, "weight", inner, config.IsGated),
                GateUpBias = config.MlpBias ? AddGateUp(null, mlp, "bias", inner, config.IsGated) : null,
                Down = IntoResidual(inner, mlp + "down_proj.weight", width),
                DownBias = AddIf(config.MlpBias, (mlp + "down_proj.bias", width)),
            };
        }

        FinalNorm = Norm("model.norm.weight", width);
        FinalNormBias = AddIf(hasNormBias, ("model.norm.bias", width));
        Head = config.IsTied ? Embedding : Parameters.Add(width, (HeadName, config.VocabSize));
    }

    /// <summary>Where each weight lies.</summary>
    public ParameterLayout Parameters { get; } = new();

    /// <summary>Block of the embedding, [V, D].</summary>
    public int Embedding { get; }

    /// <summary>Block of the learned positions, [positions, D]; null for rotary ones.</summary>
    public int? Positions { get; }

    /// <summary>Blocks of each layer.</summary>
    public DecoderLayer[] Layers { get; }

    /// <summary>Block of the last norm's weight, [D].</summary>
    public int FinalNorm { get; }

    /// <summary>Block of its bias, [D]; null for an RMS norm.</summary>
    public int? FinalNormBias { get; }

    /// <summary>Block of the output head, [V, D]: the embedding's where tied.</summary>
    public int Head { get; }

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

    // The norm of each query or key head, where the shape has it.
    private int? HeadNorm(TransformerConfig config, string name)
    {
        if (config.QkNorm)
        {
            return Norm(name, config.HeadDim);
        }

        return null;
    }

    private int Norm(string name, int length)
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
