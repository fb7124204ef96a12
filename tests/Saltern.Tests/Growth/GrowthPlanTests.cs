using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Models;

namespace Saltern.Tests.Growth;

public class GrowthPlanTests
{
    private static readonly TransformerConfig Model = new TransformerConfig { Preset = "1.3m" }.Resolve(4_096, 512);

    [Fact]
    public void WithoutGrowth_ThereIsOneStage()
    {
        var plan = GrowthPlan.Of(null, Model, 100, 8, 512);
        Assert.Equal(new GrowthStage(1, 100, Model, 8, null), Assert.Single(plan.Stages));
        Assert.Equal((800, 800), (plan.Samples, plan.SamplesUpTo(200)));
        Assert.False(plan.EndsAfter(100));
    }

    [Fact]
    public void StagesFollowEachOther_WithTheirBatches()
    {
        var plan = GrowthPlan.Of(
            [
                Stage(1) with
                {
                    Until = StepPoint.FromSteps(10),
                },
                Stage(2) with
                {
                    Until = StepPoint.FromShare(0.5),
                    BatchSequences = 4,
                },
            ],
            Model,
            100,
            8,
            512
        );
        Assert.Equal(
            [(1, 10, 1), (11, 50, 2), (51, 100, 4)],
            plan.Stages.Select(stage => (stage.FirstStep, stage.LastStep, stage.Model.NumHiddenLayers))
        );
        Assert.Equal(
            [1, 1, 2, 2, 4, 4],
            new[] { 0, 10, 11, 50, 51, 100 }.Select(step => plan.At(step).Model.NumHiddenLayers)
        );
        Assert.Equal([false, true, false, true, false], new[] { 9, 10, 11, 50, 100 }.Select(plan.EndsAfter));
        Assert.Equal([80, 84, 240, 640], new[] { 10, 11, 50, 100 }.Select(plan.SamplesUpTo));
        Assert.Equal(8, plan.LargestBatch);
    }

    // A third of the FLOPs is a third, whatever the steps cost.
    [Fact]
    public void SharesOfFlops_AreSharesOfFlops()
    {
        var plan = GrowthPlan.Of(
            [Stage(1) with { UntilFlops = 0.2 }, Stage(2) with { UntilFlops = 1.0 / 3, BatchSequences = 4 }],
            Model,
            100_000,
            8,
            512
        );
        double all = plan.Flops(512);
        double[] flops = [.. plan.Stages.Select(stage => stage.Steps * GrowthPlan.StepFlops(stage, 512) / all)];
        Assert.Equal(0.2, flops[0], 1e-4);
        Assert.Equal((1.0 / 3) - 0.2, flops[1], 1e-4);
        Assert.Equal(2.0 / 3, flops[2], 1e-4);
        Assert.Equal(100_000, plan.Stages.Sum(stage => stage.Steps));
    }

    [Theory]
    [InlineData(50, 50, "growth\\[1\\] would last from step 51 to step 50")]
    [InlineData(60, 30, "growth\\[1\\] would last from step 61 to step 30")]
    [InlineData(50, 100, "growth\\[1\\] ends with step 100 of 100, so no step is left")]
    [InlineData(0, 50, "growth\\[0\\] would last from step 1 to step 0")]
    public void StagesWithoutAStep_AreNamed(int first, int second, string expected) =>
        Assert.Matches(
            expected,
            Problems(
                Stage(1) with
                {
                    Until = StepPoint.FromSteps(first),
                },
                Stage(2) with
                {
                    Until = StepPoint.FromSteps(second),
                }
            )
        );

    [Fact]
    public void WhatCannotGrow_OrDoesNot_IsNamed()
    {
        StepPoint half = StepPoint.FromShare(0.5);
        Assert.Matches("growth\\[0\\]: 'stack' repeats all 3 layers", Problems(Stage(3) with { Until = half }));
        Assert.Matches("growth\\[0\\].model is the model that follows it", Problems(Stage(4) with { Until = half }));
        Assert.Matches(
            "growth\\[0\\].model.num_key_value_heads = 4 does not divide",
            Problems(
                new GrowthStageConfig
                {
                    Until = half,
                    Model = new GrowthModelConfig { NumAttentionHeads = 2, NumKeyValueHeads = 4 },
                }
            )
        );
        Assert.Matches(
            "some stages end by 'until' and others by 'until_flops'",
            Problems(Stage(1) with { Until = half }, Stage(2) with { UntilFlops = 0.7 })
        );
    }

    [Fact]
    public void HeadsAndFeedForward_FollowTheWidth_WhereTheyCan()
    {
        TransformerConfig half = new GrowthModelConfig { HiddenSize = 64 }.Of(Model);
        Assert.Equal(
            (2, 2, Model.IntermediateSize / 2, Model.HeadDim),
            (half.NumAttentionHeads, half.NumKeyValueHeads, half.IntermediateSize, half.HeadDim)
        );
        TransformerConfig odd = new GrowthModelConfig { HiddenSize = 48, IntermediateSize = 64 }.Of(Model);
        Assert.Equal((Model.NumAttentionHeads, 64), (odd.NumAttentionHeads, odd.IntermediateSize));
    }

    [Fact]
    public void AStage_SaysWhenItEnds_AndWhatIsSmaller()
    {
        string recipe = """
            name: a
            data: { path: data, sequence_length: 32 }
            model: { preset: 1.3m }
            training: { steps: 100 }
            """;
        string Message(string growth) =>
            Assert
                .Throws<ConfigurationException>(() =>
                    RecipeReader.Parse<Saltern.Runs.RunConfig>(recipe, "r", ["growth=" + growth])
                )
                .Message;
        Assert.Contains(
            "growth[0].until or until_flops must be given",
            Message("[{ model: { num_hidden_layers: 2 } }]"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "growth[0].until or until_flops must be given, and not both",
            Message("[{ until: 5, until_flops: 0.5, model: { num_hidden_layers: 2 } }]"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "names no size, so nothing would grow",
            Message("[{ until: 5, model: {} }]"),
            StringComparison.Ordinal
        );
    }

    private static string Problems(params GrowthStageConfig[] growth) =>
        Assert.Throws<ConfigurationException>(() => GrowthPlan.Of(growth, Model, 100, 8, 512)).Message;

    private static GrowthStageConfig Stage(int layers) =>
        new() { Model = new GrowthModelConfig { NumHiddenLayers = layers } };
}
