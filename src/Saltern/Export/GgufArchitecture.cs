// How llama.cpp spells a decoder: the architecture's name, its keys, and the names of its weights. The table is docs/gguf.md.
using Saltern.Models;

namespace Saltern.Export;

/// <summary>A model's shape in GGUF's words.</summary>
internal sealed class GgufArchitecture
{
    private const string Llama = "llama";
    private const string Qwen2 = "qwen2";
    private const string Qwen3 = "qwen3";
    private const string GptNeox = "gptneox";
    private const string Layers = ".layers.";

    // Hugging Face's names, of the Llama kin and of GPT-NeoX, behind the number of a layer and elsewhere.
    private static readonly Dictionary<string, string> LayerNames = new()
    {
        ["input_layernorm"] = "attn_norm",
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["attention.query_key_value"] = "attn_qkv",
        ["attention.dense"] = "attn_output",
        ["post_attention_layernorm"] = "ffn_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.dense_h_to_4h"] = "ffn_up",
        ["mlp.dense_4h_to_h"] = "ffn_down",
    };

    private static readonly Dictionary<string, string> OtherNames = new()
    {
        ["model.embed_tokens"] = "token_embd",
        ["gpt_neox.embed_in"] = "token_embd",
        ["model.norm"] = "output_norm",
        ["gpt_neox.final_layer_norm"] = "output_norm",
        ["lm_head"] = "output",
        ["embed_out"] = "output",
    };

    private readonly TransformerConfig _config;

    /// <summary>Finds the architecture.</summary>
    /// <exception cref="DataFormatException">llama.cpp computes no such model; the message names what it lacks.</exception>
    public GgufArchitecture(TransformerConfig config)
    {
        _config = config;
        Name = NameOf(config);
        if (config.LearnedPositions)
        {
            throw new DataFormatException("GPT-2 models are not exported to GGUF. Export as hf.");
        }

        if (Name == GptNeox && !config.AttentionBias)
        {
            throw new DataFormatException(
                "A GPT-NeoX model without attention_bias cannot be exported to GGUF: "
                    + "the architecture gptneox has these biases. Export as hf."
            );
        }

        if (config.RopeScaling is not null && Name != Llama)
        {
            throw new DataFormatException(
                $"rope_scaling llama3 cannot be exported to GGUF for a {Name} model: "
                    + "only the architecture llama has the factors of its frequencies. Export as hf."
            );
        }

        if (config.QkNorm && config.AttentionBias)
        {
            throw new DataFormatException(
                "attention_bias beside norms of queries and keys cannot be exported to GGUF: "
                    + "the architecture qwen3 has no biases. Export as hf."
            );
        }

        var warnings = new List<string>();
        ContextLength = config.MaxPositionEmbeddings;
        if (config.SlidingWindow > 0 && config.SlidingWindow < config.MaxPositionEmbeddings)
        {
            // Beyond the window the architectures' own attention would see more than the model does.
            ContextLength = config.SlidingWindow;
            warnings.Add(
                $"GGUF's {Name} has no sliding window, so the file gives the window of {ContextLength} tokens "
                    + "as the longest context, up to which both are the same; "
                    + $"the model was meant for {config.MaxPositionEmbeddings}."
            );
        }

        if (config.HiddenAct == Activation.Gelu)
        {
            warnings.Add(
                "llama.cpp computes hidden_act gelu by its approximation with tanh: "
                    + "activations differ by up to 5e-4 from the model's own."
            );
        }

        Warnings = warnings;
    }

    /// <summary>Name of the architecture.</summary>
    public string Name { get; }

    /// <summary>Longest sequence in which the file's program computes what the model does, tokens.</summary>
    public int ContextLength { get; }

    /// <summary>What the architecture cannot say.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Whether query and key heads rotate neighbouring elements rather than halves, so that their rows change places.</summary>
    public bool RotatesNeighbours => Name == Llama;

    /// <summary>Whether the file has a head of its own even where it is the embedding.</summary>
    public bool RepeatsTiedHead => Name == GptNeox && _config.IsTied;

    /// <summary>Adds the keys that describe the shape.</summary>
    public void Describe(GgufMetadata metadata)
    {
        TransformerConfig c = _config;
        metadata.Add($"{Name}.context_length", (uint)ContextLength);
        metadata.Add($"{Name}.vocab_size", (uint)c.VocabSize);
        metadata.Add($"{Name}.embedding_length", (uint)c.HiddenSize);
        metadata.Add($"{Name}.block_count", (uint)c.NumHiddenLayers);
        metadata.Add($"{Name}.feed_forward_length", (uint)c.IntermediateSize);
        metadata.Add($"{Name}.attention.head_count", (uint)c.NumAttentionHeads);
        metadata.Add($"{Name}.attention.head_count_kv", (uint)c.NumKeyValueHeads);
        metadata.Add($"{Name}.attention.key_length", (uint)c.HeadDim);
        metadata.Add($"{Name}.attention.value_length", (uint)c.HeadDim);
        metadata.Add($"{Name}.rope.dimension_count", (uint)c.RotaryDim);
        metadata.Add($"{Name}.rope.freq_base", (float)c.RopeTheta);
        if (c.LayerNormEps is double epsilon)
        {
            metadata.Add($"{Name}.attention.layer_norm_epsilon", (float)epsilon);
            metadata.Add($"{Name}.use_parallel_residual", c.UseParallelResidual);
        }
        else
        {
            metadata.Add($"{Name}.attention.layer_norm_rms_epsilon", (float)c.RmsNormEps);
        }
    }

    /// <summary>A weight's name in the file.</summary>
    public static string NameOf(string name)
    {
        int kind = name.LastIndexOf('.'); // .weight or .bias
        int layers = name.IndexOf(Layers, StringComparison.Ordinal);
        if (layers < 0)
        {
            return OtherNames[name[..kind]] + name[kind..];
        }

        int number = layers + Layers.Length;
        int end = name.IndexOf('.', number);
        return $"blk.{name[number..end]}.{LayerNames[name[(end + 1)..kind]]}{name[kind..]}";
    }

    /// <summary>What divides each frequency of the rotary positions, [A/2]; null where they are not scaled.</summary>
    public float[]? FrequencyFactors()
    {
        if (_config.RopeScaling is not RopeScalingConfig scaling)
        {
            return null;
        }

        var factors = new float[_config.HeadDim / 2];
        for (int i = 0; i < factors.Length; i++)
        {
            double frequency = Math.Pow(_config.RopeTheta, -2.0 * i / _config.HeadDim);
            factors[i] = (float)(frequency / scaling.Scale(frequency));
        }

        return factors;
    }

    private static string NameOf(TransformerConfig config)
    {
        if (config.LayerNormEps is not null)
        {
            return GptNeox;
        }

        if (config.QkNorm)
        {
            return Qwen3;
        }

        return config.QkvBias ? Qwen2 : Llama;
    }
}
