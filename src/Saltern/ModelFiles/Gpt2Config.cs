using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of GPT-2 models.</summary>
internal static class Gpt2Config
{
    private const int DefaultInnerFactor = 4;

    // Of other heads than the language model's, of how scores are rounded, of examples of use; and the context's length a second time.
    private static readonly string[] WithoutEffect =
    [
        "summary_type",
        "summary_use_proj",
        "summary_activation",
        "summary_proj_to_labels",
        "summary_first_dropout",
        "task_specific_params",
        "reorder_and_upcast_attn",
        "gradient_checkpointing",
        "output_past",
        "n_ctx",
    ];

    /// <summary>Reads a shape. Its dropout, 0.1 in the released files, is part of how the model was made: nothing here drops anything.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        json.Ignore("resid_pdrop", "embd_pdrop", "attn_pdrop");
        json.Ignore(WithoutEffect);
        Require(json, "scale_attn_weights", true);
        Require(json, "scale_attn_by_inverse_layer_idx", false);
        Require(json, "add_cross_attention", false);
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

    private static void Require(ConfigJson json, string key, bool allowed)
    {
        if ((json.Flag(key) ?? allowed) != allowed)
        {
            throw json.Wrong(key, allowed ? "false" : "true", allowed ? "true" : "false");
        }
    }
}
