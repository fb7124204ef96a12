using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.ModelFiles;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Growth;

public class InitialModelTests
{
    private static readonly GrowthConfig Stack = new();

    [Fact]
    public void AShortForm_IsThePath()
    {
        const string Recipe = """
            name: a
            data: { path: data, sequence_length: 32 }
            model: { preset: 1.3m }
            training: { steps: 100 }
            init_from: 
            """;
        InitFromConfig Read(string value) => RecipeReader.Parse<RunConfig>(Recipe + value, "r", []).InitFrom!;
        Assert.Equal(new InitFromConfig { Path = "runs/a" }, Read("runs/a"));
        Assert.Equal(
            new InitFromConfig
            {
                Path = "runs/a",
                Step = 30,
                Grow = new GrowthConfig { Operator = DepthOperator.Zero },
            },
            Read("{ path: runs/a, step: 30, grow: { operator: zero } }")
        );
        Assert.Contains(
            "or its path alone",
            Assert.Throws<ConfigurationException>(() => Read("[runs/a]")).Message,
            StringComparison.Ordinal
        );
        RunConfig written = RecipeReader.Parse<RunConfig>(Recipe + "runs/a", "r", []);
        Assert.Equal(written.InitFrom, RecipeReader.Parse<RunConfig>(RecipeWriter.Write(written), "w", []).InitFrom);
    }

    [Fact]
    public void AGrownStart_IsTheSmallModelGrown_WithItsHistory()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 20);
        RunResult first = Finish(small, folder["small"]);
        RunConfig large = small with
        {
            Name = "large",
            Model = small.Model with { NumHiddenLayers = 4 },
            InitFrom = new InitFromConfig
            {
                Path = folder["small"],
                Step = 10,
                Grow = Stack,
            },
        };
        RunResult grown = Finish(large, folder["large"]);
        Assert.Equal("grown", grown.Arm);
        Assert.Equal(
            ["trained", "grown by stack from 2 layers of 24 to 4 of 24"],
            grown.Origin.Select(each => each.Operation)
        );
        Assert.Equal((10, "small"), (grown.Origin[0].Steps, grown.Origin[0].Name));
        Assert.Equal(first.Flops / 2, AncestorCost.Of(grown.Origin).Flops!.Value, 1e-6 * first.Flops);
        Assert.Equal(first.InitialWeightsFingerprint, grown.Origin[0].InitialWeights);

        // A fine-tuning or another growth of it goes on with the history.
        IReadOnlyList<RunAncestor> next = Lineage.Of(folder["large"], ModelLocation.Resolve(folder["large"]));
        Assert.Equal(3, next.Count);
        Assert.Equal((first.Flops / 2) + grown.Flops, AncestorCost.Of(next).Flops!.Value, 1e-6 * first.Flops);
    }

    [Theory]
    [InlineData(OptimizerTransfer.Copied, true)]
    [InlineData(OptimizerTransfer.Fresh, false)]
    public void ATrunk_IsBranchedWithItsState(OptimizerTransfer transfer, bool isTheSame)
    {
        using var folder = new TemporaryFolder();
        RunConfig trunk = TinyRun.Shared.Plain("trunk", 30) with
        {
            Schedule = new ScheduleConfig { Kind = ScheduleKind.Constant },
        };
        float[] whole = GrownRunTests.Train(trunk, folder["trunk"], 30);
        RunConfig branch = trunk with
        {
            Name = "branch",
            InitFrom = new InitFromConfig
            {
                Path = folder["trunk"],
                Step = 20,
                Optimizer = transfer,
                ContinueData = true,
            },
            Training = trunk.Training with { Steps = 10 },
        };
        float[] branched = GrownRunTests.Train(branch, folder["branch"], 10);
        Assert.Equal(isTheSame, whole.SequenceEqual(branched));
        using TrainingRun run = TrainingRun.Open(branch, folder["other"], TinyRun.Quick);
        Assert.Equal(20 * 8, run.State.Samples);
    }

    [Fact]
    public void AStateThatIsNotThere_OrAnothers_IsRefused()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 10);
        Finish(small, folder["small"]);
        RunConfig muon = small with
        {
            Optimizer = new OptimizerConfig { Kind = OptimizerKind.Muon },
            InitFrom = new InitFromConfig { Path = folder["small"], Optimizer = OptimizerTransfer.Copied },
        };
        Assert.Contains(
            "Take the optimizer that wrote it",
            Assert.Throws<CheckpointException>(() => TrainingRun.Open(muon, folder["a"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "keeps no checkpoint of that step, but of 10",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(
                        small with
                        {
                            InitFrom = new InitFromConfig { Path = folder["small"], Step = 7 },
                        },
                        folder["b"],
                        TinyRun.Quick
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "If it is to grow into that, say how",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(
                        small with
                        {
                            Model = small.Model with { NumHiddenLayers = 4 },
                            InitFrom = new InitFromConfig { Path = folder["small"] },
                        },
                        folder["c"],
                        TinyRun.Quick
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void OtherSamples_AreNotGoneOnWith()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 10);
        Finish(small, folder["small"]);
        string Message(RunConfig config) =>
            Assert
                .Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["next"], TinyRun.Quick))
                .Message;
        RunConfig next = small with
        {
            InitFrom = new InitFromConfig { Path = folder["small"], ContinueData = true },
        };
        Assert.Contains("seed was 5 and is 6", Message(next with { Seed = 6 }), StringComparison.Ordinal);
        Assert.Contains(
            "data.sequence_length was 32 and is 16",
            Message(next with { Data = next.Data with { SequenceLength = 16 } }),
            StringComparison.Ordinal
        );
        using var foreign = new TemporaryFolder();
        FamilyModel.Write(foreign, "llama");
        Assert.Contains(
            "is no run, so nothing says which samples it read",
            Message(next with { InitFrom = next.InitFrom! with { Path = foreign.Path } }),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ItsOwnLabels_AreRefused_UnlessToldOtherwise()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 20);
        Finish(small, folder["small"]);
        RunConfig taught = small with
        {
            Model = small.Model with { NumHiddenLayers = 4 },
            InitFrom = new InitFromConfig { Path = folder["small"], Grow = Stack },
            Teacher = new TeacherConfig { Path = folder["small"] },
            Distillation = new DistillationConfig { Transition = TransitionKind.Constant },
        };
        Assert.Contains(
            "has the weights of 'small', out of which the student comes",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(taught, folder["a"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );

        // Another checkpoint of the same run is another teacher.
        RunConfig earlier = taught with
        {
            InitFrom = taught.InitFrom! with { Step = 10 },
        };
        TrainingRun.Open(earlier, folder["b"], TinyRun.Quick).Dispose();
        TrainingRun
            .Open(
                taught with
                {
                    Distillation = taught.Distillation! with { FromOwnOrigin = true },
                },
                folder["c"],
                TinyRun.Quick
            )
            .Dispose();
    }

    [Fact]
    public void WhereThereIsNothingToLearn_AutoEndsAtOnce_AndSaysSo()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 60);
        Finish(small, folder["small"]);
        var lines = new List<string>();
        RunConfig taught = small with
        {
            Name = "taught",
            Schedule = new ScheduleConfig { WarmupSteps = 20 },
            InitFrom = new InitFromConfig { Path = folder["small"] },
            Teacher = new TeacherConfig { Path = TinyRun.Shared.TeacherFolder }, // 40 steps of a smaller model
            Distillation = new DistillationConfig { Transition = TransitionKind.Auto },
        };
        using TrainingRun run = TrainingRun.Open(taught, folder["taught"], TinyRun.Quick with { Log = lines.Add });
        run.Continue(60, CancellationToken.None);
        Assert.Equal(1, run.State.Stage1LastStep);
        Assert.Contains(
            lines,
            line =>
                line.Contains("(no gap)", StringComparison.Ordinal)
                && line.Contains("nothing to learn from it", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void ImportedAndGrownFolders_KeepTheirHistory()
    {
        using var folder = new TemporaryFolder();
        using var foreign = new TemporaryFolder();
        FamilyModel.Write(foreign, "llama");
        ModelImport.Run(
            foreign.Path,
            folder["known"],
            at => Lineage.Write(at, Lineage.Imported(foreign.Path, at, 1_000)),
            cancellation: TestContext.Current.CancellationToken
        );
        ModelImport.Run(
            foreign.Path,
            folder["unknown"],
            at => Lineage.Write(at, Lineage.Imported(foreign.Path, at, null)),
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Null(AncestorCost.Of(Lineage.Of(folder["unknown"], folder["unknown"])).Flops);
        RunAncestor known = Assert.Single(Lineage.Of(folder["known"], folder["known"]));
        Assert.Equal(("foreign", 1_000L), (known.Operation, known.Tokens));
        Assert.True(known.Flops > 6.0 * 1_000 * 1_000);
        GrowResult grown = GrowRequest.Run(
            new GrowRequest
            {
                From = new InitFromConfig
                {
                    Path = folder["known"],
                    Grow = new GrowthConfig { Operator = DepthOperator.Zero },
                },
                Sizes = new GrowthModelConfig { NumHiddenLayers = 3, HiddenSize = 48 },
                Target = folder["grown"],
            }
        );
        Assert.True(grown.PreservesFunction);
        Assert.True(grown.Difference < 1e-4);
        Assert.Equal(grown.HiddenBefore, grown.HiddenAfter, 1e-4);
        IReadOnlyList<RunAncestor> history = Lineage.Of(folder["grown"], folder["grown"]);
        Assert.Equal(
            ["foreign", "grown by zero from 2 layers of 24 to 3 of 48"],
            history.Select(each => each.Operation)
        );
        Assert.Equal(known.Flops, AncestorCost.Of(history).Flops);
        File.WriteAllText(Path.Combine(folder["grown"], Lineage.FileName), "{");
        Assert.Contains(
            "not the history of a model",
            Assert.Throws<DataFormatException>(() => Lineage.Of(folder["grown"], folder["grown"])).Message,
            StringComparison.Ordinal
        );
    }

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

    private static RunResult Finish(RunConfig config, string folder)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick);
        run.Continue(config.Training.Steps, CancellationToken.None);
        return run.Finish();
    }
}
