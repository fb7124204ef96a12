using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

public class BatchWarmupTests
{
    // Batches of 2 up to step 5, of 4 up to step 10, of 8 up to step 20: 10 + 20 + 80 samples of 32 tokens.
    private const int Samples = 110;
    private static readonly BatchStageConfig[] Parts =
    [
        new() { Until = StepPoint.FromSteps(5), BatchSequences = 2 },
        new() { Until = StepPoint.FromShare(0.5), BatchSequences = 4 },
    ];

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(13)]
    public void AResumedRun_IsBitForBitTheUninterruptedOne(int cutAfter)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config();
        float[] whole = Train(config, folder["whole"], 20);
        Train(config, folder["cut"], cutAfter);
        Assert.Equal(whole, Train(config, folder["cut"], 20, resume: true));
    }

    [Fact]
    public void TokensSamplesAndFlops_AreThoseOfTheSmallerBatches()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config();
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick);
        Assert.Contains(
            run.Description(),
            line => line == "batch: grows; sequences of a step: 2 up to step 5, 4 up to step 10, 8 up to step 20"
        );
        run.Continue(20, CancellationToken.None);
        Assert.Equal((Samples, Samples * 32), (run.State.Samples, run.State.Tokens));
        using var plain = TrainingRun.Open(TinyRun.Shared.Plain("plain", 20), folder["plain"], TinyRun.Quick);
        plain.Continue(20, CancellationToken.None);
        Assert.Equal(Samples / 160.0, run.State.Flops / plain.State.Flops, 12);
        Assert.Empty(run.State.Stages); // the model did not grow
        RunResult result = run.Finish();
        Assert.NotEqual(plain.Finish().OrderFingerprint, result.OrderFingerprint);
        TransformerConfig shape = config.Model.Resolve(300, 32);
        CostPlan cost = CostPlan.Of(config, shape, null, 0);
        Assert.Equal(run.State.Flops, cost.Student, 1e-9 * cost.Student);
        Assert.Equal(cost.Student, cost.Baseline, 1e-9 * cost.Student);
        Assert.Equal(Samples * 32, RunPlan.TokensOf(config, shape));
    }

    [Fact]
    public void Parts_CutTheStagesOfGrowth()
    {
        TransformerConfig model = TinyRun.Shared.Plain("x", 20).Model.Resolve(300, 32);
        var growth = new GrowthStageConfig { Model = new GrowthModelConfig { NumHiddenLayers = 1 } };
        var plan = new GrowthPlan([
            new GrowthStage(1, 7, model with { NumHiddenLayers = 1 }, 8, growth),
            new GrowthStage(8, 20, model, 8, null),
        ]);
        Assert.Equal(
            [(1, 5, 2, 1, false), (6, 7, 4, 1, true), (8, 10, 4, 2, false), (11, 20, 8, 2, false)],
            plan.WithBatches([(5, 2), (10, 4)])
                .Stages.Select(stage =>
                    (
                        stage.FirstStep,
                        stage.LastStep,
                        stage.BatchSequences,
                        stage.Model.NumHiddenLayers,
                        stage.Growth is not null
                    )
                )
        );

        // A part that ends with the stage keeps its growth.
        Assert.Equal(
            [(1, 7, true), (8, 20, false)],
            plan.WithBatches([(7, 2)])
                .Stages.Select(stage => (stage.FirstStep, stage.LastStep, stage.Growth is not null))
        );
    }

    [Theory]
    [InlineData(20, 2, "Each part ends after the one before, and the last before the run does.")]
    [InlineData(0, 2, "Each part ends after the one before, and the last before the run does.")]
    [InlineData(5, 8, "Each is smaller than the next, up to batch_sequences.")]
    [InlineData(5, 3, "micro_batch_sequences = 2 does not divide.")]
    public void PartsThatCannotBe_AreNamed(int until, int batch, string problem)
    {
        TrainingConfig training = Config().Training with
        {
            MicroBatchSequences = 2,
            BatchWarmup = [new() { Until = StepPoint.FromSteps(until), BatchSequences = batch }],
        };
        Assert.Contains(problem, Assert.Single(((IValidated)training).Validate()).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AShareOfTheSteps_IsNotExtendedOverWhatIsDone()
    {
        RunConfig config = Config() with { Schedule = new ScheduleConfig { Kind = ScheduleKind.Constant } };
        RunConfig longer = config with { Training = config.Training with { Steps = 40 } };
        Assert.StartsWith(
            "training.batch_warmup ends at a share of it",
            ((IRunRecipe)config).FixedBecause("training.steps", longer, 12),
            StringComparison.Ordinal
        );
        Assert.Null(((IRunRecipe)config).FixedBecause("training.steps", longer, 4));
    }

    [Fact]
    public void ACacheOrSelection_IsRefusedBesideIt()
    {
        RunConfig config = Config() with
        {
            Teacher = new TeacherConfig { Path = "teacher", Cache = "cache" },
            Distillation = new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(3) },
        };
        Assert.Contains(
            ((IValidated)config).Validate(),
            problem => problem.ToString().Contains("training.batch_warmup", StringComparison.Ordinal)
        );
    }

    private static RunConfig Config()
    {
        RunConfig plain = TinyRun.Shared.Plain("run", 20);
        return plain with { Training = plain.Training with { BatchWarmup = Parts } };
    }

    private static float[] Train(RunConfig config, string folder, int untilStep, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick with { Resume = resume });
        run.Continue(untilStep, CancellationToken.None);
        if (untilStep < config.Training.Steps)
        {
            run.Leave();
        }

        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }
}
