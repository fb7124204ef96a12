using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of GPT-NeoX models, Pythia among them.</summary>
internal static class GptNeoxConfig
{
    private const double DefaultShare = 0.25; // of each head is turned where the file says nothing

    /// <summary>Reads a shape, in both generations of keys.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        RotaryConfig rotary = RotaryConfig.Read(json, baseKey: "rotary_emb_base", shareKey: "rotary_pct");
        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = json.RequiredInteger("hidden_size"),
            NumHiddenLayers = json.RequiredInteger("num_hidden_layers"),
            NumAttentionHeads = json.RequiredInteger("num_attention_heads"),
            IntermediateSize = json.RequiredInteger("intermediate_size"),
            MaxPositionEmbeddings = json.RequiredInteger("max_position_embeddings"),
            HiddenAct = GeluWords.Read(json, "hidden_act", otherwise: "gelu"),
            LayerNormEps = json.Number("layer_norm_eps") ?? 1e-5,
            RopeTheta = rotary.Theta,
            RopeScaling = rotary.Scaling,
            PartialRotaryFactor = rotary.Share ?? DefaultShare,
            UseParallelResidual = json.Flag("use_parallel_residual") ?? true,
            AttentionBias = json.Flag("attention_bias") ?? true,
            MlpBias = true,
            InitializerRange = json.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? false,
        };
    }

    /// <summary>Writes a shape, in the keys that every version of the library reads.</summary>
    public static JsonObject Write(TransformerConfig c)
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray("GPTNeoXForCausalLM"),
            ["model_type"] = "gpt_neox",
            ["hidden_act"] = GeluWords.Word(c.HiddenAct),
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["num_hidden_layers"] = c.NumHiddenLayers,
            ["num_attention_heads"] = c.NumAttentionHeads,
            ["intermediate_size"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            ["layer_norm_eps"] = c.LayerNormEps,
            ["rotary_emb_base"] = c.RopeTheta,
            ["rotary_pct"] = c.PartialRotaryFactor,
            ["use_parallel_residual"] = c.UseParallelResidual,
            ["attention_bias"] = c.AttentionBias,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };
        RotaryConfig.WriteScaling(json, c);
        return json;
    }
}
