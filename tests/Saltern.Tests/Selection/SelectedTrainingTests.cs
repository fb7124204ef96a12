using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Selection;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Selection;

// From a pass over a selection to runs on it: SALT_DS and selected data without distillation.
public sealed class SelectedTrainingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void StageOneDrawsSelectedSamples_AndStageTwoGoesOnWhereItWouldHaveBeen()
    {
        SelectionReport report = Select(0.1);
        RunConfig plain = TinyRun.Shared.Plain("plain", 30);
        RunConfig selected = plain with
        {
            Selection = new SelectionConfig { Path = _folder["selection"], Until = StepPoint.FromShare(0.4) },
        };
        RunConfig salt = Salt() with { Selection = new SelectionConfig { Path = _folder["selection"] } };
        Assert.Equal(("selected", "salt_ds"), (selected.Arm, salt.Arm));
        foreach (RunConfig config in new[] { selected, salt })
        {
            using TrainingRun run = TrainingRun.Open(config, _folder[config.Arm], TinyRun.Quick);
            run.Continue(30, CancellationToken.None);
            Assert.Equal((240, 12 * 8), (run.State.Samples, run.State.SubsetSamples));
            RunResult result = run.Finish();
            Assert.Equal(12, result.Stage1EndStep);
            Assert.True(result.Teacher!.PassFlops > 0 && result.Teacher.TrainingFlops > 0); // the scoring pass is charged, whoever teaches
            Assert.Contains(
                run.Description(),
                line =>
                    line.StartsWith("selection: stage 1 draws from " + report.Manifest.Chosen, StringComparison.Ordinal)
            );
        }

        using RunParts parts = RunParts.Open(selected, null);
        using RunParts all = RunParts.Open(plain, null);
        Assert.All(
            parts.Batches.Peek(50, fromSubset: true),
            sample =>
                Assert.Contains(sample.Index, SelectionFolder.Read(_folder["selection"]).Samples.Indices(sample.Domain))
        );
        Assert.Equal(all.Batches.Peek(50), parts.Batches.Peek(50));
        Assert.NotEqual(all.Batches.Peek(50), parts.Batches.Peek(50, fromSubset: true));
    }

    [Fact]
    public void ResumedSelection_IsBitForBitTheUninterruptedOne()
    {
        Select(0.05);
        RunConfig config = Salt() with { Selection = new SelectionConfig { Path = _folder["selection"] } };
        float[] whole = Train(config, "whole", 30);
        Train(config, "cut", 10); // inside stage 1
        Select(0.1, "other");
        RunConfig other = config with { Selection = new SelectionConfig { Path = _folder["other"] } };
        TrainingRunOptions resume = TinyRun.Quick with
        {
            Resume = true,
            Overrides = [RecipeOverride.Parse("selection.path=other")],
        };
        Assert.Contains(
            "the run drew from the list",
            Assert.Throws<ConfigurationException>(() => TrainingRun.Open(other, _folder["cut"], resume)).Message,
            StringComparison.Ordinal
        );
        Train(config, "cut", 20, resume: true);
        Directory.Move(_folder["selection"], _folder["moved"]); // needed no more: stage 1 is over
        Assert.Equal(whole, Train(config, "cut", 30, resume: true));
        Assert.Equal(96, Drawn("whole"));
        Assert.Equal(96, Drawn("cut"));

        long Drawn(string run) => Checkpoint.LoadState(new CheckpointStore(_folder[run]).PathOf(30)).SubsetSamples;
    }

    [Fact]
    public void ACacheOfTheSelectedSamples_CoversStageOne()
    {
        Select(0.05);
        RunConfig config = Salt() with { Selection = new SelectionConfig { Path = _folder["selection"] } };
        TeachManifest pass = Teach("cache", config, CacheMode.Sampled, stage1Only: true);
        Assert.True(pass.Plan.Coverage.Count <= 96);
        RunConfig cached = config with { Teacher = new TeacherConfig { Cache = _folder["cache"] } };
        Train(cached, "cached", 30);

        // The same cache does not cover a stage 1 on all samples.
        Assert.Contains(
            "are missing",
            Assert
                .Throws<ConfigurationException>(() =>
                    TrainingRun.Open(cached with { Selection = null }, _folder["none"], TinyRun.Quick)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void OtherDataAndDamage_AreRefused()
    {
        Select(0.1);
        RunConfig config = TinyRun.Shared.Plain("plain", 30) with
        {
            Selection = new SelectionConfig { Path = _folder["selection"], Until = StepPoint.FromSteps(5) },
        };
        string message = Assert
            .Throws<ConfigurationException>(() =>
                TrainingRun.Open(
                    config with
                    {
                        Data = config.Data with { SequenceLength = 16 },
                    },
                    _folder["x"],
                    TinyRun.Quick
                )
            )
            .Message;
        Assert.Contains("selection.path = ", message, StringComparison.Ordinal);
        Assert.Contains(
            "was made for sequences of 32 tokens, but data.sequence_length = 16",
            message,
            StringComparison.Ordinal
        );
        string list = Path.Combine(_folder["selection"], SelectionFolder.SamplesFile);
        byte[] bytes = File.ReadAllBytes(list);
        bytes[^1] ^= 1;
        File.WriteAllBytes(list, bytes);
        Assert.Contains(
            "has SHA-256",
            Assert.Throws<DataFormatException>(() => SelectionFolder.Read(_folder["selection"])).Message,
            StringComparison.Ordinal
        );
        File.WriteAllBytes(list, bytes[..^3]);
        Assert.Contains(
            "bytes of",
            Assert.Throws<DataFormatException>(() => SelectionFolder.Read(_folder["selection"])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "until",
            string.Join(
                ' ',
                (config with { Selection = config.Selection! with { Until = null } })
                    .Validate()
                    .Select(problem => problem.Key)
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "until",
            string.Join(' ', (Salt() with { Selection = config.Selection }).Validate().Select(problem => problem.Key)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Report_ShowsEveryPart_AndEscapesText()
    {
        SelectionReport report = Select(0.2);
        Assert.Equal(report.Manifest.Scored, report.Histogram.Sum(bin => bin.Samples));
        Assert.Equal(report.Manifest.Chosen, report.Histogram.Sum(bin => bin.Chosen));
        Assert.Equal(["first", "second"], report.Domains.Select(domain => domain.Name));
        Assert.Equal(report.Manifest.Scored, report.Buckets.Sum(bucket => bucket.Samples));
        Assert.Equal(30, report.Examples.Count);
        Assert.True(
            report.Examples[0].Score >= report.Examples[10].Score
                && report.Examples[10].Score >= report.Examples[29].Score
        );
        string html = File.ReadAllText(Path.Combine(_folder["selection"], SelectionRun.ReportFile));
        Assert.Contains("<h2>Highest scores</h2>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<|endoftext|>", html, StringComparison.Ordinal);
        Assert.Contains(
            "by domain",
            SelectionReportWriter.Text(report).Replace("domain  ", "by domain", StringComparison.Ordinal),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AScoreOfOnesOwn_MayBeNegative_AndIsANumber()
    {
        // Every sample is in the histogram, whichever side of 0 its score is on.
        SelectionReport report = Select(
            0.2,
            "negative",
            new OwnScore("minus the mean", labels => -labels.Nll.Average())
        );
        Assert.Equal(report.Manifest.Scored, report.Histogram.Sum(bin => bin.Samples));
        Assert.True(report.Histogram[0].From < 0 && report.Histogram.Count(bin => bin.Samples > 0) > 1);
        Assert.Contains(
            "The score 'none' gives NaN",
            Assert
                .Throws<ConfigurationException>(() => Select(0.2, "none", new OwnScore("none", _ => double.NaN)))
                .Message,
            StringComparison.Ordinal
        );
    }

    private SelectionReport Select(double share, string name = "selection", OwnScore? own = null)
    {
        Teach("scores", null, CacheMode.Scores, stage1Only: false);
        return SelectionRun.Report(
            _folder["scores"],
            null,
            new SelectionRule
            {
                Share = share,
                Score = new ScoreRule { MinTokens = 8 },
            },
            _folder[name],
            own
        );
    }

    private TeachManifest Teach(string name, RunConfig? config, CacheMode mode, bool stage1Only) =>
        TeachRun.Pass(
            new TeachRequest
            {
                Teacher = TinyRun.Shared.TeacherFolder,
                Recipe = config,
                DataPath = config is null ? TinyRun.Shared.DataFolder : null,
                SequenceLength = config is null ? 32 : null,
                Mode = mode,
                Stage1Only = stage1Only,
                Out = _folder[name],
                Threads = 2,
            },
            _ => { },
            cancellation: TestContext.Current.CancellationToken
        );

    private static RunConfig Salt() =>
        TinyRun.Shared.Salt(
            "salt",
            30,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(12) }
        );

    private float[] Train(RunConfig config, string name, int until, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick with { Resume = resume });
        run.Continue(until, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }
}
