using Saltern.Configuration;
using Saltern.Optimization;

namespace Saltern.Tests.Optimization;

public class OptimizerConfigTests
{
    [Theory]
    [InlineData("kind: adamw, momentum: 0.95", "momentum is used by 'kind: muon' only, not by 'adamw'. Remove it.")]
    [InlineData(
        "kind: adafactor, adamw_learning_rate: 0.1",
        "adamw_learning_rate is used by 'kind: muon' only, not by 'adafactor'. Remove it."
    )]
    [InlineData("kind: muon, beta1: 0.9", "beta1 is used by 'kind: adafactor' only, not by 'muon'. Remove it.")]
    [InlineData(
        "kind: adamw, scale_parameter: false",
        "scale_parameter is used by 'kind: adafactor' only, not by 'adamw'. Remove it."
    )]
    [InlineData(
        "kind: adafactor, betas: [0.9, 0.99]",
        "betas is used by 'kind: adamw' and 'kind: muon' only, not by 'adafactor'. Remove it."
    )]
    [InlineData(
        "kind: adafactor, epsilon: 1e-6",
        "epsilon is used by 'kind: adamw' and 'kind: muon' only, not by 'adafactor'. Remove it."
    )]
    [InlineData(
        "kind: adamw, orthogonalization: polar_express",
        "orthogonalization is used by 'kind: muon' only, not by 'adamw'. Remove it."
    )]
    [InlineData(
        "kind: adamw, normalization: neurons",
        "normalization is used by 'kind: muon' only, not by 'adamw'. Remove it."
    )]
    [InlineData(
        "kind: muon, normalization_beta: 0.9",
        "normalization_beta is used with 'normalization: neurons' or 'long_side' only. Name one, or remove it."
    )]
    [InlineData(
        "kind: adafactor, cautious_weight_decay: true",
        "cautious_weight_decay is used by 'kind: adamw' and 'kind: muon' only, not by 'adafactor'. Remove it."
    )]
    [InlineData(
        "kind: muon, weight_decay: 0, cautious_weight_decay: true",
        "cautious_weight_decay changes nothing with weight_decay = 0. Remove it."
    )]
    [InlineData(
        "weight_decay: 0, weight_decay_schedule: linear",
        "weight_decay_schedule changes nothing with weight_decay = 0. Remove it."
    )]
    [InlineData(
        "kind: muon, embedding: { }",
        "embedding names nothing. Give learning_rate, betas or weight_decay, or remove the section."
    )]
    [InlineData(
        "kind: muon, head: { betas: [0.9, 1] }",
        "head.betas = [0.9, 1] must be two numbers in [0, 1), e.g. [0.9, 0.95]."
    )]
    [InlineData("kind: adam", "kind = adam is not one of adamw, muon, adafactor. Did you mean adamw?")]
    [InlineData("kind: muon, momentum: 1", "momentum = 1 is outside [0, 1).")]
    [InlineData("kind: adafactor, beta1: 0", "beta1 = 0 is outside (0, 1).")]
    public void KeysThatWouldBeIgnored_AndValuesThatCannotBe_AreErrors(string keys, string problem) =>
        Assert.EndsWith(
            ": " + problem,
            Assert.Single(Assert.Throws<ConfigurationException>(() => Read(keys)).Problems),
            StringComparison.Ordinal
        );

    [Fact]
    public void EachKind_ReadsAndWritesItsOwnKeys()
    {
        Assert.Equal(OptimizerKind.Adamw, Read("learning_rate: 1e-3").Kind);
        OptimizerConfig muon = Read("kind: muon, momentum: 0.9, adamw_learning_rate: 2e-3, betas: [0.8, 0.9]");
        Assert.Equal((OptimizerKind.Muon, 0.9, 2e-3), (muon.Kind, muon.Momentum, muon.AdamwLearningRate));
        OptimizerConfig adafactor = Read("kind: adafactor, beta1: 0.9, scale_parameter: true");
        Assert.Equal((OptimizerKind.Adafactor, 0.9, true), (adafactor.Kind, adafactor.Beta1, adafactor.ScaleParameter));

        // What a run folder keeps reads back as the same.
        Assert.Equal(
            adafactor with
            {
                Betas = muon.Betas,
            },
            RecipeReader.Parse<OptimizerConfig>(RecipeWriter.Write(adafactor), "written", []) with
            {
                Betas = muon.Betas,
            }
        );
    }

    [Fact]
    public void DecayByWidth_IsTheSquareOfTheRatio()
    {
        OptimizerConfig config = Read(
            "kind: muon, weight_decay: 0.2, weight_decay_base_width: 128, embedding: { weight_decay: 0.1 }, head: { learning_rate: 1e-3 }"
        );
        OptimizerConfig wide = config.ForWidth(256);
        Assert.Equal((0.05, 0.025, null), (wide.WeightDecay, wide.Embedding?.WeightDecay, wide.Head?.WeightDecay));
        Assert.Equal(0.2, config.ForWidth(128).WeightDecay);
        Assert.Same(wide, wide.ForWidth(64)); // made once
    }

    private static OptimizerConfig Read(string keys) =>
        RecipeReader.Parse<OptimizerConfig>($"{{ {keys} }}", "recipe.yaml", []);
}
