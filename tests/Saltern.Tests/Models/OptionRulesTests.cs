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
            {
                "plain-gelu",
                "hidden_act does not go with the other options, which are those of Llama: GPT-NeoX, Phi, GPT-2"
            },
            {
                "plain-parallel",
                "use_parallel_residual does not go with the other options, which are those of Llama: GPT-NeoX and Phi have it"
            },
            { "plain-learned", "learned_positions does not go with the other options, which are those of Llama" },
            { "plain-partial", "partial_rotary_factor does not go with the other options" },
            { "neox-silu", "hidden_act = silu is gated" },
            { "neox-rms", "rms_norm_eps has no effect" },
            { "neox-bias", "mlp_bias must be true" },
            { "neox-groups", "num_key_value_heads differs from num_attention_heads: GPT-NeoX has as many" },
            { "neox-head", "head_dim is not hidden_size / num_attention_heads" },
            { "neox-window", "sliding_window does not go with" },
            { "neox-third", "partial_rotary_factor = 0.4 turns 3 of a head's 8 elements" },
            { "gpt2-parallel", "use_parallel_residual does not go with the other options, which are those of GPT-2" },
            { "gpt2-theta", "rope_theta does not go with the other options, which are those of GPT-2" },
            { "gpt2-bias", "attention_bias must be true" },
            { "gemma-gate", "gated_mlp must be true, as Gemma has it" },
            { "gemma-around", "norm_placement must be around, as Gemma 3 has it" },
            { "olmo-heads", "qk_norm_whole must be true, as OLMo-2 has it" },
            { "olmo-window", "sliding_window does not go with the other options, which are those of OLMo-2" },
            { "opt-offset", "position_offset must be 2, as OPT has it" },
            { "phi-head", "lm_head_bias must be true, as Phi has it" },
            { "pattern", "window_pattern = SX is no pattern" },
            { "pattern-alone", "window_pattern has no effect without sliding_window" },
            { "both-factors", "embedding_multiplier does not go with scale_embeddings" },
            { "mistral-pattern", "window_pattern does not go with the other options, which are those of Mistral" },
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
            }
                .Concat(FamilyShapes.All.Values.Select(shape => shape.Resolve(53, 40)))
                .SelectMany(shape => shape.Validate())
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
            "gemma-gate" => FamilyShapes.All["Gemma"] with { GatedMlp = false },
            "gemma-around" => FamilyShapes.All["Gemma 3"] with { NormPlacement = NormPlacement.Before },
            "olmo-heads" => FamilyShapes.All["OLMo-2"] with { QkNormWhole = false },
            "olmo-window" => FamilyShapes.All["OLMo-2"] with { SlidingWindow = 8 },
            "opt-offset" => FamilyShapes.All["OPT"] with { PositionOffset = 1 },
            "phi-head" => FamilyShapes.All["Phi"] with { LmHeadBias = false },
            "pattern" => FamilyShapes.All["Gemma 2"] with { WindowPattern = "SX" },
            "pattern-alone" => FamilyShapes.All["Gemma 2"] with { SlidingWindow = 0 },
            "both-factors" => FamilyShapes.All["Gemma"] with { EmbeddingMultiplier = 2 },
            "mistral-pattern" => Plain with { SlidingWindow = 8, WindowPattern = "LS" },
            _ => Gpt2 with { AttentionBias = false },
        };
        Assert.Contains(
            shape.Validate(),
            problem => $"{problem.Key} {problem.Message}".Contains(expected, StringComparison.Ordinal)
        );
    }
}
