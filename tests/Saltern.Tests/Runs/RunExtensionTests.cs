using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Optimization;
using Saltern.Runs;
using Saltern.Tests.Growth;

namespace Saltern.Tests.Runs;

public class RunExtensionTests
{
    [Theory]
    [InlineData(ScheduleKind.Constant, 20, 60, null)]
    [InlineData(ScheduleKind.Wsd, 20, 60, null)]
    [InlineData(
        ScheduleKind.Wsd,
        35,
        60,
        "the learning rate of step 33, which is done, would have been 0.003 and not 0.0"
    )]
    [InlineData(ScheduleKind.Cosine, 20, 60, "the learning rate of step 2, which is done")]
    [InlineData(ScheduleKind.Constant, 30, 20, "30 steps are done, so it may not be fewer")]
    public void ARun_IsExtended_WhereWhatIsDoneStaysTheSame(ScheduleKind kind, int done, int steps, string? problem)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 40) with { Schedule = new ScheduleConfig { Kind = kind } };
        RunConfig longer = config with { Training = config.Training with { Steps = steps } };
        using (TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            run.Continue(done, CancellationToken.None);
            run.Leave();
        }

        TrainingRunOptions resume = TinyRun.Quick with
        {
            Resume = true,
            Overrides = [RecipeOverride.Parse($"training.steps={steps}")],
        };
        if (problem is not null)
        {
            Assert.Contains(
                problem,
                Assert.Throws<ConfigurationException>(() => TrainingRun.Open(longer, folder["run"], resume)).Message,
                StringComparison.Ordinal
            );
            return;
        }

        using TrainingRun resumed = TrainingRun.Open(longer, folder["run"], resume);
        resumed.Continue(steps, CancellationToken.None);
        float[] whole = GrownRunTests.Train(longer, folder["whole"], steps);
        Assert.Equal(whole, resumed.Student.Parameters.FlatWeights.data<float>().ToArray());
    }

    [Fact]
    public void AFinishedRun_StaysAsItIs_WhateverResumingAsksFor()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 10);
        using (TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            run.Continue(10, CancellationToken.None);
            run.Finish();
        }

        (string, DateTime, string)[] before = Files(folder["run"]);
        List<string> log = [];
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true, Log = log.Add };
        using (
            TrainingRun resumed = TrainingRun.Open(
                config with
                {
                    Name = "other",
                    Training = config.Training with { LogEvery = 3 },
                },
                folder["run"],
                resume
            )
        )
        {
            resumed.Continue(10, CancellationToken.None);
            Assert.Equal("run", resumed.Finish().Name);
        }

        Assert.Equal(before, Files(folder["run"]));
        Assert.Contains(log, line => line.Contains("is finished after step 10", StringComparison.Ordinal));
        Assert.Contains(
            log,
            line =>
                line.Contains("Not taken:", StringComparison.Ordinal)
                && line.Contains("name from run to other.", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void KeysOfStepsThatAreAllMade_AreRefused(bool saidItsResult)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 10);
        using (TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            run.Continue(10, CancellationToken.None);
            if (saidItsResult)
            {
                run.Finish();
            }
        }

        (string, DateTime, string)[] before = Files(folder["run"]);
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true, Overrides = [RecipeOverride.Parse("seed=77")] };
        string message = Assert
            .Throws<ConfigurationException>(() => TrainingRun.Open(config with { Seed = 77 }, folder["run"], resume))
            .Message;
        Assert.Contains("has made all its 10 steps", message, StringComparison.Ordinal);
        Assert.Contains("seed from 5 to 77.", message, StringComparison.Ordinal);
        Assert.Equal(before, Files(folder["run"]));
    }

    private static (string, DateTime, string)[] Files(string folder) =>
        [
            .. Directory
                .GetFiles(folder, "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(file => (file, File.GetLastWriteTimeUtc(file), Convert.ToHexString(File.ReadAllBytes(file)))),
        ];

    [Fact]
    public void WhatEndsAtAShareOfTheSteps_KeepsTheirNumber()
    {
        RunConfig config = TinyRun.Shared.Plain("run", 40) with
        {
            Schedule = new ScheduleConfig { Kind = ScheduleKind.Constant },
        };
        RunConfig Longer(RunConfig of) => of with { Training = of.Training with { Steps = 80 } };
        RunConfig grown = GrownRunTests.Config(OptimizerTransfer.Fresh) with { Schedule = config.Schedule };
        Assert.Null(RunExtension.Problem(grown, Longer(grown), 20));
        RunConfig byShare = grown with
        {
            Growth =
            [
                grown.Growth![0] with
                {
                    Until = StepPoint.FromShare(0.2),
                },
                grown.Growth[1] with
                {
                    Until = StepPoint.FromShare(0.5),
                },
            ],
        };
        Assert.Contains(
            "the model grows at a share of it",
            RunExtension.Problem(byShare, Longer(byShare), 20)!,
            StringComparison.Ordinal
        );
        RunConfig taught = TinyRun.Shared.Salt(
            "salt",
            40,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromShare(0.5) }
        ) with
        {
            Schedule = config.Schedule,
        };
        Assert.Contains(
            "distillation ends at a share of it",
            RunExtension.Problem(taught, Longer(taught), 20)!,
            StringComparison.Ordinal
        );
        RunConfig bySteps = taught with
        {
            Distillation = taught.Distillation! with { Start = StepPoint.FromSteps(20) },
        };
        Assert.Null(RunExtension.Problem(bySteps, Longer(bySteps), 10));
    }
}
