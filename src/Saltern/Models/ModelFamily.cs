namespace Saltern.Models;

/// <summary>Families of published models whose mathematics the decoder has.</summary>
internal enum ModelFamily
{
    /// <summary>Llama, and what computes the same: TinyLlama, SmolLM, MobileLLM, Falcon3 …</summary>
    Llama,

    /// <summary>Mistral with a window.</summary>
    Mistral,

    /// <summary>Qwen2 and Qwen2.5.</summary>
    Qwen2,

    /// <summary>Qwen3, dense.</summary>
    Qwen3,

    /// <summary>OLMo-2.</summary>
    Olmo2,

    /// <summary>SmolLM3.</summary>
    SmolLm3,

    /// <summary>Granite 3, dense.</summary>
    Granite,

    /// <summary>Gemma 1.</summary>
    Gemma,

    /// <summary>Gemma 2.</summary>
    Gemma2,

    /// <summary>Gemma 3's text model.</summary>
    Gemma3,

    /// <summary>GPT-NeoX, Pythia.</summary>
    GptNeox,

    /// <summary>Phi-1, Phi-1.5, Phi-2.</summary>
    Phi,

    /// <summary>GPT-2.</summary>
    Gpt2,

    /// <summary>OPT.</summary>
    Opt,

    /// <summary>GPT-Neo, TinyStories.</summary>
    GptNeo,
}

/// <summary>Which family a shape belongs to.</summary>
internal static class ModelFamilies
{
    /// <summary>The family whose mathematics a shape is; a Mistral without a window is a Llama.</summary>
    public static ModelFamily Of(TransformerConfig c)
    {
        if (c.LayerNormEps is not null)
        {
            return c.LearnedPositions ? OfLearnedPositions(c) : OfLayerNorms(c);
        }

        return c.NormUnitOffset ? OfGemmas(c) : OfLlamas(c);
    }

    /// <summary>Its name among people.</summary>
    public static string NameOf(ModelFamily family) =>
        family switch
        {
            ModelFamily.Olmo2 => "OLMo-2",
            ModelFamily.SmolLm3 => "SmolLM3",
            ModelFamily.Gemma2 => "Gemma 2",
            ModelFamily.Gemma3 => "Gemma 3",
            ModelFamily.GptNeox => "GPT-NeoX",
            ModelFamily.Gpt2 => "GPT-2",
            ModelFamily.Opt => "OPT",
            ModelFamily.GptNeo => "GPT-Neo",
            _ => family.ToString(),
        };

    private static ModelFamily OfLearnedPositions(TransformerConfig c)
    {
        if (c.PositionOffset > 0)
        {
            return ModelFamily.Opt;
        }

        return c.AttentionOutputBias ? ModelFamily.GptNeo : ModelFamily.Gpt2;
    }

    private static ModelFamily OfLayerNorms(TransformerConfig c) =>
        c.SharedAttentionNorm ? ModelFamily.Phi : ModelFamily.GptNeox;

    private static ModelFamily OfGemmas(TransformerConfig c)
    {
        if (c.QkNorm)
        {
            return ModelFamily.Gemma3;
        }

        return c.NormPlacement == NormPlacement.Around ? ModelFamily.Gemma2 : ModelFamily.Gemma;
    }

    private static ModelFamily OfLlamas(TransformerConfig c)
    {
        if (c.NormPlacement == NormPlacement.After)
        {
            return ModelFamily.Olmo2;
        }

        bool hasFactors = c.EmbeddingMultiplier != 1 || c.ResidualMultiplier != 1 || c.LogitsScaling != 1;
        if (hasFactors || c.AttentionMultiplier is not null)
        {
            return ModelFamily.Granite;
        }

        if (c.RopePattern is not null)
        {
            return ModelFamily.SmolLm3;
        }

        if (c.QkNorm)
        {
            return ModelFamily.Qwen3;
        }

        if (c.QkvBias)
        {
            return ModelFamily.Qwen2;
        }

        return c.SlidingWindow > 0 ? ModelFamily.Mistral : ModelFamily.Llama;
    }
}
