using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of OLMo-2 models: norms after the branches, and over all query and all key heads together.</summary>
internal static class Olmo2Config
{
    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        double epsilon = json.Number("rms_norm_eps") ?? 1e-5;
        return LlamaKinConfig.ReadShared(json, needsGroups: false) with
        {
            RmsNormEps = epsilon,
            AttentionBias = json.Flag("attention_bias") ?? false,
            NormPlacement = NormPlacement.After,
            QkNorm = true,
            QkNormWhole = true,
        };
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c)
    {
        JsonObject json = LlamaKinConfig.WriteShared(c, "olmo2", "Olmo2ForCausalLM");
        json.Remove("head_dim");
        json["attention_bias"] = c.AttentionBias;
        return json;
    }
}
