using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Studies;
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
        Assert.Equal(first.Run, grown.Origin[0].Run);
        Assert.NotEqual(first.Run, grown.Run);

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
            Training = small.Training with { BatchSequences = 256, MicroBatchSequences = 32 }, // 8,192 positions
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
    public void AMinimumThatWasAskedFor_IsWaitedFor()
    {
        var asked = new DistillationConfig { Transition = TransitionKind.Auto, Minimum = StepPoint.FromSteps(7) };
        Assert.Equal(7, EndOf(asked, startsTrained: true));
        Assert.Equal(2, EndOf(new DistillationConfig { Transition = TransitionKind.Auto }, startsTrained: true));
        Assert.Equal(20, EndOf(new DistillationConfig { Transition = TransitionKind.Auto }, startsTrained: false));

        // 5,000 positions a step: 8,192 are seen after two.
        static int? EndOf(DistillationConfig config, bool startsTrained)
        {
            var auto = new AutoTransition(config, 1_000, 50, 1, startsTrained);
            for (int step = 1; step <= 40; step++)
            {
                auto.Next(step, 1e-3);
                auto.Observe([(-0.1 * 5_000, 5_000)]);
            }

            return auto.FirstWithout?.Step - 1;
        }
    }

    // A taught run B that starts from a taught run A pays for their teacher once.
    [Fact]
    public void ATeacherOfTwoRunsInARow_IsPaidOnce()
    {
        using var folder = new TemporaryFolder();
        RunConfig taught = TinyRun.Shared.Salt(
            "a",
            10,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        RunResult first = Finish(taught, folder["a"]);
        RunConfig second = taught with
        {
            Name = "b",
            InitFrom = new InitFromConfig { Path = folder["a"] },
        };
        RunResult then = Finish(second, folder["b"]);
        double teacher = first.Teacher!.TrainingFlops!.Value;
        Assert.Equal(["teacher", "a"], then.Origin.Select(each => each.Name));
        Assert.Equal(first.Flops, then.Origin[1].Flops!.Value, 1.0);
        Assert.Equal(teacher, AncestorCost.Shared(then.Origin, then.Teacher!.History).Flops!.Value, 1.0);

        // One that was named with the weight 0 never helped.
        RunConfig named = taught with
        {
            Name = "c",
            Distillation = taught.Distillation! with { Weight = 0 },
        };
        Finish(named, folder["c"]);
        Assert.Equal("c", Assert.Single(Lineage.Of(folder["c"], ModelLocation.Resolve(folder["c"]))).Name);
    }

    // The same shape and seed is not the same run.
    [Fact]
    public void RunsAreToldApart_ByTheirRecipes()
    {
        RunConfig run = TinyRun.Shared.Plain("a", 10);
        string id = RunIdentity.Of(run, "data", "weights");
        Assert.Equal(id, RunIdentity.Of(run with { Name = "b", Threads = 1 }, "data", "weights"));
        Assert.NotEqual(
            id,
            RunIdentity.Of(
                run with
                {
                    Schedule = new ScheduleConfig { Kind = ScheduleKind.Constant },
                },
                "data",
                "weights"
            )
        );
        Assert.NotEqual(id, RunIdentity.Of(run, "other", "weights"));
        Assert.NotEqual(id, RunIdentity.Of(run, "data", "other"));
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
            beside: (at, _) => Lineage.Write(at, Lineage.Imported(foreign.Path, at, 1_000, [])),
            cancellation: TestContext.Current.CancellationToken
        );
        ModelImport.Run(
            foreign.Path,
            folder["unknown"],
            beside: (at, _) => Lineage.Write(at, Lineage.Imported(foreign.Path, at, null, [])),
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Null(AncestorCost.Of(Lineage.Of(folder["unknown"], folder["unknown"])).Flops);
        RunAncestor known = Assert.Single(Lineage.Of(folder["known"], folder["known"]));
        Assert.Equal(("foreign", 1_000L), (known.Operation, known.Tokens));
        Assert.Equal(6.0 * known.Parameters * 1_000, known.Flops);

        // Tokens that are named later count as those that were named at once.
        Assert.Equal(known.Flops, Lineage.Of(folder["unknown"], folder["unknown"], 1_000)[0].Flops);
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
        Assert.Equal(TeacherWeights.Fingerprint(folder["grown"]), history[^1].Weights);
        foreach (string damaged in new[] { "{", "[null]", "[{}]", "7" })
        {
            File.WriteAllText(Path.Combine(folder["grown"], Lineage.FileName), damaged);
            Assert.Contains(
                "not the history of a model",
                Assert.Throws<DataFormatException>(() => Lineage.Of(folder["grown"], folder["grown"])).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void AStudysArm_IsTrainedAgain_WhereItsStartIsAnother()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 10);
        Finish(small, folder["small"]);
        RunConfig large = small with
        {
            Model = small.Model with { NumHiddenLayers = 4 },
            InitFrom = new InitFromConfig { Path = folder["small"], Grow = Stack },
        };
        RunResult result = Finish(large, folder["large"]);
        Assert.Empty(StudyInputs.Differences(large, large, result));
        InitFromConfig begin = large.InitFrom!;
        RunConfig With(InitFromConfig? start) => large with { InitFrom = start };
        Assert.NotEmpty(
            StudyInputs.Differences(
                With(begin with { Grow = Stack with { Operator = DepthOperator.Zero } }),
                large,
                result
            )
        );
        Assert.NotEmpty(
            StudyInputs.Differences(With(begin with { Optimizer = OptimizerTransfer.Copied }), large, result)
        );
        Assert.NotEmpty(StudyInputs.Differences(With(null), large, result));
        Finish(small with { Seed = 9 }, folder["another"]);
        Assert.NotEmpty(StudyInputs.Differences(With(begin with { Path = folder["another"] }), large, result));

        // A folder that 'grow' wrote is what a run starts from.
        GrowRequest.Run(
            new GrowRequest
            {
                From = new InitFromConfig { Path = folder["small"] },
                Sizes = new GrowthModelConfig { NumHiddenLayers = 4 },
                Target = folder["grown"],
            }
        );
        RunConfig started = With(new InitFromConfig { Path = folder["grown"] });
        Assert.Empty(StudyInputs.Differences(started, started, Finish(started, folder["started"])));
    }

    [Fact]
    public void TheStart_MayNotChangeOnResume()
    {
        using var folder = new TemporaryFolder();
        RunConfig small = TinyRun.Shared.Plain("small", 10);
        Finish(small, folder["small"]);
        RunConfig run = small with { InitFrom = new InitFromConfig { Path = folder["small"] } };
        GrownRunTests.Train(run, folder["run"], 10);
        Assert.Contains(
            "what the run started from is done",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(
                        run with
                        {
                            InitFrom = run.InitFrom! with { Optimizer = OptimizerTransfer.Copied },
                        },
                        folder["run"],
                        TinyRun.Quick with
                        {
                            Resume = true,
                            Overrides = [RecipeOverride.Parse("init_from.optimizer=copied")],
                        }
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "so nothing would grow. Remove grow",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(
                        run with
                        {
                            InitFrom = run.InitFrom with { Grow = Stack },
                        },
                        folder["x"],
                        TinyRun.Quick
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    private static RunResult Finish(RunConfig config, string folder)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick);
        run.Continue(config.Training.Steps, CancellationToken.None);
        return run.Finish();
    }
}
