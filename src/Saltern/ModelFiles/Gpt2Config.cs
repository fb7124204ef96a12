using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of GPT-2 models.</summary>
internal static class Gpt2Config
{
    private const int DefaultInnerFactor = 4;

    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        int width = json.RequiredInteger("n_embd");
        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = width,
            NumHiddenLayers = json.RequiredInteger("n_layer"),
            NumAttentionHeads = json.RequiredInteger("n_head"),
            IntermediateSize =
                json.Integer("n_inner") ?? DefaultInnerFactor * Math.Clamp(width, 0, int.MaxValue / DefaultInnerFactor),
            MaxPositionEmbeddings = json.RequiredInteger("n_positions"),
            HiddenAct = GeluWords.Read(json, "activation_function", otherwise: "gelu_new"),
            LayerNormEps = json.Number("layer_norm_epsilon") ?? 1e-5,
            LearnedPositions = true,
            AttentionBias = true,
            MlpBias = true,
            InitializerRange = json.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? true,
        };
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c) =>
        new()
        {
            ["architectures"] = new JsonArray("GPT2LMHeadModel"),
            ["model_type"] = "gpt2",
            ["activation_function"] = GeluWords.Word(c.HiddenAct),
            ["vocab_size"] = c.VocabSize,
            ["n_embd"] = c.HiddenSize,
            ["n_layer"] = c.NumHiddenLayers,
            ["n_head"] = c.NumAttentionHeads,
            ["n_inner"] = c.IntermediateSize,
            ["n_positions"] = c.MaxPositionEmbeddings,
            ["layer_norm_epsilon"] = c.LayerNormEps,
            ["attn_pdrop"] = 0.0,
            ["embd_pdrop"] = 0.0,
            ["resid_pdrop"] = 0.0,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };
}
