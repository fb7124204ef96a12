using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of Gemma 1, Gemma 2 and Gemma 3's text models.</summary>
internal static class GemmaConfig
{
    private const int DefaultPattern = 6; // layers; every sixth of Gemma 3's sees all
    private const double LocalTheta = 10_000;
    private const double GlobalTheta = 1_000_000;
    private const string PatternKey = "sliding_window_pattern";

    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json, ModelFamily family)
    {
        TransformerConfig sizes = LlamaKinConfig.ReadSizes(json, needsGroups: true, needsHeadDim: true) with
        {
            HiddenAct = ReadActivation(json),
            GatedMlp = true,
            NormUnitOffset = true,
            ScaleEmbeddings = true,
            AttentionBias = json.Flag("attention_bias") ?? false,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? true,
        };
        if (family is ModelFamily.Gemma)
        {
            RotaryConfig rotary = RotaryConfig.Read(json);
            RefuseBothWays(json);
            return sizes with { RopeTheta = rotary.Theta, RopeScaling = rotary.Scaling };
        }

        return ReadLater(json, sizes, family);
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c, ModelFamily family)
    {
        string architecture = family switch
        {
            ModelFamily.Gemma => "GemmaForCausalLM",
            ModelFamily.Gemma2 => "Gemma2ForCausalLM",
            _ => "Gemma3ForCausalLM",
        };
        JsonObject json = LlamaKinConfig.WriteShared(c, TypeOf(family), architecture);
        json["hidden_act"] = GeluWords.Word(c.HiddenAct);
        json["hidden_activation"] = GeluWords.Word(c.HiddenAct);
        json["attention_bias"] = c.AttentionBias;
        if (family is ModelFamily.Gemma)
        {
            return json;
        }

        json["query_pre_attn_scalar"] = ScalarOf(c.ScoreScale);
        json["attn_logit_softcapping"] = c.AttnLogitSoftcapping;
        json["final_logit_softcapping"] = c.FinalLogitSoftcapping;

        // Without a window the key has to be there all the same: its absence means another one.
        json["sliding_window"] = c.SlidingWindow > 0 ? c.SlidingWindow : c.MaxPositionEmbeddings;
        json["layer_types"] = LlamaKinConfig.TypesOf(c);
        if (family is ModelFamily.Gemma3)
        {
            json.Remove("hidden_act");
            json["rope_local_base_freq"] = c.RopeLocalBaseFreq ?? c.RopeTheta;
        }

        return json;
    }

    /// <summary>The word for the family.</summary>
    public static string TypeOf(ModelFamily family) =>
        family is ModelFamily.Gemma3 ? "gemma3_text" : family.ToString().ToLowerInvariant();

    private static TransformerConfig ReadLater(ConfigJson json, TransformerConfig sizes, ModelFamily family)
    {
        bool isThird = family is ModelFamily.Gemma3;
        int layers = Math.Clamp(sizes.NumHiddenLayers, 0, 10_000);
        double scalar = json.Number("query_pre_attn_scalar") ?? throw json.Missing("query_pre_attn_scalar");
        if (scalar <= 0)
        {
            throw json.Wrong("query_pre_attn_scalar", $"{scalar}", "a positive number");
        }

        int? window = LayerPattern.ReadWindow(json) ?? throw json.Missing("sliding_window");
        int interval = json.Integer(PatternKey) ?? json.Integer("_" + PatternKey) ?? (isThird ? DefaultPattern : 2);
        if (interval < 1)
        {
            throw json.Wrong(PatternKey, $"{interval}", "a positive number of layers");
        }

        IReadOnlyList<bool> windowed =
            LayerPattern.ReadTypes(json, layers, window)
            ?? [.. Enumerable.Range(1, layers).Select(layer => layer % interval != 0)];
        (int tokens, string? pattern) = LayerPattern.Windows(windowed, window);
        (RotaryConfig rotary, double? local) = ReadRotary(json, isThird);
        RefuseBothWays(json);
        return sizes with
        {
            NormPlacement = NormPlacement.Around,
            QkNorm = isThird,
            AttentionMultiplier = Math.Pow(scalar, -0.5),
            AttnLogitSoftcapping = json.Number("attn_logit_softcapping"),
            FinalLogitSoftcapping = json.Number("final_logit_softcapping"),
            SlidingWindow = tokens,
            WindowPattern = pattern,
            RopeTheta = rotary.Theta,
            RopeScaling = rotary.Scaling,
            RopeLocalBaseFreq = tokens > 0 ? local : null,
        };
    }

    // Gemma 3 has two bases: beside each other, or, in newer files, one for each kind of layer.
    private static (RotaryConfig Rotary, double? Local) ReadRotary(ConfigJson json, bool isThird)
    {
        if (!isThird)
        {
            return (RotaryConfig.Read(json), null);
        }

        double? local = json.Number("rope_local_base_freq");
        if (json.Object("rope_parameters") is ConfigJson kinds && kinds.Has("full_attention"))
        {
            ConfigJson full = kinds.Object("full_attention") ?? throw kinds.Missing("full_attention");
            ConfigJson sliding = kinds.Object("sliding_attention") ?? throw kinds.Missing("sliding_attention");
            kinds.RefuseTheRest();
            RotaryConfig windowed = RotaryConfig.ReadParameters(sliding, theta: local, LocalTheta);
            if (windowed.Scaling is not null)
            {
                throw sliding.Wrong(
                    "rope_type",
                    "a scaling",
                    "default: frequencies of layers with a window are not scaled"
                );
            }

            double? outside = json.Number("rope_theta");
            return (RotaryConfig.ReadParameters(full, outside, GlobalTheta), windowed.Theta);
        }

        return (RotaryConfig.Read(json, otherwise: GlobalTheta), local ?? LocalTheta);
    }

    // Gemma 1's files say gelu where the approximation is meant: the newer key corrects it, and so does its absence.
    private static Activation ReadActivation(ConfigJson json)
    {
        string? older = json.Text("hidden_act");
        Activation activation = GeluWords.Read(json, "hidden_activation", otherwise: "gelu_pytorch_tanh");
        if (older is null or "gelu" || GeluWords.Word(activation) == older)
        {
            return activation;
        }

        throw json.Wrong("hidden_act", older, $"gelu, or {GeluWords.Word(activation)} as hidden_activation says");
    }

    private static void RefuseBothWays(ConfigJson json)
    {
        if (json.Flag("use_bidirectional_attention") ?? false)
        {
            throw json.Wrong("use_bidirectional_attention", "true", "false: attention is causal here");
        }
    }

    // The factor of the scores is its power −½; those in use are whole numbers.
    private static JsonNode ScalarOf(double scale)
    {
        double scalar = 1 / (scale * scale);
        double whole = Math.Round(scalar);
        if (Math.Pow(whole, -0.5) == scale)
        {
            return (long)whole;
        }

        return scalar;
    }
}
