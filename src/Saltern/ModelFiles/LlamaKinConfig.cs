using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of Llama, Mistral, Qwen2 and Qwen3, and what the files of later families have of it.</summary>
internal static class LlamaKinConfig
{
    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json, ModelFamily family)
    {
        TransformerConfig shared = ReadShared(json, family is not ModelFamily.Llama, family is ModelFamily.Qwen3);
        (int window, string? pattern) =
            family is ModelFamily.Llama ? (0, null) : Windows(json, family, shared.NumHiddenLayers);
        bool hasBias = family is ModelFamily.Llama or ModelFamily.Qwen3;
        return shared with
        {
            AttentionBias = hasBias && (json.Flag("attention_bias") ?? false),
            MlpBias = family is ModelFamily.Llama && (json.Flag("mlp_bias") ?? false),
            QkvBias = family is ModelFamily.Qwen2,
            QkNorm = family is ModelFamily.Qwen3,
            SlidingWindow = window,
            WindowPattern = pattern,
        };
    }

    /// <summary>Reads what all families with a gate and RMS norms call alike.</summary>
    /// <param name="needsGroups">Whether <c>num_key_value_heads</c> must be there: the families differ in what absence means; files written by their own library have the key.</param>
    /// <param name="needsHeadDim">Whether <c>head_dim</c> must be there.</param>
    /// <param name="theta">Base of the rotary frequencies where nothing is said.</param>
    /// <param name="isTied">Whether the head is the embedding where nothing is said.</param>
    public static TransformerConfig ReadShared(
        ConfigJson json,
        bool needsGroups,
        bool needsHeadDim = false,
        double theta = TransformerConfig.DefaultRopeTheta,
        bool isTied = false
    )
    {
        if (json.Text("hidden_act") is not (null or "silu" or "swish") and var activation)
        {
            throw json.Wrong("hidden_act", activation, "silu");
        }

        RotaryConfig rotary = RotaryConfig.Read(json, otherwise: theta);
        return ReadSizes(json, needsGroups, needsHeadDim) with
        {
            RopeTheta = rotary.Theta,
            RopeScaling = rotary.Scaling,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? isTied,
        };
    }

    /// <summary>Reads the sizes.</summary>
    public static TransformerConfig ReadSizes(ConfigJson json, bool needsGroups, bool needsHeadDim)
    {
        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = json.RequiredInteger("hidden_size"),
            NumHiddenLayers = json.RequiredInteger("num_hidden_layers"),
            NumAttentionHeads = json.RequiredInteger("num_attention_heads"),
            NumKeyValueHeads = OptionalSize(json, "num_key_value_heads", needsGroups),
            HeadDim = OptionalSize(json, "head_dim", needsHeadDim),
            IntermediateSize = json.RequiredInteger("intermediate_size"),
            MaxPositionEmbeddings = json.RequiredInteger("max_position_embeddings"),
            RmsNormEps = json.Number("rms_norm_eps") ?? 1e-6,
            InitializerRange = json.Number("initializer_range") ?? 0.02,
        };
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c, ModelFamily family)
    {
        JsonObject json = WriteShared(
            c,
            family.ToString().ToLowerInvariant(),
            family switch
            {
                ModelFamily.Llama => "LlamaForCausalLM",
                ModelFamily.Mistral => "MistralForCausalLM",
                ModelFamily.Qwen2 => "Qwen2ForCausalLM",
                _ => "Qwen3ForCausalLM",
            }
        );
        if (family is ModelFamily.Llama or ModelFamily.Qwen3)
        {
            json["attention_bias"] = c.AttentionBias;
        }

        if (family is ModelFamily.Llama)
        {
            json["mlp_bias"] = c.MlpBias;
        }
        else if (family is ModelFamily.Mistral)
        {
            json["sliding_window"] = c.SlidingWindow;
        }
        else if (c.SlidingWindow > 0)
        {
            (json["use_sliding_window"], json["sliding_window"], json["max_window_layers"]) = (
                true,
                c.SlidingWindow,
                0
            );
            if (c.WindowPattern is not null)
            {
                json["layer_types"] = TypesOf(c);
            }
        }

        return json;
    }

    /// <summary>Writes what <see cref="ReadShared"/> reads.</summary>
    public static JsonObject WriteShared(TransformerConfig c, string modelType, string architecture)
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray(architecture),
            ["model_type"] = modelType,
            ["hidden_act"] = "silu",
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["num_hidden_layers"] = c.NumHiddenLayers,
            ["num_attention_heads"] = c.NumAttentionHeads,
            ["num_key_value_heads"] = c.NumKeyValueHeads,
            ["head_dim"] = c.HeadDim,
            ["intermediate_size"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            ["rms_norm_eps"] = c.RmsNormEps,
            ["rope_theta"] = c.RopeTheta,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };
        RotaryConfig.WriteScaling(json, c);
        return json;
    }

    /// <summary>The list <c>layer_types</c>.</summary>
    public static JsonArray TypesOf(TransformerConfig c) =>
        new([.. LayerPattern.Types(c).Select(kind => (JsonNode)kind)]);

    // A size that follows from others where a file of the family may leave it out: 0 then.
    private static int OptionalSize(ConfigJson json, string key, bool isRequired)
    {
        if (isRequired)
        {
            return json.RequiredInteger(key);
        }

        return json.Integer(key) ?? 0;
    }

    private static (int Window, string? Pattern) Windows(ConfigJson json, ModelFamily family, int layers)
    {
        int? window = LayerPattern.ReadWindow(json);
        int? first = FirstWindowedLayer(json, family);
        IReadOnlyList<bool> windowed =
            LayerPattern.ReadTypes(json, layers, window)
            ?? [.. Enumerable.Range(0, Math.Clamp(layers, 0, 10_000)).Select(layer => layer >= first)];
        if (first is null)
        {
            return (0, null);
        }

        (int Window, string? Pattern) read = LayerPattern.Windows(windowed, window);
        if (read.Pattern is not null && family is ModelFamily.Mistral)
        {
            throw json.Wrong("layer_types", "of two kinds", "a window in all layers or in none, as Mistral has it");
        }

        return read;
    }

    // Mistral: sliding_window for all layers, null for none. Qwen: only with use_sliding_window, and then from layer max_window_layers on.
    private static int? FirstWindowedLayer(ConfigJson json, ModelFamily family)
    {
        if (family is ModelFamily.Mistral)
        {
            if (!json.Has("sliding_window"))
            {
                throw json.Missing("sliding_window"); // its absence means 4096 in some versions; null says that there is none
            }

            return 0;
        }

        bool isUsed = json.Flag("use_sliding_window") ?? false;
        int? first = json.Integer("max_window_layers");
        if (!isUsed)
        {
            return null;
        }

        return first ?? throw json.Missing("max_window_layers");
    }
}
