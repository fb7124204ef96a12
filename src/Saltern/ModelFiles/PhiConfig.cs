using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of Phi-1, Phi-1.5 and Phi-2.</summary>
internal static class PhiConfig
{
    private const double DefaultShare = 0.5; // of each head is turned where the file says nothing

    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        if (json.Flag("qk_layernorm") ?? false)
        {
            throw json.Wrong("qk_layernorm", "true", "false: LayerNorms of query and key heads are not computed");
        }

        RotaryConfig rotary = RotaryConfig.Read(json, shareKey: "partial_rotary_factor");
        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = json.RequiredInteger("hidden_size"),
            NumHiddenLayers = json.RequiredInteger("num_hidden_layers"),
            NumAttentionHeads = json.RequiredInteger("num_attention_heads"),
            NumKeyValueHeads = json.Integer("num_key_value_heads") ?? 0,
            IntermediateSize = json.RequiredInteger("intermediate_size"),
            MaxPositionEmbeddings = json.RequiredInteger("max_position_embeddings"),
            HiddenAct = GeluWords.Read(json, "hidden_act", otherwise: "gelu_new"),
            LayerNormEps = json.Number("layer_norm_eps") ?? 1e-5,
            RopeTheta = rotary.Theta,
            RopeScaling = rotary.Scaling,
            PartialRotaryFactor = rotary.Share ?? DefaultShare,
            UseParallelResidual = true,
            SharedAttentionNorm = true,
            AttentionBias = true,
            MlpBias = true,
            LmHeadBias = true,
            InitializerRange = json.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? false,
        };
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c)
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray("PhiForCausalLM"),
            ["model_type"] = "phi",
            ["hidden_act"] = GeluWords.Word(c.HiddenAct),
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["num_hidden_layers"] = c.NumHiddenLayers,
            ["num_attention_heads"] = c.NumAttentionHeads,
            ["num_key_value_heads"] = c.NumKeyValueHeads,
            ["intermediate_size"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            ["layer_norm_eps"] = c.LayerNormEps,
            ["rope_theta"] = c.RopeTheta,
            ["partial_rotary_factor"] = c.PartialRotaryFactor,
            ["qk_layernorm"] = false,
            ["resid_pdrop"] = 0.0,
            ["embd_pdrop"] = 0.0,
            ["attention_dropout"] = 0.0,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };
        RotaryConfig.WriteScaling(json, c);
        return json;
    }
}
