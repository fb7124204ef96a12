namespace Saltern.Models;

/// <summary>Names, shapes and places of a decoder's weights; known from its shape alone, before any memory is taken.</summary>
internal sealed class DecoderLayout
{
    /// <summary>Plans the weights.</summary>
    /// <param name="config">A resolved shape.</param>
    public DecoderLayout(TransformerConfig config)
    {
        int width = config.HiddenSize, inner = config.IntermediateSize;
        int queryRows = config.NumAttentionHeads * config.HeadDim, keyRows = config.NumKeyValueHeads * config.HeadDim;
        Embedding = Parameters.Add(width, ("model.embed_tokens.weight", config.VocabSize));
        Layers = new DecoderLayer[config.NumHiddenLayers];
        for (int i = 0; i < Layers.Length; i++)
        {
            string at = $"model.layers.{i}.", attention = at + "self_attn.", mlp = at + "mlp.";
            Layers[i] = new DecoderLayer
            {
                AttentionNorm = Parameters.Add(null, (at + "input_layernorm.weight", width)),
                Qkv = Parameters.Add(width, (attention + "q_proj.weight", queryRows), (attention + "k_proj.weight", keyRows), (attention + "v_proj.weight", keyRows)),
                QkvBias = config.AttentionBias || config.QkvBias ? Parameters.Add(null, (attention + "q_proj.bias", queryRows), (attention + "k_proj.bias", keyRows), (attention + "v_proj.bias", keyRows)) : null,
                QueryNorm = config.QkNorm ? Parameters.Add(null, (attention + "q_norm.weight", config.HeadDim)) : null,
                KeyNorm = config.QkNorm ? Parameters.Add(null, (attention + "k_norm.weight", config.HeadDim)) : null,
                Output = Parameters.Add(queryRows, (attention + "o_proj.weight", width)),
                OutputBias = config.AttentionBias ? Parameters.Add(null, (attention + "o_proj.bias", width)) : null,
                FeedForwardNorm = Parameters.Add(null, (at + "post_attention_layernorm.weight", width)),
                GateUp = Parameters.Add(width, (mlp + "gate_proj.weight", inner), (mlp + "up_proj.weight", inner)),
                GateUpBias = config.MlpBias ? Parameters.Add(null, (mlp + "gate_proj.bias", inner), (mlp + "up_proj.bias", inner)) : null,
                Down = Parameters.Add(inner, (mlp + "down_proj.weight", width)),
                DownBias = config.MlpBias ? Parameters.Add(null, (mlp + "down_proj.bias", width)) : null,
            };
        }

        FinalNorm = Parameters.Add(null, ("model.norm.weight", width));
        Head = config.IsTied ? Embedding : Parameters.Add(width, ("lm_head.weight", config.VocabSize));
    }

    /// <summary>Where each weight lies.</summary>
    public ParameterLayout Parameters { get; } = new();

    /// <summary>Block of the embedding, [V, D].</summary>
    public int Embedding { get; }

    /// <summary>Blocks of each layer.</summary>
    public DecoderLayer[] Layers { get; }

    /// <summary>Block of the last norm's weight, [D].</summary>
    public int FinalNorm { get; }

    /// <summary>Block of the output head, [V, D]: the embedding's where tied.</summary>
    public int Head { get; }
}
