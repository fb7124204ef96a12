using System.IO.Compression;
using Saltern.Configuration;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Studies;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Studies;

// Real runs of a model of a few thousand parameters: finished, killed, resumed, wrong.
public sealed class StudyRunnerTests : IDisposable
{
    private const int Steps = 40;
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _trained = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AnInterruptedStudy_GoesOn_AndEndsAsIfItHadNotBeen()
    {
        StudyResults whole = new(_folder["whole"]);
        StudyResults cut = new(_folder["cut"]);
        Assert.All(Run(whole, "whole-runs", Runs()), outcome => Assert.Equal(StudyRunState.Finished, outcome.State));

        // Interrupted in the second run after 17 steps, with a checkpoint after 10 left behind as a kill would leave it.
        _trained.Clear();
        Assert.Single(Run(cut, "cut-runs", Runs(), stopSecondAt: 17));
        Assert.True(cut.Has(Runs()[0]) && !cut.Has(Runs()[1]));
        _trained.Clear();
        IReadOnlyList<StudyOutcome> outcomes = Run(cut, "cut-runs", Runs());
        Assert.Equal(
            [StudyRunState.Kept, StudyRunState.Finished, StudyRunState.Finished, StudyRunState.Finished],
            outcomes.Select(outcome => outcome.State)
        );
        Assert.Equal(3, _trained.Count);
        foreach (StudyRun run in Runs())
        {
            RunRecord a = whole.Load(run);
            RunRecord b = cut.Load(run);
            Assert.Equal(a.FinalLoss, b.FinalLoss);
            Assert.Equal(a.Metrics.Series("valid/loss"), b.Metrics.Series("valid/loss"));
            Assert.Equal(run.Arm, b.Result.Arm);
        }
    }

    [Fact]
    public void AKeptResult_StandsForItsRun_WithoutWeights()
    {
        StudyResults results = new(_folder["kept"]);
        Run(results, "kept-runs", Runs()[..1]);
        Directory.Delete(_folder["kept-runs"], recursive: true);
        _trained.Clear();
        Assert.Equal(StudyRunState.Kept, Assert.Single(Run(results, "kept-runs", Runs()[..1])).State);
        Assert.Empty(_trained);
        Assert.True(
            new FileInfo(Path.Combine(results.PathOf(Runs()[0]), RunLayout.Metrics)).Length
                <= StudyResults.MostMetricsBytes
        );
    }

    [Fact]
    public void AResultOfAnotherRecipe_IsRefused_AndTheDifferenceNamed()
    {
        StudyResults results = new(_folder["other"]);
        StudyRun run = Runs()[0];
        Run(results, "other-runs", [run]);
        StudyRun hotter = run with
        {
            Recipe = run.Recipe with { Optimizer = run.Recipe.Optimizer with { LearningRate = 0.5 } },
        };
        Assert.Contains(
            "optimizer.learning_rate was 0.003 and is now 0.5",
            Assert.Throws<ConfigurationException>(() => results.Has(hotter)).Message,
            StringComparison.Ordinal
        );

        // Where the data lies is not what it holds: the same data set elsewhere is the same run, another one is not.
        RunConfig moved = run.Recipe with
        {
            Data = run.Recipe.Data with { Path = _folder["nowhere"] },
            Threads = 1,
        };
        Assert.True(results.Has(run with { Recipe = moved }));
        string result = Path.Combine(results.PathOf(run), RunLayout.Result);
        File.WriteAllText(
            result,
            (RunResult.Parse(File.ReadAllText(result), result) with { DataFingerprint = "sha256:00" }).ToJson()
        );
        Assert.Contains(
            "data.path: its content was",
            Assert.Throws<ConfigurationException>(() => results.Has(run)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AFailedRun_IsNamed_AndTheOthersAreMade()
    {
        StudyResults results = new(_folder["failed"]);
        StudyRun bad = Runs()[0] with
        {
            Arm = "BAD",
            Recipe = Runs()[0].Recipe with { Data = Runs()[0].Recipe.Data with { Path = _folder["no-data"] } },
        };
        IReadOnlyList<StudyOutcome> outcomes = Run(results, "failed-runs", [bad, Runs()[0]]);
        Assert.Equal([StudyRunState.Failed, StudyRunState.Finished], outcomes.Select(outcome => outcome.State));
        Assert.Contains("no-data", outcomes[0].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunThatAnotherProcessTrains_IsPassedOver()
    {
        StudyResults results = new(_folder["shared"]);
        StudyRun run = Runs()[0];
        using TrainingRun elsewhere = TrainingRun.Open(
            run.Recipe,
            Path.Combine(_folder["shared-runs"], run.RelativePath),
            TinyRun.Quick
        );
        Assert.Equal(
            [StudyRunState.Elsewhere, StudyRunState.Finished],
            Run(results, "shared-runs", [run, Runs()[2]]).Select(outcome => outcome.State)
        );
    }

    [Theory]
    [InlineData("1")]
    [InlineData("auto")]
    [InlineData("fp23")]
    public void APrecisionThatIsNone_IsRefused_NotGuessed(string word)
    {
        StudyResults results = new(_folder["pinned"]);
        Assert.Equal(ComputePrecision.Fp32, results.Pin(ComputePrecision.Fp32));
        Assert.Equal(ComputePrecision.Fp32, results.Pin(ComputePrecision.Bf16)); // the first decides
        File.WriteAllText(_folder["pinned/precision.txt"], word);
        Assert.Contains(
            "is no precision of a study",
            Assert.Throws<ConfigurationException>(() => results.Pin(ComputePrecision.Fp32)).Message,
            StringComparison.Ordinal
        );
        Assert.Single(Directory.GetFiles(_folder["pinned"]));
    }

    [Fact]
    public void ARunThatAnotherProcessKeeps_IsPassedOver()
    {
        StudyResults results = new(_folder["keeping"]);
        StudyRun[] runs = Runs()[..2];
        using (FileLock.Take(results.PathOf(runs[0]) + FileLock.Ending, "", ""))
        {
            Assert.Equal(
                [StudyRunState.Elsewhere, StudyRunState.Finished],
                Run(results, "keeping-runs", runs).Select(outcome => outcome.State)
            );
        }

        Assert.Equal(
            Directory.GetDirectories(_folder["keeping/results"]),
            Directory.GetFileSystemEntries(_folder["keeping/results"])
        );
    }

    // It looks at all runs first; by the time that it comes to the second, another process has kept that one.
    [Fact]
    public void ARunThatAnotherProcessKeptMeanwhile_IsNotTrained()
    {
        StudyRun[] runs = Runs()[..2];
        StudyResults results = new(_folder["shared"]);
        StudyResults others = new(_folder["others"]);
        Run(others, "other-runs", [runs[1]]);
        _trained.Clear();
        IReadOnlyList<StudyOutcome> outcomes = new StudyRunner(results, _folder["own-runs"]).Run(
            runs,
            (run, folder) =>
            {
                _trained.Add(run.Arm);
                using TrainingRun training = TrainingRun.Open(run.Recipe, folder, TinyRun.Quick);
                training.Continue(Steps, CancellationToken.None);
                training.Finish();
                results.Keep(runs[1], Path.Combine(_folder["other-runs"], runs[1].RelativePath));
                return true;
            },
            _ => { }
        );
        Assert.Equal([StudyRunState.Finished, StudyRunState.Kept], outcomes.Select(outcome => outcome.State));
        Assert.Equal([runs[0].Arm], _trained);
    }

    [Fact]
    public void ARunThatFailsWhileItHoldsItsFolder_HasFailed_AndIsNotElsewhere()
    {
        StudyOutcome outcome = Assert.Single(
            new StudyRunner(new StudyResults(_folder["full"]), _folder["full-runs"]).Run(
                Runs()[..1],
                (job, folder) =>
                {
                    using RunFolder run = RunFolder.Inspect(
                        folder,
                        job.Recipe,
                        leads: true,
                        resume: true,
                        [],
                        _ => { }
                    );
                    run.Claim(Steps, _ => { });
                    throw new CheckpointException("the disk is full");
                },
                _ => { }
            )
        );
        Assert.Equal((StudyRunState.Failed, "the disk is full"), (outcome.State, outcome.Problem));
    }

    [Fact]
    public void APrecisionThatAKillCutOff_IsWrittenDownAgain()
    {
        _folder.Write("pinned/precision.txt", "");
        Assert.Equal(ComputePrecision.Bf16, new StudyResults(_folder["pinned"]).Pin(ComputePrecision.Bf16));
        Assert.Equal(ComputePrecision.Bf16, new StudyResults(_folder["pinned"]).Pin(ComputePrecision.Fp32));
        Assert.Equal("precision.txt", Assert.Single(Directory.GetFiles(_folder["pinned"]).Select(Path.GetFileName)));
    }

    [Fact]
    public void PackedResults_StandForTheirRuns_AndSayTheSame()
    {
        StudyResults results = new(_folder["packed"]);
        string archive = _folder["packed/results.zip"];
        string kept = _folder["packed/results"];
        Run(results, "packed-runs", Runs()[..2]);
        PackedResults packed = PackedResults.Pack(results.Folder);
        Assert.Equal((archive, 2, 2, 0), (packed.Path, packed.Runs, packed.New, packed.LeftOut.Count));
        Directory.Delete(kept, recursive: true);

        // What is in the archive is not trained again; what is new goes to the folder, and both are judged together.
        _trained.Clear();
        results = new(results.Folder);
        Assert.Equal(
            [StudyRunState.Kept, StudyRunState.Kept, StudyRunState.Finished, StudyRunState.Finished],
            Run(results, "packed-runs", Runs()).Select(outcome => outcome.State)
        );
        Assert.Equal(2, _trained.Count);
        Assert.False(Directory.Exists(results.PathOf(Runs()[0])));
        string verdict = Verdict(results.Folder);

        // Packed together, with what is no result left out and named; nothing is written where nothing has changed.
        Directory.CreateDirectory(Path.Combine(kept, "SALT", "seed-3"));
        File.WriteAllText(Path.Combine(kept, "SALT", "seed-3", RunLayout.Metrics), "");
        File.WriteAllText(Path.Combine(kept, "notes.txt"), "");
        packed = PackedResults.Pack(results.Folder);
        Assert.Equal((4, 2), (packed.Runs, packed.New));
        Assert.Equal(["SALT/seed-3/metrics.jsonl", "notes.txt"], packed.LeftOut);
        File.SetLastWriteTimeUtc(archive, DateTime.UnixEpoch);
        Assert.Equal(0, PackedResults.Pack(results.Folder).New);
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(archive));
        Directory.Delete(kept, recursive: true);
        Assert.Equal(verdict, Verdict(results.Folder));
        Assert.Equal(4, PackedResults.Pack(results.Folder).Runs);

        // The same results in another order of packing: the same bytes.
        ZipFile.ExtractToDirectory(archive, _folder["other/results"]);
        PackedResults.Pack(_folder["other"]);
        Assert.Equal(File.ReadAllBytes(archive), File.ReadAllBytes(_folder["other/results.zip"]));
        File.Delete(_folder["other/results.zip"]);
        Assert.Equal(verdict, Verdict(_folder["other"]));
    }

    [Fact]
    public void AnArchiveThatIsNotWhole_OrOfAnotherPlan_StopsTheStudy()
    {
        StudyResults results = new(_folder["stop"]);
        StudyRun run = Runs()[0];
        Assert.Contains(
            "holds no finished run",
            Assert.Throws<ConfigurationException>(() => PackedResults.Pack(results.Folder)).Message,
            StringComparison.Ordinal
        );
        Run(results, "stop-runs", [run]);
        PackedResults.Pack(results.Folder);
        Directory.Delete(_folder["stop/results"], recursive: true);
        StudyRun hotter = run with
        {
            Recipe = run.Recipe with { Optimizer = run.Recipe.Optimizer with { LearningRate = 0.5 } },
        };
        string message = Assert
            .Throws<ConfigurationException>(() => new StudyResults(results.Folder).Has(hotter))
            .Message;
        Assert.StartsWith(
            _folder["stop/results.zip/PLAIN/seed-1"] + " holds the result of another run",
            message,
            StringComparison.Ordinal
        );
        Assert.Contains("Unpack ", message, StringComparison.Ordinal);

        byte[] bytes = File.ReadAllBytes(_folder["stop/results.zip"]);
        File.WriteAllBytes(_folder["stop/results.zip"], bytes[..^10]);
        _trained.Clear();
        Assert.Contains(
            "results.zip",
            Assert.Throws<DataFormatException>(() => Run(new StudyResults(results.Folder), "stop-runs", [run])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<DataFormatException>(() => PackedResults.Pack(results.Folder));
        Assert.Empty(_trained);
        Assert.Equal(bytes[..^10], File.ReadAllBytes(_folder["stop/results.zip"]));
    }

    private static string Verdict(string folder)
    {
        var plan = new StudyPlan(
            new StudyConfig
            {
                Name = "packed",
                Base = "x.yaml",
                Seeds = [1, 2],
                Baseline = "PLAIN",
                Arms = Runs()
                    .Select(run => run.Arm)
                    .Distinct()
                    .ToDictionary(
                        arm => arm,
                        _ => (IReadOnlyDictionary<string, string>)new Dictionary<string, string>()
                    ),
            },
            Runs(),
            []
        );
        Assert.NotNull(StudyVerdict.Write(plan, new StudyResults(folder), _ => { }));
        return File.ReadAllText(Path.Combine(folder, "verdict.json"));
    }

    private static StudyRun[] Runs() =>
        [
            .. from seed in new[] { 1, 2 }
            from arm in new[] { "PLAIN", "SALT" }
            let recipe = arm == "PLAIN"
                ? TinyRun.Shared.Plain("x", Steps)
                : TinyRun.Shared.Salt(
                    "x",
                    Steps,
                    new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromShare(0.5) }
                )
            select new StudyRun(arm, seed, recipe with { Seed = seed, Name = $"{arm}-seed-{seed}" }),
        ];

    private IReadOnlyList<StudyOutcome> Run(
        StudyResults results,
        string runs,
        IReadOnlyList<StudyRun> wanted,
        int? stopSecondAt = null
    ) =>
        new StudyRunner(results, _folder[runs]).Run(
            wanted,
            (run, folder) =>
            {
                _trained.Add(run.Recipe.Name);
                using TrainingRun training = TrainingRun.Open(
                    run.Recipe,
                    folder,
                    TinyRun.Quick with
                    {
                        Resume = Directory.Exists(folder),
                    }
                );
                if (stopSecondAt is int at && _trained.Count == 2)
                {
                    training.Continue(at, CancellationToken.None);
                    return false;
                }

                training.Continue(Steps, CancellationToken.None);
                training.Finish();
                return true;
            },
            _ => { }
        );
}
