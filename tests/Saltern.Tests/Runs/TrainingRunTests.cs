using System.Text.Json;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.RunFiles;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Runs;

public class TrainingRunTests
{
    public static TheoryData<string> Arms =>
        new("baseline", "step", "linear_ratio", "auto", "gated", "mixed", "gpt_neox", "gpt2");

    [Theory]
    [MemberData(nameof(Arms))]
    public void ResumedRun_IsBitForBitTheUninterruptedOne(string arm)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm(arm, 60);
        float[] whole = Train(config, folder["whole"], 60);
        Train(config, folder["cut"], 34); // the newest checkpoint is that of step 30: four steps are lost and made again
        float[] resumed = Train(config, folder["cut"], 60, resume: true);
        Assert.Equal(whole, resumed);

        // Same figures too, but for the clock.
        Assert.Equal(Figures(folder["whole"]), Figures(folder["cut"]));
    }

    [Theory]
    [InlineData("linear_ratio", 8)]
    [InlineData("linear_ratio", 4)]
    [InlineData("linear_ratio", 1)]
    [InlineData("masked", 2)]
    public void MicroBatches_GiveTheSameStep(string arm, int microBatch)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm(arm, 3);
        float[] whole = Train(config, folder["whole"], 3);
        float[] split = Train(
            config with
            {
                Training = config.Training with { MicroBatchSequences = microBatch },
            },
            folder["split"],
            3
        );
        double difference = Math.Sqrt(whole.Zip(split, (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(whole.Sum(w => (double)w * w));
        Assert.True(difference <= 1e-5 * size, $"weights differ by {difference / size:e2}");
        double[] losses =
        [
            .. new[] { "whole", "split" }.Select(name =>
                RunRecord.Load(folder[name]).Metrics.Series("train/loss")[^1].Value
            ),
        ];
        Assert.True(Math.Abs(losses[0] - losses[1]) <= 1e-6 * losses[0]);
    }

    [Fact]
    public void AnotherBatchSizeOnResume_GoesOnInTheSameStream()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("mixed", 20);
        RunConfig smaller = config with { Training = config.Training with { BatchSequences = 5 } };
        using (TrainingRun first = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            first.Continue(10, CancellationToken.None);
        }

        using TrainingRun run = TrainingRun.Open(
            smaller,
            folder["run"],
            TinyRun.Quick with
            {
                Resume = true,
                Overrides = [RecipeOverride.Parse("training.batch_sequences=5")],
            }
        );
        Assert.Equal((80, 160), (run.State.Samples, run.State.PlannedSamples));
        run.Continue(11, CancellationToken.None);
        Assert.Equal(85, run.State.Samples);
        using RunParts before = RunParts.Open(config, null);
        using RunParts after = RunParts.Open(smaller, run.State);
        (before.Batches.Position, after.Batches.Position) = (85, run.State.Samples);
        Assert.Equal(before.Batches.Next(9).Samples, after.Batches.Next(9).Samples); // the cap was reckoned from 20 steps of 8
    }

    [Fact]
    public void StepsToKeepThatTheRunDoesNotHave_AreNamed()
    {
        TrainingConfig training = TinyRun.Shared.Plain("plain", 20).Training;
        Assert.Empty((training with { KeepSteps = [1, 20] }).Validate());
        Assert.Equal(
            [
                "has 0, which is no step of a run of 20. Name steps from 1 to 20.",
                "has 21, which is no step of a run of 20. Name steps from 1 to 20.",
            ],
            (training with { KeepSteps = [0, 10, 21] }).Validate().Select(problem => problem.Message)
        );
    }

    [Fact]
    public void DescriptionPlansTheEpochsOfEachDomain()
    {
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Open(Arm("mixed", 20), folder["run"], TinyRun.Quick);
        Assert.Contains(
            run.Description(),
            line =>
                line.StartsWith("domain first: ", StringComparison.Ordinal)
                && line.Contains(" epochs of ", StringComparison.Ordinal)
        );
        Assert.Contains(
            run.Description(),
            line => line.StartsWith("objective: causal 0.5 prefix 0.3 span 0.2", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void TeacherWithWeightZero_ChangesNothing()
    {
        using var folder = new TemporaryFolder();
        float[] plain = Train(TinyRun.Shared.Plain("plain", 12), folder["plain"], 12);
        float[] unused = Train(
            TinyRun.Shared.Salt(
                "unused",
                12,
                new DistillationConfig { Weight = 0, Transition = TransitionKind.Constant }
            ),
            folder["unused"],
            12
        );
        Assert.Equal(plain, unused);

        // Here the teacher runs at every position, and every position's ω is 0.
        var shut = new DistillationConfig
        {
            Transition = TransitionKind.Constant,
            Gate = GateKind.Domain,
            GateDomains = new Dictionary<string, double> { ["first"] = 0, ["second"] = 0 },
        };
        float[] silent = Train(TinyRun.Shared.Salt("silent", 12, shut), folder["silent"], 12);
        Assert.Equal(plain, silent);
        Assert.NotEmpty(RunRecord.Load(folder["silent"]).Metrics.Series("train/teacher_nll"));
    }

    [Fact]
    public void MixedLoss_IsItsTwoPartsInTheirShares()
    {
        using var folder = new TemporaryFolder();
        Train(
            TinyRun.Shared.Salt(
                "rkd",
                10,
                new DistillationConfig { Weight = 0.6, Transition = TransitionKind.Constant }
            ),
            folder["rkd"],
            10
        );
        RunRecord run = RunRecord.Load(folder["rkd"]);
        double Last(string name) => run.Metrics.Series(name)[^1].Value;
        Assert.Equal(
            (0.4 * Last("train/student_nll")) + (0.6 * Last("train/ce_teacher_student")),
            Last("train/loss"),
            5
        );
        Assert.Equal(
            Last("train/ce_teacher_student") - Last("train/teacher_entropy"),
            Last("train/kl_teacher_student"),
            5
        );
        Assert.Equal(0.6, Last("train/weight"), 5);
        Assert.True(Last("train/kl_teacher_student") > 0);
    }

    [Fact]
    public void AfterStageOne_TeacherFiguresAreAbsentAndTheTeacherIsGone()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt(
            "step",
            20,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(10) }
        );
        using TrainingRun run = TrainingRun.Open(config, folder["step"], TinyRun.Quick);
        run.Continue(10, CancellationToken.None);
        Assert.NotNull(run.Teacher);
        double flops = run.State.TeacherFlops;
        run.Continue(20, CancellationToken.None);
        Assert.Null(run.Teacher);
        Assert.Equal(10, run.State.Stage1LastStep);
        Assert.Equal(flops, run.State.TeacherFlops);
        RunResult result = run.Finish();
        Assert.Equal(10, result.Stage1EndStep);

        // The teacher's loss on the curve set is what its own run found there at its end.
        Assert.Equal(
            RunRecord.Load(TinyRun.Shared.TeacherFolder).Metrics.Series("valid/loss")[^1].Value,
            result.Teacher!.CurveLoss!.Value,
            5
        );
        RunRecord record = RunRecord.Load(folder["step"]);
        Assert.Equal([5, 10], record.Metrics.Series("train/teacher_nll").Select(point => point.Step));
        Assert.Equal([5, 10, 15, 20], record.Metrics.Series("train/student_nll").Select(point => point.Step));
    }

    [Fact]
    public void Interruption_WritesACheckpointAndGoesOn()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 30);
        using (var interruption = new CancellationTokenSource())
        {
            int steps = 0;
            TrainingRunOptions options = TinyRun.Quick with
            {
                OnStep = _ =>
                {
                    if (++steps == 7)
                    {
                        interruption.Cancel();
                    }
                },
            };
            using TrainingRun run = TrainingRun.Open(config, folder["run"], options);
            Assert.Equal(RunStatus.Interrupted, run.Continue(30, interruption.Token));
        }

        Assert.Equal([7], new CheckpointStore(folder["run"]).Steps());
        Assert.Equal(Train(config, folder["whole"], 30), Train(config, folder["run"], 30, resume: true));
    }

    [Fact]
    public void NonFiniteSteps_AreNotApplied_AndEndTheRunWithTheCheckpointIntact()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 30);
        config = config with { Training = config.Training with { MaxSkippedSteps = 2 } };
        var log = new List<string>();
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { Log = log.Add });
        run.Continue(10, CancellationToken.None);
        float[] before = run.Student.Parameters.FlatWeights.data<float>().ToArray();
        using (torch.no_grad())
        {
            run.Student.Parameters.FlatWeights[0] = float.NaN;
        }

        TrainingException e = Assert.Throws<TrainingException>(() => run.Continue(30, CancellationToken.None));
        Assert.Contains(
            "Step 12 is not applied: loss NaN, gradient norm NaN, batch of samples 88 … 95.",
            e.Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "2 steps in a row were not applied (training.max_skipped_steps = 2)",
            e.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("step-00000010", e.Message, StringComparison.Ordinal);
        Assert.Equal(2, log.Count(line => line.Contains("is not applied", StringComparison.Ordinal)));
        Assert.Equal(
            [11, 12],
            RunRecord.Load(folder["run"]).Metrics.Series("event/skipped").Select(point => point.Step)
        );
        float[] after = run.Student.Parameters.FlatWeights.data<float>().ToArray();
        Assert.Equal(before[1..], after[1..]);
        Assert.Null(CheckpointManifest.Problem(run.Folder.Checkpoints.PathOf(10)));
    }

    [Fact]
    public void WeightsBeyondUse_AreNeverSaved()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 30);
        config = config with { Training = config.Training with { CheckpointEvery = 1, MaxSkippedSteps = 9 } };
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick);
        run.Continue(10, CancellationToken.None);
        using (torch.no_grad())
        {
            run.Student.Parameters.FlatWeights[0] = float.NaN;
        }

        run.Continue(16, CancellationToken.None);
        Assert.Equal([9, 10], run.Folder.Checkpoints.Steps());
    }

    [Fact]
    public void DamagedCheckpoints_AreSetAsideAndNeverOutlastGoodOnes()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 60);
        config = config with { Training = config.Training with { KeepEvery = 10 } };
        Train(config, folder["run"], 30);
        var store = new CheckpointStore(folder["run"]);
        foreach (int step in new[] { 20, 30 })
        {
            File.AppendAllText(Path.Combine(store.PathOf(step), Checkpoint.StateFile), " ");
        }

        config = config with { Training = config.Training with { KeepEvery = null } };
        using (var interruption = new CancellationTokenSource())
        using (
            TrainingRun run = TrainingRun.Open(
                config,
                folder["run"],
                TinyRun.Quick with
                {
                    Resume = true,
                    OnStep = report => CancelAfterTwelve(report, interruption),
                }
            )
        )
        {
            run.Continue(60, interruption.Token);
        }

        Assert.Contains(10, store.Steps());
        Assert.DoesNotContain(30, store.Steps());
        Assert.True(store.NewestGood().Step > 10);
        Assert.True(Directory.Exists(Path.Combine(store.Folder, "damaged-step-00000030")));

        // At once: a timer comes late on a busy machine.
        static void CancelAfterTwelve(StepReport report, CancellationTokenSource interruption)
        {
            if (report.Step == 12)
            {
                interruption.Cancel();
            }
        }
    }

    [Fact]
    public void TwoRunsInOneFolder_AreRefused()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 20);
        Train(config, folder["run"], 10);
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true };
        using TrainingRun first = TrainingRun.Open(config, folder["run"], resume);
        string message = Assert
            .Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["run"], resume))
            .Message;
        Assert.Contains("Another run is writing", message, StringComparison.Ordinal);
        Assert.Contains($"process {Environment.ProcessId} on ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunThatCannotStart_LeavesNoFolder()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 20);
        config = config with { Data = config.Data with { Path = folder["no-data"] } };
        Assert.ThrowsAny<SalternException>(() => TrainingRun.Open(config, folder["runs/run"], TinyRun.Quick));
        Assert.False(Directory.Exists(folder["runs"]));
    }

    [Fact]
    public void AnotherTeacher_IsRefusedOnResumeWhileStageOneLasts_AndNotNeededAfter()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("step", 40); // stage 1 ends after step 15
        config = config with { Teacher = config.Teacher! with { Path = folder["teacher"] } };
        CopyFolder(TinyRun.Shared.TeacherFolder, folder["teacher"]);
        Train(config, folder["early"], 10);
        Train(config, folder["late"], 20);
        RunConfig other = TinyRun.Shared.Plain("other", 5) with
        {
            Model = config.Model with { HiddenSize = 16 },
            Seed = 9,
        };
        Directory.Delete(folder["teacher"], recursive: true);
        Train(other, folder["teacher"], 5);
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true };
        Assert.Contains(
            "the run was taught by the weights",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["early"], resume)).Message,
            StringComparison.Ordinal
        );
        Directory.Delete(folder["teacher"], recursive: true);
        using TrainingRun late = TrainingRun.Open(config, folder["late"], resume);
        late.Continue(40, CancellationToken.None);
        Assert.NotNull(late.Finish().Teacher);
    }

    [Fact]
    public void MistakesInTheData_LeaveNoRunFolder()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 10);
        config = config with { Data = config.Data with { SequenceLength = 500_000 } };
        Assert.Contains(
            "No domain of the data set has one whole sequence",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["run"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(folder["run"]));
    }

    [Fact]
    public void DamagedCheckpoint_IsPassedOverAndSaid()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 30);
        Train(config, folder["run"], 20);
        string weights = Path.Combine(new CheckpointStore(folder["run"]).PathOf(20), ModelFolder.WeightsFile);
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^9] ^= 1;
        File.WriteAllBytes(weights, bytes);
        var log = new List<string>();
        using TrainingRun run = TrainingRun.Open(
            config,
            folder["run"],
            TinyRun.Quick with
            {
                Resume = true,
                Log = log.Add,
            }
        );
        Assert.Equal(10, run.State.Step);
        Assert.Contains(
            log,
            line =>
                line.Contains(
                    "step-00000020 is passed over: model.safetensors does not have the checksum",
                    StringComparison.Ordinal
                )
        );
    }

    [Fact]
    public void Retention_KeepsTheNewestTwoAndWhatWasAskedFor()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 60);
        Train(config with { Training = config.Training with { KeepSteps = [10], KeepEvery = 30 } }, folder["run"], 60);
        Assert.Equal([10, 30, 50, 60], new CheckpointStore(folder["run"]).Steps());
        Train(
            config with
            {
                Training = config.Training with { KeepSteps = [3, 7], KeepEvery = 25, CheckpointEvery = 20 },
            },
            folder["between"],
            60
        ); // none of them a multiple of checkpoint_every
        Assert.Equal([3, 7, 25, 50, 60], new CheckpointStore(folder["between"]).Steps());
    }

    [Fact]
    public void ChangedRecipe_IsRefusedOnResumeUnlessSet()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("auto", 30);
        Train(config, folder["run"], 10);
        RunConfig faster = config with { Optimizer = config.Optimizer with { LearningRate = 1e-2 } };
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true };
        ConfigurationException e = Assert.Throws<ConfigurationException>(() =>
            TrainingRun.Open(faster, folder["run"], resume)
        );
        Assert.Contains("optimizer.learning_rate was 0.003", e.Message, StringComparison.Ordinal);
        var log = new List<string>();
        using (
            TrainingRun allowed = TrainingRun.Open(
                faster,
                folder["run"],
                resume with
                {
                    Overrides = [RecipeOverride.Parse("optimizer.learning_rate=0.01")],
                    Log = log.Add,
                }
            )
        )
        {
            Assert.Contains(
                log,
                line => line.StartsWith("Changed on resume: optimizer.learning_rate", StringComparison.Ordinal)
            );
        }

        RunConfig longer = faster with
        {
            Training = config.Training with { Steps = 40 },
            Distillation = config.Distillation! with { GapLow = 0.2 },
        };
        e = Assert.Throws<ConfigurationException>(() =>
            TrainingRun.Open(
                longer,
                folder["run"],
                resume with
                {
                    Overrides =
                    [
                        RecipeOverride.Parse("distillation.gap_low=0.2"),
                        RecipeOverride.Parse("training.steps=40"),
                    ],
                }
            )
        );
        Assert.Contains("training.steps was 30 and is now 40", e.Message, StringComparison.Ordinal);
        Assert.Contains("the constants of 'auto' may not change on resume", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFilledFolder_IsRefusedWithoutResume_AndAnEmptyOneResumesAtStepOne()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 10);
        folder.Write("run/notes.txt", "mine");
        Assert.Contains(
            "already holds something",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["run"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );
        var log = new List<string>();
        using TrainingRun run = TrainingRun.Open(
            config,
            folder["new"],
            TinyRun.Quick with
            {
                Resume = true,
                Log = log.Add,
            }
        );
        Assert.Equal(0, run.State.Step);
        Assert.Contains(log, line => line.Contains("nothing to resume", StringComparison.Ordinal));
    }

    [Fact]
    public void AnotherThreadCount_IsSaidOnResume()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Arm("baseline", 20);
        Train(config, folder["run"], 10);
        var log = new List<string>();
        using TrainingRun run = TrainingRun.Open(
            config with
            {
                Threads = 1,
            },
            folder["run"],
            TinyRun.Quick with
            {
                Resume = true,
                Log = log.Add,
            }
        );
        Assert.Contains(log, line => line.Contains("2 threads so far and goes on with 1", StringComparison.Ordinal));
    }

    private static RunConfig Arm(string arm, int steps) =>
        arm switch
        {
            "baseline" => TinyRun.Shared.Plain(arm, steps),
            "step" => TinyRun.Shared.Salt(
                arm,
                steps,
                new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(15) }
            ),
            "linear_ratio" => TinyRun.Shared.Salt(
                arm,
                steps,
                new DistillationConfig
                {
                    Transition = TransitionKind.LinearRatio,
                    Start = StepPoint.FromShare(0.2),
                    End = StepPoint.FromShare(0.9),
                },
                temperature: 0.5
            ),
            "auto" => TinyRun.Shared.Salt(
                arm,
                steps,
                new DistillationConfig
                {
                    Transition = TransitionKind.Auto,
                    PerDomain = true,
                    Maximum = StepPoint.FromShare(0.9),
                    Smoothing = 0.1,
                }
            ),
            "mixed" => TinyRun.Shared.Salt(
                arm,
                steps,
                new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromShare(0.7) }
            ) with
            {
                Objective = new ObjectiveConfig
                {
                    Causal = 0.5,
                    Prefix = 0.3,
                    Span = 0.2,
                    Sentinels = 4,
                },
                Data = TinyRun.Shared.Plain(arm, steps).Data with
                {
                    Mixture = new MixtureConfig { Temperature = 2, MaxEpochs = 0.5 },
                },
            },
            "gpt_neox" => TinyRun.Shared.Salt(
                arm,
                steps,
                new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromShare(0.5) }
            ) with
            {
                Model = TinyRun.GptNeoxShape,
            },
            "gpt2" => TinyRun.Shared.Plain(arm, steps) with { Model = TinyRun.Gpt2Shape },
            "masked" => TinyRun.Shared.Plain(arm, steps) with
            {
                Data = TinyRun.Shared.Plain(arm, steps).Data with { MaskDocuments = true },
            },
            _ => TinyRun.Shared.Salt(
                arm,
                steps,
                new DistillationConfig
                {
                    Transition = TransitionKind.Constant,
                    Gate = GateKind.TopProbability,
                    GateThreshold = 0.1,
                    Renormalise = true,
                }
            ),
        };

    // Trains up to a step and returns the weights.
    private static float[] Train(RunConfig config, string folder, int until, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick with { Resume = resume });
        run.Continue(until, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private static string[] Figures(string folder) =>
        [
            .. File.ReadLines(Path.Combine(folder, RunLayout.Metrics))
                .Select(line =>
                {
                    using var json = JsonDocument.Parse(line);
                    return string.Join(
                        ' ',
                        json.RootElement.EnumerateObject()
                            .Where(p =>
                                p.Name is not "seconds" && !p.Name.StartsWith("perf/", StringComparison.Ordinal)
                            )
                            .Select(p => p.ToString())
                    );
                }),
        ];
}
