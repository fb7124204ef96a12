using Saltern.Growth;
using Saltern.Models;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Planning;

public class WaysPlanTests
{
    [Fact]
    public void Grown_IsTheRuleOfItsStages()
    {
        // Half of the steps with half of the layers: lag 0.3·(0.5 − 0.2).
        RunConfig recipe = Recipe(layers: 4);
        TransformerConfig student = recipe.Model.Resolve(300, 32);
        WaysPlan ways = Ways(recipe, layers: 2, share: 0.5, students: 1);
        Way grown = ways.Ways.Single(way => way.Name == "GROWN");
        double small =
            ModelFlops.TrainingPerToken(student with { NumHiddenLayers = 2 }, 32)
            / ModelFlops.TrainingPerToken(student, 32);
        Assert.Equal(0.5 + (0.3 * 0.3), grown.Free, 1e-12);
        Assert.Equal(grown.Free + (0.5 * small), grown.Charged!.Value, 1e-12);
        Assert.Equal(grown.Free + (0.125 * small), Ways(recipe, 2, 0.5, students: 4).Ways[1].Charged!.Value, 1e-12);
        Assert.Equal(0.85, Ways(recipe, 2, 0.15, students: 1).Ways[1].Free, 1e-12); // no lag before a fifth
        Assert.Equal(("GROWN", "GROWN"), (ways.BestFree.Name, ways.BestCharged.Name));
    }

    [Theory]
    [InlineData(4, 2)]
    [InlineData(8, 2)]
    [InlineData(12, 3)]
    [InlineData(6, 3)]
    [InlineData(9, 3)]
    [InlineData(2, 1)]
    public void TheSmallModel_IsHalfOrAQuarter_ThatStacks(int layers, int expected)
    {
        RunConfig recipe = Recipe(layers);
        GrowthStageConfig stage = Assert.Single(WaysPlan.StagesFor(recipe, recipe.Model.Resolve(300, 32), null, null));
        Assert.Equal((expected, 0.5), (stage.Model.NumHiddenLayers, stage.Until!.Value.Resolve(100) / 100.0));
    }

    [Fact]
    public void WhatIsMissing_IsSaid()
    {
        WaysPlan one = Ways(Recipe(layers: 1), null, null, 1);
        Assert.Equal("BASELINE", Assert.Single(one.Ways).Name);
        Assert.Contains(
            one.Missing,
            line => line.StartsWith("GROWN: the student has one layer", StringComparison.Ordinal)
        );
        Assert.Contains(one.Missing, line => line.StartsWith("SALT: no teacher", StringComparison.Ordinal));
        Assert.Contains(
            Ways(Recipe(layers: 4), 3, 0.5, 1).Missing,
            line => line.Contains("'stack' repeats all 3 layers", StringComparison.Ordinal)
        );
    }

    private static RunConfig Recipe(int layers)
    {
        RunConfig plain = TinyRun.Shared.Plain("plan", 100);
        return plain with { Model = plain.Model with { NumHiddenLayers = layers } };
    }

    private static WaysPlan Ways(RunConfig recipe, int? layers, double? share, int students)
    {
        TransformerConfig student = recipe.Model.Resolve(300, 32);
        IReadOnlyList<GrowthStageConfig> stages = WaysPlan.StagesFor(recipe, student, layers, share);
        return WaysPlan.Of(recipe, student, teacher: null, teacherSteps: null, 0.8, students, stages);
    }
}
