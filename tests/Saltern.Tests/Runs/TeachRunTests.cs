using System.Text.Json;
using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

// A pass of the tiny teacher, and runs that are taught from it.
public sealed class TeachRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void APassInterruptedAndGoneOnWith_IsTheUninterruptedOne()
    {
        TeachRequest request = Request("whole") with { Draws = 9 };
        TeachManifest whole = Teach(request);
        Assert.True(whole.Shards.Count >= 3);
        using var interruption = new CancellationTokenSource();
        var progress = new Synchronous<TeachProgress>(p =>
        {
            if (p.Samples > 1_500)
            {
                interruption.Cancel();
            }
        });
        TeachRequest cut = request with { Out = _folder["cut"] };
        Assert.Throws<OperationCanceledException>(() =>
            TeachRun.Pass(cut, _ => { }, progress, cancellation: interruption.Token)
        );
        Assert.Contains(
            "holds an unfinished pass",
            Assert.Throws<DataFormatException>(() => TeacherCache.Open(cut.Out)).Message,
            StringComparison.Ordinal
        );

        // A file that a kill left half written, and one that was damaged later, are made anew.
        File.WriteAllBytes(Path.Combine(cut.Out, "shards", "00000001.teach.writing"), [1, 2, 3]);
        var log = new List<string>();
        TeachManifest resumed = Teach(cut, log);
        Assert.Contains(
            log,
            line => line.StartsWith("1024 samples of an interrupted pass were kept", StringComparison.Ordinal)
        );
        Assert.Equal(whole.Buckets.TokenBounds, resumed.Buckets.TokenBounds);
        AssertSameRecords(request.Out, cut.Out);

        byte[] bytes = File.ReadAllBytes(Path.Combine(cut.Out, "shards", whole.Shards[0].File));
        bytes[^7] ^= 1;
        File.WriteAllBytes(Path.Combine(cut.Out, "shards", whole.Shards[0].File), bytes);
        Assert.Contains(
            "has SHA-256",
            Assert.Throws<DataFormatException>(() => TeacherCache.Open(cut.Out, verify: true)).Message,
            StringComparison.Ordinal
        );
        using (TeacherCache damaged = TeacherCache.Open(cut.Out))
        {
            Assert.Contains(
                "the checksum is",
                Assert.Throws<DataFormatException>(() => damaged.ReadAll().Count()).Message,
                StringComparison.Ordinal
            );
        }

        Teach(cut, log);
        Assert.Contains(
            log,
            line =>
                line.StartsWith("Made anew: ", StringComparison.Ordinal)
                && line.Contains(whole.Shards[0].File, StringComparison.Ordinal)
        );
        AssertSameRecords(request.Out, cut.Out);
        Assert.Contains(
            "there: \"draws\": 9,  asked for: \"draws\": 8,",
            Assert.Throws<ConfigurationException>(() => Teach(cut with { Draws = 8 })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void DrawsByDefault_KeepTheByteBudget()
    {
        TeachManifest manifest = Teach(Request("budget") with { BytesPerPosition = 25 });
        Assert.InRange(manifest.BytesPerPosition, 21, 25); // one draw more or less is about a byte, and the margin is two standard errors
        Assert.InRange(manifest.Plan.Draws, 2, 254);
        Assert.Equal(manifest.Positions, (long)manifest.Plan.Coverage.Count * 32);
        Assert.True(manifest.Teacher.PassFlops > 0 && manifest.Teacher.PassSeconds > 0);
        Assert.True(manifest.Buckets.TokenBounds[0] < manifest.Buckets.TokenBounds[1]);
    }

    [Fact]
    public void ABudgetThatHoldsNoToken_IsRefusedBeforeThePass()
    {
        // 9 bytes of a record, and 4 for each token that is kept.
        string message = Assert
            .Throws<ConfigurationException>(() =>
                Teach(Request("little") with { Mode = CacheMode.TopK, BytesPerPosition = 12 })
            )
            .Message;
        Assert.StartsWith("--bytes = 12 holds no token of a position", message, StringComparison.Ordinal);
        Assert.Contains("Give at least 13, or --kept.", message, StringComparison.Ordinal);
        TeachRequest least = Request("least") with { Mode = CacheMode.TopK, BytesPerPosition = 13 };
        Assert.Equal(1, Teach(least).Plan.Kept);

        // Asked for again it is the same pass; with another budget it is not.
        Assert.Equal(1, Teach(least).Plan.Kept);
        Assert.Contains(
            "there: \"kept\": 1,  asked for: \"kept\": 2,",
            Assert.Throws<ConfigurationException>(() => Teach(least with { BytesPerPosition = 17 })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void CachedTeacherThatKeepsEverything_IsTheLiveOne()
    {
        // Probabilities in half precision: relative errors of 5e-4 in the target, which 20 small steps carry into the weights.
        Teach(Request("all") with { Mode = CacheMode.TopK, Kept = 300, Recipe = Salt(20), Stage1Only = true });
        RunConfig live = Salt(20);
        RunConfig cached = Cached(live, "all");
        float[] expected = Train(live, "live");
        float[] found = Train(cached, "cached");
        double difference = Math.Sqrt(expected.Zip(found, (a, b) => Math.Pow(a - b, 2)).Sum());
        double moved = Math.Sqrt(expected.Zip(Initial(), (a, b) => Math.Pow(a - b, 2)).Sum());
        Assert.True(difference <= 5e-3 * moved, $"weights differ by {difference / moved:e2} of the way they went");
        RunRecord a = RunRecord.Load(_folder["live"]);
        RunRecord b = RunRecord.Load(_folder["cached"]);
        Assert.Equal(Names("live"), Names("cached")); // everything that is logged live is logged from the cache
        foreach (
            string name in new[]
            {
                "train/loss",
                "train/teacher_nll",
                "train/teacher_nll_tempered",
                "train/teacher_entropy",
                "train/ce_teacher_student",
                "train/agreement",
                "train/gap",
                "valid/gap",
                "valid/loss",
            }
        )
        {
            Assert.Equal(a.Metrics.Series(name)[^1].Value, b.Metrics.Series(name)[^1].Value, 3e-3);
        }

        Assert.Equal(
            (0.0, a.Result.Teacher!.CurveLoss!.Value),
            (b.Result.TeacherFlops, b.Result.Teacher!.CurveLoss!.Value)
        );
        Assert.True(b.Result.Teacher.PassFlops > 0 && a.Result.Teacher.PassFlops is null && a.Result.TeacherFlops > 0);
    }

    [Fact]
    public void SampledCache_GivesTheSameForAnyMicroBatch_AndOnResume()
    {
        Teach(Request("sampled") with { Recipe = Salt(20), Stage1Only = true });
        RunConfig config = Cached(Salt(20), "sampled");
        float[] whole = Train(config, "whole");
        float[] split = Train(config with { Training = config.Training with { MicroBatchSequences = 2 } }, "split");
        double difference = Math.Sqrt(whole.Zip(split, (x, y) => Math.Pow(x - y, 2)).Sum());
        double size = Math.Sqrt(whole.Sum(w => (double)w * w));
        Assert.True(difference <= 1e-5 * size, $"weights differ by {difference / size:e2}"); // rounding, as with a live teacher
        using (TrainingRun cut = TrainingRun.Open(config, _folder["resumed"], TinyRun.Quick))
        {
            cut.Continue(13, CancellationToken.None);
        }

        Assert.Equal(whole, Train(config, "resumed", resume: true));

        // Noise of the draws, not another method: the losses stay near the live run's.
        Train(Salt(20), "live");
        double[] finals = [.. new[] { "whole", "live" }.Select(name => RunRecord.Load(_folder[name]).FinalLoss)];
        Assert.Equal(finals[1], finals[0], 0.05);
    }

    [Fact]
    public void WrongPairs_AreRefusedBeforeTheFirstStepNamingBothSides()
    {
        Teach(Request("pair") with { Recipe = Salt(20), Stage1Only = true, Draws = 3 });
        RunConfig config = Cached(Salt(20), "pair");
        AssertRefused(
            config with
            {
                Teacher = config.Teacher! with { Temperature = 0.5 },
            },
            "was made at temperature 1, but teacher.temperature = 0.5"
        );
        AssertRefused(
            config with
            {
                Data = config.Data with { SequenceLength = 16 },
            },
            "was made for sequences of 32 tokens, but data.sequence_length = 16"
        );
        AssertRefused(
            config with
            {
                Data = config.Data with { MaskDocuments = true },
            },
            "was made with data.mask_documents = false, but the run has true"
        );
        AssertRefused(
            config with
            {
                Objective = new ObjectiveConfig { Causal = 0.5, Prefix = 0.5 },
            },
            "was made for the objective 'causal', but the run's is 'causal 0.5 prefix 0.5 span 0 seed 0'"
        );
        AssertRefused(config with { Seed = 6 }, "that this run's stage 1 may draw are missing");
        AssertRefused(
            config with
            {
                Distillation = config.Distillation! with { Start = StepPoint.FromSteps(19) },
            },
            "that this run's stage 1 may draw are missing"
        );
        AssertRefused(
            config with
            {
                Distillation = config.Distillation! with { Gate = GateKind.TopProbability, GateThreshold = 0.5 },
            },
            "only a cache of mode top_k at temperature 1 holds"
        );

        // The live teacher of another run beside the cache.
        using (
            TrainingRun other = TrainingRun.Open(
                TinyRun.Shared.Plain("other", 5) with
                {
                    Model = TinyRun.TeacherShape,
                },
                _folder["other"],
                TinyRun.Quick
            )
        )
        {
            other.Continue(5, CancellationToken.None);
            other.Finish();
        }

        AssertRefused(
            config with
            {
                Teacher = config.Teacher! with { Path = _folder["other"] },
            },
            "was made by the weights sha256:"
        );
        using TrainingRun right = TrainingRun.Open(
            config with
            {
                Teacher = config.Teacher! with { Path = TinyRun.Shared.TeacherFolder },
            },
            _folder["right"],
            TinyRun.Quick
        );
        Assert.Contains(right.Description(), line => line.Contains("3 draws", StringComparison.Ordinal));

        // Another seed is fine where all of its samples are there, as is a shorter stage 1.
        RunConfig shorter = config with
        {
            Distillation = config.Distillation! with { Start = StepPoint.FromSteps(5) },
        };
        using TrainingRun shortRun = TrainingRun.Open(shorter, _folder["shorter"], TinyRun.Quick);
    }

    [Fact]
    public void BucketGate_TakesItsBoundsFromThePass()
    {
        TeachManifest manifest = Teach(Request("bounds") with { Recipe = Salt(20), Stage1Only = true, Draws = 3 });
        RunConfig config = Cached(Salt(20), "bounds");
        config = config with
        {
            Distillation = config.Distillation! with { Gate = GateKind.Bucket, GateBuckets = [1, 0, 0] },
        };
        Train(config, "bucket");

        // A third of the positions, in number of tokens, up to the steps that were drawn.
        double weight = RunRecord.Load(_folder["bucket"]).Metrics.Series("train/weight")[0].Value;
        Assert.InRange(weight / 0.667, 0.30, 0.37);
        Assert.True(manifest.Buckets.TokenBounds[0] > 0);
    }

    [Fact]
    public void ScoresOnly_CannotTeach_AndObjectivesAndMasksArePartOfThePass()
    {
        RunConfig mixed = Salt(20) with
        {
            Objective = new ObjectiveConfig
            {
                Causal = 0.4,
                Prefix = 0.3,
                Span = 0.3,
                Sentinels = 4,
            },
        };
        var log = new List<string>();
        Teach(Request("mixed") with { Recipe = mixed, Stage1Only = true, Draws = 5 }, log);
        Assert.Contains(
            log,
            line => line.Contains("was trained on the objective 'causal', but teaches", StringComparison.Ordinal)
        );
        float[] weights = Train(Cached(mixed, "mixed"), "run");
        Assert.All(weights, weight => Assert.True(float.IsFinite(weight)));
        TeachManifest scores = Teach(Request("scores") with { Recipe = Salt(20), Mode = CacheMode.Scores });
        Assert.InRange(scores.BytesPerPosition, 3, 3.9); // three bytes, and 24 a sample of 32
        AssertRefused(Cached(Salt(20), "scores"), "holds scores alone");
    }

    private void AssertRefused(RunConfig config, string expected)
    {
        ConfigurationException e = Assert.Throws<ConfigurationException>(() =>
            TrainingRun.Open(config, _folder["refused"], TinyRun.Quick)
        );
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["refused"]));
    }

    private static void AssertSameRecords(string first, string second)
    {
        using TeacherCache a = TeacherCache.Open(first);
        using TeacherCache b = TeacherCache.Open(second, verify: true);
        foreach (
            (
                (int Domain, long Index, SampleLabels Labels) x,
                (int Domain, long Index, SampleLabels Labels) y
            ) in a.ReadAll().Zip(b.ReadAll())
        )
        {
            Assert.Equal((x.Domain, x.Index), (y.Domain, y.Index));
            Assert.Equal(x.Labels.Ids, y.Labels.Ids);
            Assert.Equal(x.Labels.Probabilities, y.Labels.Probabilities);
            Assert.Equal(x.Labels.Nll, y.Labels.Nll);
        }
    }

    private static TeachManifest Teach(TeachRequest request, List<string>? log = null) =>
        TeachRun.Pass(request, line => log?.Add(line), cancellation: TestContext.Current.CancellationToken);

    private TeachRequest Request(string name) =>
        new()
        {
            Teacher = TinyRun.Shared.TeacherFolder,
            Recipe = Salt(20),
            Out = _folder[name],
            Threads = 2,
        };

    private RunConfig Cached(RunConfig live, string cache) =>
        live with
        {
            Name = "cached",
            Teacher = new TeacherConfig { Cache = _folder[cache], Temperature = live.Teacher!.Temperature },
        };

    private static RunConfig Salt(int steps)
    {
        RunConfig config = TinyRun.Shared.Salt(
            "live",
            steps,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(12) }
        );
        return config with { Training = config.Training with { EvaluateEvery = 10 } };
    }

    private float[] Train(RunConfig config, string name, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick with { Resume = resume });
        run.Continue(config.Training.Steps, CancellationToken.None);
        run.Finish();
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private float[] Initial()
    {
        using TrainingRun run = TrainingRun.Open(Salt(20), _folder["initial"], TinyRun.Quick);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private string[] Names(string run) =>
        [
            .. File.ReadLines(Path.Combine(_folder[run], RunLayout.Metrics))
                .SelectMany(line =>
                {
                    using var json = JsonDocument.Parse(line);
                    return json.RootElement.EnumerateObject().Select(property => property.Name).ToArray();
                })
                .Distinct()
                .Order(),
        ];

    private sealed class Synchronous<TValue>(Action<TValue> report) : IProgress<TValue>
    {
        public void Report(TValue value) => report(value);
    }
}
