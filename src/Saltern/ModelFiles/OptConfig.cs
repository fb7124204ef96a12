using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of OPT models with norms before the branches: all of them but OPT-350m.</summary>
internal static class OptConfig
{
    private const int Offset = 2; // rows of the positions that nothing reads

    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        Require(json, "do_layer_norm_before", true, "norms between the branches (OPT-350m) are not computed");
        Require(json, "_remove_final_layer_norm", false, "a decoder without a last norm is not computed");
        Require(json, "enable_bias", true, "an OPT without biases is not computed");
        Require(json, "layer_norm_elementwise_affine", true, "norms without weights are not computed");
        int width = json.RequiredInteger("hidden_size");
        int projected = json.Integer("word_embed_proj_dim") ?? width;
        if (projected != width)
        {
            throw json.Wrong(
                "word_embed_proj_dim",
                $"{projected}",
                $"{width}, as hidden_size says: embeddings of another width, projected (OPT-350m), are not computed"
            );
        }

        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = width,
            NumHiddenLayers = json.RequiredInteger("num_hidden_layers"),
            NumAttentionHeads = json.RequiredInteger("num_attention_heads"),
            IntermediateSize = json.RequiredInteger("ffn_dim"),
            MaxPositionEmbeddings = json.RequiredInteger("max_position_embeddings"),
            HiddenAct = ReadActivation(json),
            LayerNormEps = 1e-5, // PyTorch's own; the files have no key for it
            LearnedPositions = true,
            PositionOffset = Offset,
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
            ["architectures"] = new JsonArray("OPTForCausalLM"),
            ["model_type"] = "opt",
            ["activation_function"] = c.HiddenAct == Activation.Relu ? "relu" : GeluWords.Word(c.HiddenAct),
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["word_embed_proj_dim"] = c.HiddenSize,
            ["num_hidden_layers"] = c.NumHiddenLayers,
            ["num_attention_heads"] = c.NumAttentionHeads,
            ["ffn_dim"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            ["do_layer_norm_before"] = true,
            ["_remove_final_layer_norm"] = false,
            ["enable_bias"] = true,
            ["layer_norm_elementwise_affine"] = true,
            ["dropout"] = 0.0,
            ["attention_dropout"] = 0.0,
            ["layerdrop"] = 0.0,
            ["init_std"] = c.InitializerRange,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };

    private static Activation ReadActivation(ConfigJson json)
    {
        if (json.Text("activation_function") is null or "relu")
        {
            return Activation.Relu;
        }

        return GeluWords.Read(json, "activation_function", otherwise: "gelu");
    }

    private static void Require(ConfigJson json, string key, bool allowed, string reason)
    {
        if ((json.Flag(key) ?? allowed) != allowed)
        {
            throw json.Wrong(key, allowed ? "false" : "true", $"{(allowed ? "true" : "false")}: {reason}");
        }
    }
}
