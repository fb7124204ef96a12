using Saltern.Configuration;

namespace Saltern.Models;

/// <summary>Which options of a decoder go together: those that some family of models has, so that other programs can read what is trained here.</summary>
internal static class OptionRules
{
    /// <summary>What no family has.</summary>
    public static IEnumerable<ConfigurationProblem> Problems(TransformerConfig c) =>
        c.LayerNormEps is null ? WithRmsNorms(c) : WithLayerNorms(c);

    // Llama and its kin.
    private static IEnumerable<ConfigurationProblem> WithRmsNorms(TransformerConfig c)
    {
        if (c.QkvBias && (c.AttentionBias || c.QkNorm))
        {
            yield return new ConfigurationProblem(
                "qkv_bias",
                "goes with neither attention_bias nor qk_norm: no family of models has both."
            );
        }

        if (c.MlpBias && (c.QkvBias || c.QkNorm || c.SlidingWindow > 0))
        {
            yield return new ConfigurationProblem(
                "mlp_bias",
                "goes with none of qkv_bias, qk_norm and sliding_window: no family of models has both."
            );
        }

        if (c.SlidingWindow > 0 && c.AttentionBias && !c.QkNorm)
        {
            yield return new ConfigurationProblem(
                "sliding_window",
                "does not go with attention_bias, unless there is qk_norm: no family of models has both."
            );
        }

        (string Key, bool Set)[] others =
        [
            ("hidden_act", !c.IsGated),
            ("use_parallel_residual", c.UseParallelResidual),
            ("learned_positions", c.LearnedPositions),
            ("partial_rotary_factor", c.PartialRotaryFactor != 1),
        ];
        foreach ((string key, _) in others.Where(option => option.Set))
        {
            yield return new ConfigurationProblem(
                key,
                "goes with layer_norm_eps (GPT-NeoX, GPT-2): no family with RMS norms has it."
            );
        }
    }

    // GPT-NeoX and, with learned positions, GPT-2.
    private static IEnumerable<ConfigurationProblem> WithLayerNorms(TransformerConfig c)
    {
        string family = c.LearnedPositions ? "GPT-2" : "GPT-NeoX";
        (string Key, bool Wrong, string Message)[] rules =
        [
            (
                "rms_norm_eps",
                c.RmsNormEps != TransformerConfig.DefaultRmsNormEps,
                "has no effect beside layer_norm_eps. Give one of the two."
            ),
            (
                "hidden_act",
                c.IsGated,
                $"= silu is gated, which {family} is not. Use gelu, gelu_new, gelu_fast or gelu_pytorch_tanh."
            ),
            ("mlp_bias", !c.MlpBias, $"must be true with layer_norm_eps: {family} has these biases."),
            (
                "attention_bias",
                c.LearnedPositions && !c.AttentionBias,
                $"must be true with learned_positions: {family} has these biases."
            ),
            (
                "num_key_value_heads",
                c.NumKeyValueHeads != c.NumAttentionHeads,
                $"= {c.NumKeyValueHeads} differs from num_attention_heads = {c.NumAttentionHeads}: {family} has as many."
            ),
            (
                "head_dim",
                c.HeadDim * c.NumAttentionHeads != c.HiddenSize,
                $"= {c.HeadDim} is not hidden_size / num_attention_heads, as {family} has it. Leave it out."
            ),
            ("qkv_bias", c.QkvBias, $"does not go with layer_norm_eps. {family}'s are attention_bias."),
            ("qk_norm", c.QkNorm, $"does not go with layer_norm_eps: {family} has none."),
            ("sliding_window", c.SlidingWindow > 0, $"does not go with layer_norm_eps: {family} has none."),
            (
                "use_parallel_residual",
                c.LearnedPositions && c.UseParallelResidual,
                "does not go with learned_positions: GPT-2 has none."
            ),
            (
                "rope_scaling",
                c.LearnedPositions && c.RopeScaling is not null,
                "has no effect beside learned_positions. Remove it."
            ),
            (
                "rope_theta",
                c.LearnedPositions && c.RopeTheta != TransformerConfig.DefaultRopeTheta,
                "has no effect beside learned_positions. Remove it."
            ),
            (
                "partial_rotary_factor",
                c.LearnedPositions && c.PartialRotaryFactor != 1,
                "has no effect beside learned_positions. Remove it."
            ),
        ];
        return rules.Where(rule => rule.Wrong).Select(rule => new ConfigurationProblem(rule.Key, rule.Message));
    }
}
