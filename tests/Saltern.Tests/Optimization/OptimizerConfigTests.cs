using Saltern.Configuration;
using Saltern.Optimization;

namespace Saltern.Tests.Optimization;

public class OptimizerConfigTests
{
    [Theory]
    [InlineData("kind: adamw, momentum: 0.95", "momentum is used by 'kind: muon' only, not by 'adamw'. Remove it.")]
    [InlineData("kind: adam", "kind = adam is not one of adamw, muon. Did you mean adamw?")]
    [InlineData("kind: muon, momentum: 1", "momentum = 1 is outside [0, 1).")]
    public void KeysThatWouldBeIgnored_AndValuesThatCannotBe_AreErrors(string keys, string problem) =>
        Assert.EndsWith(": " + problem, Assert.Single(Assert.Throws<ConfigurationException>(() => Read(keys)).Problems), StringComparison.Ordinal);

    [Fact]
    public void EachKind_ReadsAndWritesItsOwnKeys()
    {
        Assert.Equal(OptimizerKind.Adamw, Read("learning_rate: 1e-3").Kind);
        OptimizerConfig muon = Read("kind: muon, momentum: 0.9, adamw_learning_rate: 2e-3, betas: [0.8, 0.9]");
        Assert.Equal((OptimizerKind.Muon, 0.9, 2e-3), (muon.Kind, muon.Momentum, muon.AdamwLearningRate));

        // What a run folder keeps reads back as the same.
        Assert.Equal(muon, RecipeReader.Parse<OptimizerConfig>(RecipeWriter.Write(muon), "written", []) with { Betas = muon.Betas });
    }

    private static OptimizerConfig Read(string keys) => RecipeReader.Parse<OptimizerConfig>($"{{ {keys} }}", "recipe.yaml", []);
}
