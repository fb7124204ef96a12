using Saltern.Checkpoints;
using Saltern.Cli.Demo;
using Saltern.Configuration;
using Saltern.Corpora;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Selection;
using Saltern.Shards;
using Saltern.Studies;
using Saltern.Tests.Runs;
using Saltern.Tokenization;

namespace Saltern.Tests;

// One byte changed, or the end cut off, in every kind of file that a later run relies on (docs/reliability.md).
public sealed class FlipCampaignTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FlipCampaign _campaign = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ACheckpoint_IsPassedOver_AndTheOneBeforeItTaken()
    {
        RunConfig config = TinyRun.Shared.Plain("flips", 40) with { Products = ProductChoice.Blas };
        Train(config, "run", 30);
        var store = new CheckpointStore(_folder["run"]);
        string newest = store.PathOf(30);
        string[] files = [.. Directory.GetFiles(newest).Order(StringComparer.Ordinal)];
        Assert.Equal(6, files.Length);
        foreach (string file in files)
        {
            _campaign.Damage(
                file,
                () =>
                {
                    (int? step, IReadOnlyList<string> skipped) = store.NewestGood();
                    Assert.Equal(skipped.Count == 0 ? 30 : 20, step);
                    Assert.Equal(store.PathOf(step!.Value), ModelLocation.Resolve(_folder["run"])); // what 'eval' and a student would read

                    // Asked for by name, it is refused.
                    if (skipped.Count == 0)
                    {
                        return null;
                    }

                    return skipped[0] + Assert.Throws<CheckpointException>(() => ModelLocation.Resolve(newest)).Message;
                }
            );
        }

        // The run goes on from the one before, to the bytes of an undisturbed one.
        Train(config, "whole", 40);
        byte[] weights = File.ReadAllBytes(files[2]);
        weights[weights.Length / 2] ^= 4;
        File.WriteAllBytes(files[2], weights);
        Train(config, "run", 40);
        Assert.Equal(
            File.ReadAllBytes(new CheckpointStore(_folder["whole"]).PathOf(40) + "/model.safetensors"),
            File.ReadAllBytes(store.PathOf(40) + "/model.safetensors")
        );
        Assert.True(Directory.Exists(Path.Combine(store.Folder, "damaged-step-00000030")));
        _campaign.Report("checkpoint");
    }

    [Fact]
    public void ADataSet_IsRefused()
    {
        Copy(TinyRun.Shared.DataFolder, _folder["data"]);
        string data = _folder["data"];
        foreach (
            string file in Files("data").Where(file => !file.EndsWith(VerifiedFiles.FileName, StringComparison.Ordinal))
        )
        {
            _campaign.Damage(file, () => Read(verify: false));
        }

        // With the time of change as it was, a reader that remembers the file does not look; --verify does.
        _campaign.Damage(_folder["data/train/first.bin"], () => Read(verify: true), keepsTime: true);
        _campaign.Report("data set");

        string? Read(bool verify)
        {
            TokenDataset.OpenAny(data, null, verify, userFolder: null, TestContext.Current.CancellationToken).Dispose();
            return null;
        }
    }

    [Fact]
    public void UnfinishedPreparing_BeginsAnew()
    {
        string[] input =
        [
            .. Enumerable
                .Range(0, 12)
                .Select(i =>
                    _folder.Write(
                        $"in/{i}.txt",
                        string.Join("\n\n", GeneratedText.Generate((ulong)i, 100_000).Select(document => document.Text))
                    )
                ),
        ];
        using var interruption = new CancellationTokenSource();
        var progress = new CancelBehind(interruption, 300_000);
        Assert.ThrowsAny<OperationCanceledException>(() => Prepare("unfinished", progress, interruption.Token));
        Assert.True(File.Exists(_folder["unfinished/" + PrepareJournal.FileName]));
        foreach (string file in Files("unfinished").Where(file => new FileInfo(file).Length > 0))
        {
            string name = Path.GetRelativePath(_folder["unfinished"], file);
            string copied = _folder["copy/" + name];
            Copy(_folder["unfinished"], _folder["copy"]);
            _campaign.Damage(
                copied,
                () =>
                {
                    // A damaged journal is left as it is; other damage takes all of the unfinished work with it.
                    Copy(_folder["copy"], _folder["work"]);
                    try
                    {
                        Prepare("work", null, TestContext.Current.CancellationToken);
                        return null;
                    }
                    finally
                    {
                        Directory.Delete(_folder["work"], recursive: true);
                    }
                }
            );
        }

        _campaign.Report("unfinished data set");

        void Prepare(string to, IProgress<PrepareProgress>? listener, CancellationToken cancellation) =>
            DatasetBuilder.Build(
                new CorpusReader(input, new CorpusReaderOptions { TextPieceBytes = 2_000 }),
                null,
                BpeTokenizer.Load(Path.Combine(TinyRun.Shared.DataFolder, "tokenizer.json")),
                _folder[to],
                new DatasetBuilderOptions { CheckpointBytes = 100_000 },
                listener,
                cancellation
            );
    }

    [Fact]
    public void ATeachersPass_IsRefused()
    {
        RunConfig config = TinyRun.Shared.Salt(
            "cached",
            20,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(12) }
        );
        TeachRun.Pass(
            new TeachRequest
            {
                Teacher = TinyRun.Shared.TeacherFolder,
                Recipe = config,
                Out = _folder["teach"],
                Draws = 5,
                Threads = 1,
                Stage1Only = true,
            },
            _ => { },
            null,
            cancellation: TestContext.Current.CancellationToken
        );
        using RunParts parts = RunParts.Open(config, null);
        foreach (string file in Files("teach"))
        {
            _campaign.Damage(
                file,
                () =>
                {
                    TeachJson.Read<TeachPlan>(Path.Combine(_folder["teach"], TeachPlan.FileName)); // what 'teach' would go on with
                    using TeacherCache cache = TeacherCache.Open(_folder["teach"]);
                    Assert.NotEmpty(cache.ReadAll().ToList()); // every sample
                    Assert.NotNull(TeacherLosses.Load(_folder["teach"], parts.Text.CurveSet));
                    TeacherLosses.Load(_folder["teach"], parts.Text.WholeSet);
                    return null;
                }
            );
        }

        _campaign.Report("teacher's pass");
    }

    [Fact]
    public void ASelection_IsRefused()
    {
        TeachRun.Pass(
            new TeachRequest
            {
                Teacher = TinyRun.Shared.TeacherFolder,
                DataPath = TinyRun.Shared.DataFolder,
                SequenceLength = 32,
                Mode = CacheMode.Scores,
                Out = _folder["scores"],
                Threads = 1,
            },
            _ => { },
            null,
            cancellation: TestContext.Current.CancellationToken
        );
        SelectionRun.Run(
            _folder["scores"],
            null,
            new SelectionRule
            {
                Share = 0.2,
                Score = new ScoreRule { MinTokens = 8 },
            },
            _folder["selection"]
        );
        foreach (string name in new[] { SelectionFolder.ManifestFile, SelectionFolder.SamplesFile })
        {
            _campaign.Damage(
                Path.Combine(_folder["selection"], name),
                () =>
                {
                    SelectionFolder.Read(_folder["selection"]);
                    return null;
                }
            );
        }

        _campaign.Report("selection");
    }

    [Fact]
    public void AFinishedRun_AndWhatAStudyKeepsOfIt_AreNotCompared()
    {
        RunConfig config = TinyRun.Shared.Plain("finished", 20);
        Train(config, "finished", 20, finish: true);
        var results = new StudyResults(_folder["study"]);
        var job = new StudyRun("PLAIN", config.Seed, config);
        results.Keep(job, _folder["finished"]);
        foreach (string run in new[] { _folder["finished"], results.PathOf(job) })
        {
            foreach (
                string name in new[] { RunLayout.Recipe, RunLayout.Metrics, RunLayout.Result, RunLayout.Documents }
            )
            {
                _campaign.Damage(
                    Path.Combine(run, name),
                    () =>
                    {
                        RunRecord.Load(run);
                        return null;
                    }
                );
            }

            // As the next run of the study, or a run that goes on, reads them.
            foreach (string name in new[] { RunLayout.Recipe, RunLayout.Result })
            {
                _campaign.Damage(
                    Path.Combine(run, name),
                    () => StudyResults.IsResultOf(run, job) ? null : $"{name} is not there"
                );
            }
        }

        // All results in one file: a damaged one is not taken for a study that has not begun.
        var packed = new StudyResults(_folder["packed"]);
        packed.Keep(job, _folder["finished"]);
        string archive = PackedResults.Pack(packed.Folder).Path;
        Directory.Delete(Path.Combine(packed.Folder, "results"), recursive: true);
        _campaign.Damage(archive, () => new StudyResults(packed.Folder).Has(job) ? null : archive + " is not there");

        var times = new StepTimes
        {
            Machine = new RunMachine { Processor = "P" },
            Rounds = 3,
            LoadedShare = 0.5,
            Arms = new Dictionary<string, ArmStepTimes> { ["PLAIN"] = new(2.0, null, null, null) },
        };
        times.Save(_folder["study"]);
        string kept = Assert.Single(Directory.GetFiles(_folder["study"]));
        _campaign.Damage(kept, () => StepTimes.Load(_folder["study"]) is null ? kept + " is not there" : null);
        _campaign.Report("finished run and study");
    }

    private void Train(RunConfig config, string name, int until, bool finish = false)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick with { Resume = true });
        run.Continue(until, TestContext.Current.CancellationToken);
        if (finish)
        {
            run.Finish();
        }
    }

    private string[] Files(string folder) =>
        [.. Directory.GetFiles(_folder[folder], "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    private static void Copy(string from, string to)
    {
        if (Directory.Exists(to))
        {
            Directory.Delete(to, recursive: true);
        }

        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private sealed class CancelBehind(CancellationTokenSource source, long bytes) : IProgress<PrepareProgress>
    {
        public void Report(PrepareProgress value)
        {
            if (value.Bytes >= bytes)
            {
                source.Cancel();
            }
        }
    }
}
