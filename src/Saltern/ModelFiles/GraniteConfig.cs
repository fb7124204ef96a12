using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of dense Granite models: a Llama with factors of embedding, scores, branches and logits.</summary>
internal static class GraniteConfig
{
    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json) =>
        LlamaKinConfig.ReadShared(json, needsGroups: false) with
        {
            AttentionBias = json.Flag("attention_bias") ?? false,
            MlpBias = json.Flag("mlp_bias") ?? false,
            EmbeddingMultiplier = json.Number("embedding_multiplier") ?? 1,
            AttentionMultiplier = json.Number("attention_multiplier") ?? 1,
            ResidualMultiplier = json.Number("residual_multiplier") ?? 1,
            LogitsScaling = json.Number("logits_scaling") ?? 1,
        };

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c)
    {
        JsonObject json = LlamaKinConfig.WriteShared(c, "granite", "GraniteForCausalLM");
        json.Remove("head_dim");
        json["attention_bias"] = c.AttentionBias;
        json["mlp_bias"] = c.MlpBias;
        json["embedding_multiplier"] = c.EmbeddingMultiplier;
        json["attention_multiplier"] = c.ScoreScale;
        json["residual_multiplier"] = c.ResidualMultiplier;
        json["logits_scaling"] = c.LogitsScaling;
        return json;
    }
}
