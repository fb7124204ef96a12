using Saltern.Configuration;
using static Saltern.Models.ModelFamily;

namespace Saltern.Models;

/// <summary>Which options of a decoder go together: those that some family of models has, so that other programs can read what is trained here.</summary>
internal static class OptionRules
{
    private static readonly ModelFamily[] Gemmas = [Gemma, Gemma2, Gemma3];
    private static readonly ModelFamily[] LaterGemmas = [Gemma2, Gemma3];
    private static readonly ModelFamily[] Ungated = [GptNeox, Phi, Gpt2, Opt, GptNeo];
    private static readonly ModelFamily[] Rotary = [.. Enum.GetValues<ModelFamily>().Except([Gpt2, Opt, GptNeo])];

    // An option that is set, and who has it. The first key of an option that no one has is what is wrong.
    private static readonly (string Key, Func<TransformerConfig, bool> IsSet, ModelFamily[] Families)[] Options =
    [
        ("hidden_act", c => c.HiddenAct == Activation.Relu, [Opt]),
        ("hidden_act", c => c.HiddenAct is not (Activation.Silu or Activation.Relu), [.. Ungated, .. Gemmas]),
        ("gated_mlp", c => c.IsGated != (c.HiddenAct == Activation.Silu), Gemmas),
        ("norm_placement", c => c.NormPlacement == NormPlacement.After, [Olmo2]),
        ("norm_placement", c => c.NormPlacement == NormPlacement.Around, LaterGemmas),
        ("norm_unit_offset", c => c.NormUnitOffset, Gemmas),
        ("use_parallel_residual", c => c.UseParallelResidual, [GptNeox, Phi]),
        ("shared_attention_norm", c => c.SharedAttentionNorm, [Phi]),
        ("learned_positions", c => c.LearnedPositions, [Gpt2, Opt, GptNeo]),
        ("position_offset", c => c.PositionOffset > 0, [Opt]),
        ("partial_rotary_factor", c => c.PartialRotaryFactor != 1, [GptNeox, Phi]),
        ("rope_theta", c => c.RopeTheta != TransformerConfig.DefaultRopeTheta, Rotary),
        ("rope_scaling", c => c.RopeScaling is not null, Rotary),
        ("rope_local_base_freq", c => c.RopeLocalBaseFreq is not null, [Gemma3]),
        ("rope_pattern", c => c.RopePattern is not null, [SmolLm3]),
        ("sliding_window", c => c.SlidingWindow > 0, [Mistral, Qwen2, Qwen3, SmolLm3, .. LaterGemmas, GptNeo]),
        ("window_pattern", c => c.WindowPattern is not null, [Qwen2, Qwen3, SmolLm3, .. LaterGemmas, GptNeo]),
        (
            "attention_bias",
            c => c.AttentionBias,
            [Llama, Qwen3, Olmo2, SmolLm3, Granite, .. Gemmas, GptNeox, Phi, Gpt2, Opt]
        ),
        ("qkv_bias", c => c.QkvBias, [Qwen2]),
        ("attention_output_bias", c => c.AttentionOutputBias, [GptNeo]),
        ("qk_norm", c => c.QkNorm, [Qwen3, Olmo2, Gemma3]),
        ("qk_norm_whole", c => c.QkNormWhole, [Olmo2]),
        ("mlp_bias", c => c.MlpBias, [Llama, SmolLm3, Granite, .. Ungated]),
        ("lm_head_bias", c => c.LmHeadBias, [Phi]),
        ("attention_multiplier", c => c.AttentionMultiplier is not null, [Granite, .. LaterGemmas, GptNeo]),
        ("attn_logit_softcapping", c => c.AttnLogitSoftcapping is not null, LaterGemmas),
        ("final_logit_softcapping", c => c.FinalLogitSoftcapping is not null, LaterGemmas),
        ("scale_embeddings", c => c.ScaleEmbeddings, Gemmas),
        ("embedding_multiplier", c => c.EmbeddingMultiplier != 1, [Granite]),
        ("residual_multiplier", c => c.ResidualMultiplier != 1, [Granite]),
        ("logits_scaling", c => c.LogitsScaling != 1, [Granite]),
    ];

    // By what ModelFamilies tells a family.
    private static readonly (string Key, ModelFamily[] Families)[] Marks =
    [
        ("layer_norm_eps", Ungated),
        ("norm_unit_offset", Gemmas),
        ("norm_placement", [Olmo2]),
        ("rope_pattern", [SmolLm3]),
        ("qk_norm", [Qwen3, Gemma3]),
        ("qkv_bias", [Qwen2]),
        ("sliding_window", [Mistral]),
        ("shared_attention_norm", [Phi]),
        ("learned_positions", [Gpt2, Opt, GptNeo]),
        ("attention_output_bias", [GptNeo]),
    ];

    // What a family has in every one of its models.
    private static readonly (
        string Key,
        Func<TransformerConfig, bool> IsGood,
        string Must,
        ModelFamily[] Families
    )[] Needs =
    [
        (
            "hidden_act",
            c => !c.IsGated,
            "= silu is gated, which {0} is not. Use gelu, gelu_new, gelu_fast or gelu_pytorch_tanh",
            [GptNeox, Phi, Gpt2, GptNeo]
        ),
        ("hidden_act", c => !c.IsGated, "= silu is gated, which {0} is not. Use relu or gelu", [Opt]),
        ("gated_mlp", c => c.IsGated, "must be true, as {0} has it", Gemmas),
        ("scale_embeddings", c => c.ScaleEmbeddings, "must be true, as {0} has it", Gemmas),
        ("norm_placement", c => c.NormPlacement == NormPlacement.Around, "must be around, as {0} has it", LaterGemmas),
        ("qk_norm", c => c.QkNorm, "must be true, as {0} has it", [Olmo2]),
        ("qk_norm_whole", c => c.QkNormWhole, "must be true, as {0} has it", [Olmo2]),
        ("use_parallel_residual", c => c.UseParallelResidual, "must be true, as {0} has it", [Phi]),
        ("lm_head_bias", c => c.LmHeadBias, "must be true, as {0} has it", [Phi]),
        ("mlp_bias", c => c.MlpBias, "must be true: {0} has these biases", Ungated),
        ("attention_bias", c => c.AttentionBias, "must be true: {0} has these biases", [Phi, Gpt2, Opt]),
        ("position_offset", c => c.PositionOffset == 2, "must be 2, as {0} has it", [Opt]),
        ("attention_multiplier", c => c.AttentionMultiplier == 1, "must be 1, as {0} has it", [GptNeo]),
        (
            "rms_norm_eps",
            c => c.RmsNormEps == TransformerConfig.DefaultRmsNormEps,
            "has no effect beside layer_norm_eps. Give one of the two",
            Ungated
        ),
        (
            "num_key_value_heads",
            c => c.NumKeyValueHeads == c.NumAttentionHeads,
            "differs from num_attention_heads: {0} has as many",
            [GptNeox, Gpt2, Opt, GptNeo]
        ),
        (
            "head_dim",
            c => c.HeadDim * c.NumAttentionHeads == c.HiddenSize,
            "is not hidden_size / num_attention_heads, as {0} has it. Leave it out",
            [.. Ungated, Olmo2, SmolLm3, Granite]
        ),
        ("tie_word_embeddings", c => !c.IsTied, "must be false: {0}'s head has biases of its own", [Phi]),
    ];

    /// <summary>Keys of the options that a family may have, and of those that each of its models has.</summary>
    public static (IReadOnlyList<string> May, IReadOnlyList<string> Must) KeysOf(ModelFamily family)
    {
        string[] may =
        [
            .. Options.Where(option => option.Families.Contains(family)).Select(option => option.Key).Distinct(),
        ];
        string[] marks = [.. Marks.Where(mark => mark.Families.Contains(family)).Select(mark => mark.Key)];
        IEnumerable<string> needs = Needs.Where(need => need.Families.Contains(family)).Select(need => need.Key);
        string[] must = [.. marks.Union(needs.Intersect(may))];
        return ([.. may.Except(must)], must);
    }

    /// <summary>What no family has.</summary>
    public static IEnumerable<ConfigurationProblem> Problems(TransformerConfig c)
    {
        ConfigurationProblem[] patterns = [.. PatternProblems(c)];
        if (patterns.Length > 0)
        {
            return patterns;
        }

        ModelFamily family = ModelFamilies.Of(c);
        string name = ModelFamilies.NameOf(family);
        return
        [
            .. Options
                .Where(option => option.IsSet(c) && !option.Families.Contains(family))
                .Select(option => new ConfigurationProblem(
                    option.Key,
                    $"does not go with the other options, which are those of {name}: {NamesOf(option.Families)} it."
                )),
            .. Needs
                .Where(need => need.Families.Contains(family) && !need.IsGood(c))
                .Select(need => new ConfigurationProblem(
                    need.Key,
                    string.Format(System.Globalization.CultureInfo.InvariantCulture, need.Must, name) + "."
                )),
        ];
    }

    /// <summary>Families that have an option, for a sentence.</summary>
    private static string NamesOf(ModelFamily[] families)
    {
        string[] names = [.. families.Select(ModelFamilies.NameOf)];
        if (names.Length == 1)
        {
            return $"only {names[0]} has";
        }

        return $"{string.Join(", ", names[..^1])} and {names[^1]} have";
    }

    private static IEnumerable<ConfigurationProblem> PatternProblems(TransformerConfig c)
    {
        if (c.WindowPattern is string windows && !IsOf(windows, "SL"))
        {
            yield return new ConfigurationProblem(
                "window_pattern",
                $"= {windows} is no pattern. Give a letter for each layer, S with the window or L without: SL, SSSSSL."
            );
        }
        else if (c.WindowPattern is not null && c.SlidingWindow == 0)
        {
            yield return new ConfigurationProblem(
                "window_pattern",
                "has no effect without sliding_window. Give that too, or remove this."
            );
        }

        if (c.RopePattern is string turned && !IsOf(turned, "RN"))
        {
            yield return new ConfigurationProblem(
                "rope_pattern",
                $"= {turned} is no pattern. Give a letter for each layer, R with rotary positions or N without: RRRN."
            );
        }

        if (c.RopeLocalBaseFreq is not null && c.SlidingWindow == 0)
        {
            yield return new ConfigurationProblem(
                "rope_local_base_freq",
                "has no effect without sliding_window. Give that too, or remove this."
            );
        }

        if (c.QkNormWhole && !c.QkNorm)
        {
            yield return new ConfigurationProblem("qk_norm_whole", "has no effect without qk_norm. Set that too.");
        }

        if (c.SharedAttentionNorm && !c.UseParallelResidual)
        {
            yield return new ConfigurationProblem(
                "shared_attention_norm",
                "has no meaning without use_parallel_residual. Set that too."
            );
        }

        if (c.ScaleEmbeddings && c.EmbeddingMultiplier != 1)
        {
            yield return new ConfigurationProblem(
                "embedding_multiplier",
                "does not go with scale_embeddings. Give one of the two."
            );
        }
    }

    private static bool IsOf(string pattern, string letters) =>
        pattern.Length > 0 && pattern.All(letter => letters.Contains(letter, StringComparison.Ordinal));
}
