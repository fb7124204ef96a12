using System.Text.Json.Nodes;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Runs;
using Saltern.Tests.Verdicts;
using Saltern.Verdicts;

namespace Saltern.Tests.Optimization;

/// <summary>The optimizer's own products are part of what a run costs.</summary>
public class UpdateFlopsTests
{
    private static readonly OptimizerConfig Muon = new() { Kind = OptimizerKind.Muon, LearningRate = 3e-3 };

    // Four square matrices of attention and three of 8 × 24: 10·64·24 = 15,360 and 10·64·56 = 35,840 FLOP each.
    [Theory]
    [InlineData(OptimizerKind.Muon, 2 * ((4 * 15_360) + (3 * 35_840)))]
    [InlineData(OptimizerKind.Adamw, 0)]
    [InlineData(OptimizerKind.Adafactor, 0)]
    public void AnUpdate_CostsItsProducts(OptimizerKind kind, double flops)
    {
        var model = new TransformerConfig
        {
            VocabSize = 300,
            HiddenSize = 8,
            IntermediateSize = 24,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            NumKeyValueHeads = 2,
            HeadDim = 4,
            MaxPositionEmbeddings = 32,
        };
        Assert.Equal(flops, MuonRule.UpdateFlops(Muon with { Kind = kind }, new DecoderLayout(model).Parameters));
    }

    [Fact]
    public void ARunsCost_HoldsItsUpdates_AsItsPlanDoes_AndAfterAResume()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 20) with
        {
            Optimizer = Muon,
            Growth =
            [
                new GrowthStageConfig
                {
                    Until = StepPoint.FromShare(0.5),
                    Model = new() { NumHiddenLayers = 1 },
                },
            ],
        };
        using (var first = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            first.Continue(10, CancellationToken.None);
        }

        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { Resume = true });
        run.Continue(20, CancellationToken.None);
        RunResult result = run.Finish();
        using var parts = RunParts.Open(config, null);
        double updates = parts.Stages.Stages.Sum(stage =>
            stage.Steps * MuonRule.UpdateFlops(Muon, new DecoderLayout(stage.Model).Parameters)
        );
        Assert.True(updates > 0);
        Assert.Equal(updates, result.OptimizerFlops!.Value, 1e-9 * updates);
        Assert.Equal(parts.Stages.Flops(32) + updates, result.Flops, 1e-9 * result.Flops);
        Assert.Equal(result.Flops, RunRecord.Load(folder["run"]).Metrics.Series(MetricNames.Flops)[^1].Value);
        CostPlan plan = CostPlan.Of(config, parts.Stages.Stages[^1].Model, null, 0);
        Assert.Equal(result.Flops, plan.Student, 1e-9 * result.Flops);
    }

    [Fact]
    public void AStateFromBeforeTheyWereCounted_GoesOnWithoutThem()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 20) with { Optimizer = Muon };
        using (var first = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            first.Continue(10, CancellationToken.None);
        }

        string checkpoint = new CheckpointStore(folder["run"]).PathOf(10);
        string file = Path.Combine(checkpoint, Checkpoint.StateFile);
        JsonObject state = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        double counted = (double)state["flops"]!;
        state["flops"] = counted - (double)state["optimizer_flops"]!;
        Assert.True(state.Remove("optimizer_flops"));
        File.WriteAllText(file, state.ToJsonString());
        File.Delete(Path.Combine(checkpoint, CheckpointManifest.FileName));
        CheckpointManifest.Write(checkpoint);

        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { Resume = true });
        run.Continue(20, CancellationToken.None);
        RunResult result = run.Finish();
        using var parts = RunParts.Open(config, null);
        Assert.Null(result.OptimizerFlops);
        Assert.Equal(parts.Stages.Flops(32), result.Flops, 1e-9 * result.Flops);
    }

    [Theory]
    [InlineData(null, null, true)]
    [InlineData(5e9, null, false)]
    [InlineData(null, 5e9, false)]
    public void AVerdict_SaysWhereTheyAreMissingOnOneSide(double? own, double? baselines, bool sameRule)
    {
        RunRecord baseline = WithUpdates(
            FakeStudy.Run("baseline", 1, 3.7),
            baselines,
            isMuon: sameRule || own is not null
        );
        RunRecord arm = WithUpdates(FakeStudy.Run("muon", 1, 3.6), own, isMuon: true);
        string[] said =
        [
            .. Verdict
                .Compute([baseline], [arm])
                .Warnings.Where(warning => warning.Contains("Muon's own updates are not in", StringComparison.Ordinal)),
        ];
        if (sameRule)
        {
            Assert.Empty(said);
        }
        else
        {
            string whose = own is null ? "its FLOPs" : "the baseline's FLOPs";
            Assert.Contains(whose, Assert.Single(said), StringComparison.Ordinal);
        }
    }

    private static RunRecord WithUpdates(RunRecord run, double? flops, bool isMuon) =>
        run with
        {
            RecipeText = $"name: run\noptimizer: {{ kind: {(isMuon ? "muon" : "adamw")} }}\n",
            Result = run.Result with { OptimizerFlops = flops },
        };
}
