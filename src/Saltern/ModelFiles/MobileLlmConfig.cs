using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of MobileLLM models, which compute what a Llama does; they are written as one.</summary>
internal static class MobileLlmConfig
{
    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        if (json.Flag("layer_sharing") ?? false)
        {
            throw json.Wrong(
                "layer_sharing",
                "true",
                "false: layers that run twice with one set of weights are not computed"
            );
        }

        bool isShared = json.Flag("share_embedding") ?? false;
        return LlamaKinConfig.ReadShared(json, needsGroups: false, isTied: isShared) with
        {
            AttentionBias = json.Flag("attention_bias") ?? false,
            MlpBias = json.Flag("mlp_bias") ?? false,
            TieWordEmbeddings = isShared || (json.Flag("tie_word_embeddings") ?? false),
        };
    }
}
