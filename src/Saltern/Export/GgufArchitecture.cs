// How llama.cpp spells a decoder: the architecture's name, its keys, and the names of its weights. The table is docs/gguf.md.
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Export;

/// <summary>A model's shape in GGUF's words.</summary>
internal sealed class GgufArchitecture
{
    // What stands before the number of a layer.
    private static readonly string[] Layers = [".layers.", StoredWeights.Gpt2Prefix + "h."];
    private const int SmolLmStep = 4; // layers; the architecture turns nothing in every fourth one
    private const int Gemma3Step = 6; // layers; every sixth one sees all
    private const double Gemma3LocalTheta = 10_000;

    // The architectures, and the families that they compute.
    private static readonly Dictionary<ModelFamily, string> Names = new()
    {
        [ModelFamily.Llama] = "llama",
        [ModelFamily.Mistral] = "llama",
        [ModelFamily.Qwen2] = "qwen2",
        [ModelFamily.Qwen3] = "qwen3",
        [ModelFamily.GptNeox] = "gptneox",
        [ModelFamily.Olmo2] = "olmo2",
        [ModelFamily.SmolLm3] = "smollm3",
        [ModelFamily.Granite] = "granite",
        [ModelFamily.Gemma] = "gemma",
        [ModelFamily.Gemma2] = "gemma2",
        [ModelFamily.Gemma3] = "gemma3",
        [ModelFamily.Phi] = "phi2",
        [ModelFamily.Gpt2] = "gpt2",
    };

    // Hugging Face's names, of the Llama kin, GPT-NeoX, Phi and GPT-2, behind the number of a layer and elsewhere.
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
        ["self_attn.dense"] = "attn_output",
        ["mlp.fc1"] = "ffn_up",
        ["mlp.fc2"] = "ffn_down",
        ["pre_feedforward_layernorm"] = "ffn_norm",
        ["post_feedforward_layernorm"] = "post_ffw_norm",
        ["ln_1"] = "attn_norm",
        ["attn.c_attn"] = "attn_qkv",
        ["attn.c_proj"] = "attn_output",
        ["ln_2"] = "ffn_norm",
        ["mlp.c_fc"] = "ffn_up",
        ["mlp.c_proj"] = "ffn_down",
    };

    private static readonly Dictionary<string, string> OtherNames = new()
    {
        ["model.embed_tokens"] = "token_embd",
        ["gpt_neox.embed_in"] = "token_embd",
        ["model.norm"] = "output_norm",
        ["model.final_layernorm"] = "output_norm",
        ["gpt_neox.final_layer_norm"] = "output_norm",
        ["lm_head"] = "output",
        ["embed_out"] = "output",
        [StoredWeights.Gpt2Prefix + "wte"] = "token_embd",
        [StoredWeights.Gpt2Prefix + "wpe"] = "position_embd",
        [StoredWeights.Gpt2Prefix + "ln_f"] = "output_norm",
    };

    private readonly TransformerConfig _config;
    private readonly ModelFamily _family;

    /// <summary>Finds the architecture.</summary>
    /// <exception cref="DataFormatException">llama.cpp computes no such model; the message names what it lacks.</exception>
    public GgufArchitecture(TransformerConfig config)
    {
        _config = config;
        _family = ModelFamilies.Of(config);
        if (!Names.TryGetValue(_family, out string? name))
        {
            throw new DataFormatException(
                $"{ModelFamilies.NameOf(_family)} models cannot be exported to GGUF: llama.cpp has no architecture for them. Export as hf."
            );
        }

        Name = name;
        (bool IsWrong, string Message)[] limits =
        [
            (
                _family is ModelFamily.GptNeox && !config.AttentionBias,
                "A GPT-NeoX model without attention_bias cannot be exported to GGUF: the architecture gptneox has these biases"
            ),
            (
                config.RopeScaling is not null && !ScalesRotation,
                $"rope_scaling {config.RopeScaling?.RopeType.ToString().ToLowerInvariant()} cannot be exported to GGUF for a {Name} model: "
                    + "only the architecture llama has the factors of its frequencies, the others linear ones"
            ),
            (
                config.RopeScaling is { Magnitude: not 1 },
                "rope_scaling yarn with a factor of cosines and sines cannot be exported to GGUF: its factors are those of frequencies"
            ),
            (
                _family is ModelFamily.Qwen3 && config.AttentionBias,
                "attention_bias beside norms of queries and keys cannot be exported to GGUF: the architecture qwen3 has no biases"
            ),
            (
                (config.NormUnitOffset || _family is ModelFamily.Olmo2 or ModelFamily.SmolLm3)
                    && (config.AttentionBias || config.MlpBias),
                $"Biases cannot be exported to GGUF for a {Name} model: the architecture has none"
            ),
            (
                config.NormUnitOffset && !config.IsTied,
                $"A head of its own cannot be exported to GGUF for a {Name} model: the architecture's is the embedding"
            ),
            (
                _family is ModelFamily.Gemma2
                    && (config.AttnLogitSoftcapping is null || config.FinalLogitSoftcapping is null),
                "A Gemma 2 model without both caps cannot be exported to GGUF: the architecture gemma2 has them"
            ),
            (
                _family is ModelFamily.Gemma3
                    && (config.AttnLogitSoftcapping is not null || config.FinalLogitSoftcapping is not null),
                "A Gemma 3 model with caps cannot be exported to GGUF: the architecture gemma3 has none"
            ),
            (
                _family is ModelFamily.Gemma2 or ModelFamily.Gemma3
                    && Math.Abs((config.ScoreScale * Math.Sqrt(config.HeadDim)) - 1) > 1e-6,
                $"query_pre_attn_scalar other than head_dim cannot be exported to GGUF for a {Name} model"
            ),
            (
                _family is ModelFamily.Gemma3 && (config.RopeLocalBaseFreq ?? Gemma3LocalTheta) != Gemma3LocalTheta,
                "rope_local_base_freq other than 10000 cannot be exported to GGUF: the architecture gemma3 has that one"
            ),
            (
                !HasKindsOf(config),
                $"Layers of these kinds (window_pattern, rope_pattern) cannot be exported to GGUF for a {Name} model: "
                    + "the architecture has its own pattern"
            ),
        ];
        if (limits.FirstOrDefault(limit => limit.IsWrong).Message is string message)
        {
            throw new DataFormatException(message + ". Export as hf.");
        }

        var warnings = new List<string>();
        ContextLength = config.MaxPositionEmbeddings;
        if (!HasWindows && config.SlidingWindow > 0 && config.SlidingWindow < config.MaxPositionEmbeddings)
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

    /// <summary>The architecture that computes a family's models; null for none.</summary>
    public static string? NameOf(ModelFamily family) => Names.GetValueOrDefault(family);

    /// <summary>Name of the architecture.</summary>
    public string Name { get; }

    /// <summary>Longest sequence in which the file's program computes what the model does, tokens.</summary>
    public int ContextLength { get; }

    /// <summary>What the architecture cannot say.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Whether query and key heads rotate neighbouring elements rather than halves, so that their rows change places.</summary>
    public bool RotatesNeighbours =>
        _family is ModelFamily.Llama or ModelFamily.Mistral or ModelFamily.Granite or ModelFamily.SmolLm3;

    /// <summary>Whether the file has a head of its own even where it is the embedding.</summary>
    public bool RepeatsTiedHead => _family is ModelFamily.GptNeox && _config.IsTied;

    /// <summary>Whether weights of norms, kept as w − 1 here, are w in the file.</summary>
    public bool AddsOneToNorms => _config.NormUnitOffset;

    // Whether the file can say how rotary frequencies are scaled.
    private bool ScalesRotation => Name == Names[ModelFamily.Llama] || _config.RopeScaling?.RopeType == RopeType.Linear;

    // Whether the architecture has windows.
    private bool HasWindows => _family is ModelFamily.Gemma2 or ModelFamily.Gemma3;

    // Whether the layers are of the kinds that the architecture gives them.
    private bool HasKindsOf(TransformerConfig c)
    {
        int[] layers = [.. Enumerable.Range(0, c.NumHiddenLayers)];
        return _family switch
        {
            ModelFamily.Gemma2 => layers.All(layer => c.WindowOf(layer) > 0 == (layer % 2 == 0)),
            ModelFamily.Gemma3 => layers.All(layer => c.WindowOf(layer) > 0 == ((layer + 1) % Gemma3Step != 0)),
            ModelFamily.SmolLm3 => layers.All(layer => c.IsRotated(layer) == ((layer + 1) % SmolLmStep != 0)),
            _ => true,
        };
    }

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
        if (!c.LearnedPositions)
        {
            metadata.Add($"{Name}.rope.dimension_count", (uint)c.RotaryDim);
            metadata.Add($"{Name}.rope.freq_base", (float)c.RopeTheta);
        }

        if (c.LayerNormEps is double epsilon)
        {
            metadata.Add($"{Name}.attention.layer_norm_epsilon", (float)epsilon);
        }
        else
        {
            metadata.Add($"{Name}.attention.layer_norm_rms_epsilon", (float)c.RmsNormEps);
        }

        if (_family is ModelFamily.GptNeox)
        {
            metadata.Add($"{Name}.use_parallel_residual", c.UseParallelResidual);
        }

        if (HasWindows)
        {
            metadata.Add($"{Name}.attention.sliding_window", (uint)c.SlidingWindow);
        }

        if (_family is ModelFamily.Gemma2)
        {
            metadata.Add($"{Name}.attn_logit_softcapping", (float)c.AttnLogitSoftcapping!.Value);
            metadata.Add($"{Name}.final_logit_softcapping", (float)c.FinalLogitSoftcapping!.Value);
        }

        if (Name != Names[ModelFamily.Llama] && c.RopeScaling is RopeScalingConfig scaling)
        {
            metadata.Add($"{Name}.rope.scaling.type", "linear");
            metadata.Add($"{Name}.rope.scaling.factor", (float)scaling.Factor);
        }

        if (_family is ModelFamily.Granite)
        {
            metadata.Add($"{Name}.attention.scale", (float)c.ScoreScale);
            metadata.Add($"{Name}.embedding_scale", (float)c.EmbeddingMultiplier);
            metadata.Add($"{Name}.residual_scale", (float)c.ResidualMultiplier);
            metadata.Add($"{Name}.logit_scale", (float)c.LogitsScaling);
        }
    }

    /// <summary>A weight's name in the file.</summary>
    public string NameOf(string name)
    {
        int kind = name.LastIndexOf('.'); // .weight or .bias
        string? layers = Array.Find(Layers, mark => name.Contains(mark, StringComparison.Ordinal));
        if (layers is null)
        {
            return OtherNames[name[..kind]] + name[kind..];
        }

        int number = name.IndexOf(layers, StringComparison.Ordinal) + layers.Length;
        int end = name.IndexOf('.', number);
        string ours = name[(end + 1)..kind];
        string theirs = LayerNames[ours];
        if (ours == "post_attention_layernorm" && _config.HasNormsAfter)
        {
            theirs = "post_attention_norm";
        }

        return $"blk.{name[number..end]}.{theirs}{name[kind..]}";
    }

    /// <summary>What divides each frequency of the rotary positions, [A/2]; null where they are not scaled.</summary>
    public float[]? FrequencyFactors()
    {
        if (_config.RopeScaling is null || Name != Names[ModelFamily.Llama])
        {
            return null;
        }

        double[] plain = RotaryTable.Plain(_config.RopeTheta, _config.RotaryDim);
        return [.. plain.Zip(RotaryTable.Frequencies(_config), (frequency, scaled) => (float)(frequency / scaled))];
    }
}
