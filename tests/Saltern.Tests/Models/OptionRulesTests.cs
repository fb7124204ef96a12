using Saltern.Models;

namespace Saltern.Tests.Models;

public class OptionRulesTests
{
    private static readonly TransformerConfig Plain = new()
    {
        HiddenSize = 24,
        NumHiddenLayers = 1,
        NumAttentionHeads = 3,
    };
    private static readonly TransformerConfig GptNeox = Plain with
    {
        LayerNormEps = 1e-5,
        HiddenAct = Activation.Gelu,
        AttentionBias = true,
        MlpBias = true,
        PartialRotaryFactor = 0.25,
        UseParallelResidual = true,
    };
    private static readonly TransformerConfig Gpt2 = GptNeox with
    {
        LearnedPositions = true,
        PartialRotaryFactor = 1,
        UseParallelResidual = false,
    };

    public static TheoryData<string, string> Mistakes =>
        new()
        {
            { "plain-gelu", "hidden_act goes with layer_norm_eps" },
            { "plain-parallel", "use_parallel_residual goes with layer_norm_eps" },
            { "plain-learned", "learned_positions goes with layer_norm_eps" },
            { "plain-partial", "partial_rotary_factor goes with layer_norm_eps" },
            { "neox-silu", "hidden_act = silu is gated" },
            { "neox-rms", "rms_norm_eps has no effect" },
            { "neox-bias", "mlp_bias must be true" },
            { "neox-groups", "num_key_value_heads = 1 differs" },
            { "neox-head", "head_dim = 16 is not hidden_size / num_attention_heads" },
            { "neox-window", "sliding_window does not go with" },
            { "neox-third", "partial_rotary_factor = 0.4 turns 3 of a head's 8 elements" },
            { "gpt2-parallel", "use_parallel_residual does not go with learned_positions" },
            { "gpt2-theta", "rope_theta has no effect" },
            { "gpt2-bias", "attention_bias must be true" },
        };

    [Fact]
    public void ShapesOfTheFamilies_HaveNoProblem() =>
        Assert.Empty(
            new[]
            {
                Plain,
                GptNeox,
                GptNeox with
                {
                    AttentionBias = false,
                    UseParallelResidual = false,
                    PartialRotaryFactor = 1,
                },
                Gpt2,
            }.SelectMany(shape => shape.Validate())
        );

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void WhatNoFamilyHas_IsNamed(string mistake, string expected)
    {
        TransformerConfig shape = mistake switch
        {
            "plain-gelu" => Plain with { HiddenAct = Activation.Gelu },
            "plain-parallel" => Plain with { UseParallelResidual = true },
            "plain-learned" => Plain with { LearnedPositions = true },
            "plain-partial" => Plain with { PartialRotaryFactor = 0.5 },
            "neox-silu" => GptNeox with { HiddenAct = Activation.Silu },
            "neox-rms" => GptNeox with { RmsNormEps = 1e-6 },
            "neox-bias" => GptNeox with { MlpBias = false },
            "neox-groups" => GptNeox with { NumKeyValueHeads = 1 },
            "neox-head" => GptNeox with { HeadDim = 16 },
            "neox-window" => GptNeox with { SlidingWindow = 8 },
            "neox-third" => GptNeox with { PartialRotaryFactor = 0.4 },
            "gpt2-parallel" => Gpt2 with { UseParallelResidual = true },
            "gpt2-theta" => Gpt2 with { RopeTheta = 500 },
            _ => Gpt2 with { AttentionBias = false },
        };
        Assert.Contains(
            shape.Validate(),
            problem => $"{problem.Key} {problem.Message}".Contains(expected, StringComparison.Ordinal)
        );
    }
}
