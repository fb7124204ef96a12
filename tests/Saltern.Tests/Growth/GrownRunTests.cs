using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Distributed;
using Saltern.Tests.Runs;
using TorchSharp;

namespace Saltern.Tests.Growth;

public class GrownRunTests
{
    // Grows after steps 14 and 25; checkpoints at 10, 14, 20, 25, 30, 40.
    [Theory]
    [InlineData(OptimizerKind.Adamw, OptimizerTransfer.Fresh, 13)]
    [InlineData(OptimizerKind.Adamw, OptimizerTransfer.Fresh, 14)]
    [InlineData(OptimizerKind.Adamw, OptimizerTransfer.Copied, 14)]
    [InlineData(OptimizerKind.Adamw, OptimizerTransfer.Kept, 15)]
    [InlineData(OptimizerKind.Muon, OptimizerTransfer.Copied, 25)]
    [InlineData(OptimizerKind.Adafactor, OptimizerTransfer.Copied, 31)]
    public void AResumedRun_IsBitForBitTheUninterruptedOne(OptimizerKind kind, OptimizerTransfer transfer, int cutAfter)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(transfer) with
        {
            Optimizer = new OptimizerConfig { Kind = kind, LearningRate = 3e-3 },
        };
        float[] whole = Train(config, folder["whole"], 40);
        Train(config, folder["cut"], cutAfter);
        float[] resumed = Train(config, folder["cut"], 40, resume: true);
        Assert.Equal(whole, resumed);
        Assert.Equal(Losses(folder["whole"]), Losses(folder["cut"]));
    }

    // Growths after steps 14 and 25: a fresh optimizer counts the 15 updates since, a carried one all 40.
    [Theory]
    [InlineData(OptimizerTransfer.Fresh, 15)]
    [InlineData(OptimizerTransfer.Copied, 40)]
    [InlineData(OptimizerTransfer.Kept, 40)]
    public void TheOptimizersState_IsCarriedAsTheRecipeSays(OptimizerTransfer transfer, long updates)
    {
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Open(Config(transfer), folder["run"], TinyRun.Quick);
        run.Continue(40, CancellationToken.None);
        TrainState saved = Checkpoint.LoadState(run.Folder.Checkpoints.PathOf(40));
        Assert.Equal(updates, saved.Updates);
        float[] own = run.Student.Parameters.FlatWeights.data<float>().ToArray();
        foreach (OptimizerTransfer other in Enum.GetValues<OptimizerTransfer>().Where(other => other != transfer))
        {
            Assert.NotEqual(own, Train(Config(other), folder[other.ToString()], 40));
        }
    }

    [Fact]
    public void TheSmallModels_AreKept_AndTheRunTellsOfItsStages()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(OptimizerTransfer.Fresh);
        var lines = new List<string>();
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { Log = lines.Add });
        run.Continue(40, CancellationToken.None);
        RunResult result = run.Finish();
        Assert.Contains(
            lines,
            line =>
                line.StartsWith(
                    "The model grew after step 14: 1 to 2 layers, hidden 12 to 12",
                    StringComparison.Ordinal
                )
        );
        Assert.Contains(
            lines,
            line =>
                line.StartsWith(
                    "The model grew after step 25: 2 to 4 layers, hidden 12 to 24",
                    StringComparison.Ordinal
                )
        );
        Assert.Equal([14, 25], result.Stages.Select(stage => stage.LastStep));
        Assert.Equal(
            [(1, 12), (2, 12)],
            new[] { 14, 25 }
                .Select(step => ModelFolder.LoadConfig(run.Folder.Checkpoints.PathOf(step)))
                .Select(shape => (shape.NumHiddenLayers, shape.HiddenSize))
        );

        // FLOPs and samples are those of the plan, stage by stage.
        using var parts = RunParts.Open(config, null);
        Assert.Equal(parts.Stages.Flops(32), result.Flops, 1e-9 * result.Flops);
        Assert.Equal(14 * GrowthPlan.StepFlops(parts.Stages.Stages[0], 32), result.Stages[0].Flops, 1.0);
        Assert.Equal((14 * 8) + (11 * 4) + (15 * 8), result.Samples);
        Assert.Equal("grown", result.Arm);
        MetricsTable metrics = RunRecord.Load(folder["run"]).Metrics;
        Assert.Equal([14.0, 25.0], metrics.Series(MetricNames.GrownAfter).Select(point => point.Value));
        Assert.Equal([15, 26], metrics.Series(MetricNames.GrownAfter).Select(point => point.Step));
    }

    [Fact]
    public void GrowthThatPreservesTheFunction_LeavesTheLossWhereItWas()
    {
        using var folder = new TemporaryFolder();
        RunConfig still = Config(OptimizerTransfer.Fresh, DepthOperator.Zero) with
        {
            Schedule = new ScheduleConfig { WarmupSteps = 39 },
            Optimizer = new OptimizerConfig { LearningRate = 1e-9 },
        };
        using TrainingRun run = TrainingRun.Open(still, folder["run"], TinyRun.Quick);
        run.Continue(14, CancellationToken.None);
        using var before = ModelFolder.Load(run.Folder.Checkpoints.PathOf(14), trainable: false);
        run.Continue(26, CancellationToken.None);
        Assert.Equal(4, run.Student.Config.NumHiddenLayers);
        using var tokens = torch.arange(0, 16).view(1, 16).to(torch.int64);
        using torch.Tensor small = before.LogitsOf(before.HiddenStates(tokens));
        using torch.Tensor large = run.Student.LogitsOf(run.Student.HiddenStates(tokens));
        Assert.True(large.sub(small).abs().max().ToDouble() < 1e-4);
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(4, false)]
    [InlineData(2, true)]
    public void Ranks_GrowTogether(int size, bool sharded)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(OptimizerTransfer.Copied) with
        {
            Threads = 1,
            Optimizer = new OptimizerConfig { LearningRate = 3e-3, ShardState = sharded },
        };
        float[] alone = Train(config, folder["alone"], 40);
        float[][] together = ThreadRanks.Run(
            size,
            ranks =>
            {
                using TrainingRun run = TrainingRun.Open(
                    config,
                    folder["together"],
                    TinyRun.Quick with
                    {
                        Ranks = ranks,
                    }
                );
                run.Continue(40, CancellationToken.None);
                return run.Student.Parameters.FlatWeights.data<float>().ToArray();
            }
        );
        Assert.All(together, weights => Assert.Equal(together[0], weights));
        double difference = Math.Sqrt(alone.Zip(together[0], (a, b) => Math.Pow(a - b, 2)).Sum());
        Assert.True(difference < 1e-3 * Math.Sqrt(alone.Sum(weight => (double)weight * weight)), $"{difference:e2}");
    }

    [Fact]
    public void TheRate_RisesAgainAfterTheGrowth_AndARestartBeginsTheScheduleAnew()
    {
        var cosine = new ScheduleConfig
        {
            Kind = ScheduleKind.Cosine,
            WarmupSteps = 2,
            FinalShare = 0,
        };
        var plain = new LearningRateSchedule(cosine, 1, 20);
        var warmed = new LearningRateSchedule(cosine, 1, 20, [new RateBreak(10, 3, Restarts: false)]);
        Assert.Equal(plain.At(10), warmed.At(10));
        Assert.Equal(
            [0.25, 0.5, 0.75, 1.0],
            new[] { 11, 12, 13, 14 }.Select(step => warmed.At(step) / plain.At(step)),
            new Close()
        );

        var restarted = new LearningRateSchedule(cosine, 1, 20, [new RateBreak(10, 3, Restarts: true)]);
        Assert.Equal([1.0 / 3, 2.0 / 3, 1, 1, 1], new[] { 1, 2, 3, 7, 10 }.Select(restarted.At), new Close());
        Assert.Equal([0.25, 0.5, 0.75, 1, 0], new[] { 11, 12, 13, 14, 20 }.Select(restarted.At), new Close());
        var wsd = new ScheduleConfig
        {
            Kind = ScheduleKind.Wsd,
            Decay = StepPoint.FromShare(0.5),
            FinalShare = 0,
        };
        var decayed = new LearningRateSchedule(wsd, 1, 20, [new RateBreak(10, 0, Restarts: true)]);
        Assert.Equal([1, 1, 0.8, 0], new[] { 10, 15, 16, 20 }.Select(decayed.At), new Close());
        Assert.Contains(
            "more than the 5 steps that follow it",
            Assert
                .Throws<ConfigurationException>(() =>
                    new LearningRateSchedule(cosine, 1, 20, [new RateBreak(15, 6, false)])
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "do not fit into the steps after it = 5",
            Assert
                .Throws<ConfigurationException>(() =>
                    new LearningRateSchedule(wsd, 1, 20, [new RateBreak(15, 4, true)])
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AWeightThatFollowsTheRate_DoesNotFallWithAWarmupAfterAGrowth()
    {
        var constant = new ScheduleConfig { Kind = ScheduleKind.Constant, WarmupSteps = 2 };
        var schedule = new LearningRateSchedule(
            constant,
            1,
            40,
            [new RateBreak(10, 5, false), new RateBreak(20, 5, true)]
        );
        Assert.Equal([1.0 / 6, 1.0 / 6], new[] { 11, 21 }.Select(schedule.At), new Close());
        Assert.Equal([1.0, 1.0, 1.0 / 3], new[] { 11, 21, 1 }.Select(schedule.WithoutRewarming), new Close());
    }

    [Fact]
    public void ANarrowStage_StartsAsAModelOfItsWidth()
    {
        RunConfig config = Config(OptimizerTransfer.Fresh);
        GrowthPlan plan = config.PlanStages(300);
        Assert.Equal(Math.Sqrt(2.0 / (5 * 12)), plan.Stages[0].Model.InitializerRange, 1e-12);
        Assert.Equal(Math.Sqrt(2.0 / (5 * 24)), plan.Stages[2].Model.InitializerRange, 1e-12);
        RunConfig given = config with { Model = config.Model with { InitializerRange = 0.03 } };
        Assert.All(given.PlanStages(300).Stages, stage => Assert.Equal(0.03, stage.Model.InitializerRange));
    }

    [Fact]
    public void StagesThatMoveOnResume_AreRefused()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(OptimizerTransfer.Fresh) with
        {
            Growth = [Stage(2, null) with { UntilFlops = 0.3, BatchSequences = 4 }],
        };
        Train(config, folder["run"], 10);
        RunConfig other = config with { Training = config.Training with { BatchSequences = 16 } };
        Assert.Contains(
            "growth: the stages of the run ended with steps ",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(
                        other,
                        folder["run"],
                        TinyRun.Quick with
                        {
                            Resume = true,
                            Overrides = [RecipeOverride.Parse("training.batch_sequences=16")],
                        }
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void MistakesEndTheRunBeforeItBegins()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(OptimizerTransfer.Fresh) with
        {
            Growth = [Stage(3, null) with { Until = StepPoint.FromSteps(10) }],
        };
        Assert.Contains(
            "growth[0]: 'stack' repeats all 3 layers",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["run"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(folder["run"]));
    }

    [Fact]
    public void TheGrowth_MayNotChangeOnResume()
    {
        using var folder = new TemporaryFolder();
        Train(Config(OptimizerTransfer.Fresh), folder["run"], 10);
        RunConfig other = Config(OptimizerTransfer.Copied);
        Assert.Contains(
            "the model's shape along the run follows from it",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(
                        other,
                        folder["run"],
                        TinyRun.Quick with
                        {
                            Resume = true,
                            Overrides = [RecipeOverride.Parse("growth=x")],
                        }
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    internal static RunConfig Config(OptimizerTransfer transfer, DepthOperator growth = DepthOperator.Stack)
    {
        RunConfig plain = TinyRun.Shared.Plain("grown", 40);
        return plain with
        {
            Model = plain.Model with { NumHiddenLayers = 4, NumAttentionHeads = 4, NumKeyValueHeads = 2 },
            Growth =
            [
                Stage(1, 12) with
                {
                    Until = StepPoint.FromSteps(14),
                    Operator = growth,
                    Optimizer = transfer,
                },
                Stage(2, 12) with
                {
                    Until = StepPoint.FromSteps(25),
                    BatchSequences = 4,
                    Operator = growth,
                    Optimizer = transfer,
                    WarmupSteps = 3,
                },
            ],
        };
    }

    internal static float[] Train(RunConfig config, string folder, int until, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick with { Resume = resume });
        run.Continue(until, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private static GrowthStageConfig Stage(int layers, int? hidden) =>
        new()
        {
            Model = new GrowthModelConfig { NumHiddenLayers = layers, HiddenSize = hidden },
        };

    private static double[] Losses(string folder)
    {
        MetricsTable metrics = RunRecord.Load(folder).Metrics;
        return
        [
            .. metrics.Series(MetricNames.TrainLoss).Select(point => point.Value),
            .. metrics.Series(MetricNames.ValidLoss).Select(point => point.Value),
            .. metrics.Series(MetricNames.GrownAfter).Select(point => point.Value),
        ];
    }

    private sealed class Close : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < 1e-12;

        public int GetHashCode(double obj) => 0;
    }
}
