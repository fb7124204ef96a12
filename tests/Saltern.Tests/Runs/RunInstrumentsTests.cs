using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

// What a recipe's section `evaluation` measures along a run.
public sealed class RunInstrumentsTests : IDisposable
{
    private const string Pass = "pass";
    private static readonly string[] Difficulties = ["easy", "medium", "hard"];
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void LossesByDifficulty_AscendAndMakeUpTheWhole()
    {
        Teach();
        RunResult result = Train(Plain with { Evaluation = new EvaluationConfig { Buckets = _folder[Pass] } }, "run");
        MetricsTable metrics = RunRecord.Load(_folder["run"]).Metrics;
        Assert.All(
            Difficulties,
            name => Assert.Equal([20, 40], metrics.Series($"valid/bucket/{name}/loss").Select(point => point.Step))
        );
        foreach (string unit in new[] { "tokens", "windows" })
        {
            BucketLoss[] buckets = [.. result.Final!.Buckets.Where(bucket => bucket.Unit == unit)];
            Assert.Equal(Difficulties, buckets.Select(bucket => bucket.Bucket));
            Assert.True(buckets[0].Loss < buckets[1].Loss && buckets[1].Loss < buckets[2].Loss);

            // Each target is in one of them: their mean by tokens is the loss.
            double mean =
                buckets.Sum(bucket => bucket.Tokens * bucket.Loss!.Value) / buckets.Sum(bucket => bucket.Tokens);
            Assert.Equal(result.Final.Loss, mean, 1e-4);
        }
    }

    [Fact]
    public void Measuring_ChangesNothing()
    {
        Teach();
        RunResult bare = Train(Plain, "bare");
        RunResult measured = Train(
            Plain with
            {
                Evaluation = new EvaluationConfig
                {
                    Buckets = _folder[Pass],
                    Tasks = [WriteTask()],
                    TasksEvery = 10,
                },
            },
            "measured"
        );
        Assert.Equal(bare.Final!.Loss, measured.Final!.Loss);
        Assert.Equal(Weights("bare"), Weights("measured"));
        Assert.Empty(bare.Tasks);
    }

    [Fact]
    public void Tasks_AreRunAtTheirOwnSteps_AndAfterTheLast()
    {
        EvaluationConfig evaluation = new()
        {
            Tasks = [WriteTask()],
            TasksEvery = 15,
            TasksLimit = 4,
        };
        RunResult result = Train(Plain with { Evaluation = evaluation }, "tasks");
        TaskScore score = Assert.Single(result.Tasks, score => score.Metric == "exact_match");
        Assert.Equal(("plus", 4), (score.Task, score.Items));
        IReadOnlyList<(int Step, double Value)> series = RunRecord
            .Load(_folder["tasks"])
            .Metrics.Series("valid/task/plus/exact_match");
        Assert.Equal([15, 30, 40], series.Select(point => point.Step));
        Assert.Equal(score.Value, series[^1].Value);
    }

    [Fact]
    public void APassForOtherValidationText_IsRefused()
    {
        Teach();
        RunConfig config = Plain with { Evaluation = new EvaluationConfig { Buckets = _folder[Pass] } };
        AssertRefused(
            config with
            {
                Training = config.Training with { EvaluationTokens = 500 },
            },
            "has no losses for this run's validation text"
        );
    }

    [Fact]
    public void APassOfOtherData_IsRefusedNamingBoth()
    {
        Teach();
        const string Other = "sha256:00";
        string data = TeachManifest.Load(_folder[Pass]).Plan.Samples.Data;
        Assert.Contains(
            $"was made on the data set {data}, but data.path has {Other}",
            Assert
                .Throws<ConfigurationException>(() =>
                    RunInstruments.Open(new EvaluationConfig { Buckets = _folder[Pass] }, Other)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    private static RunConfig Plain => TinyRun.Shared.Plain("measured", 40);

    private void AssertRefused(RunConfig config, string expected)
    {
        ConfigurationException refusal = Assert.Throws<ConfigurationException>(() =>
            TrainingRun.Open(config, _folder["refused"], TinyRun.Quick)
        );
        Assert.Contains(expected, refusal.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["refused"]));
    }

    private void Teach() =>
        TeachRun.Pass(
            new TeachRequest
            {
                Teacher = TinyRun.Shared.TeacherFolder,
                Recipe = Plain,
                Out = _folder[Pass],
                Mode = CacheMode.Scores,
                Threads = 2,
            },
            _ => { },
            cancellation: TestContext.Current.CancellationToken
        );

    private string WriteTask()
    {
        File.WriteAllLines(
            _folder["plus.jsonl"],
            Enumerable.Range(0, 6).Select(i => $$"""{"q": "{{i}} plus 1 is", "a": "{{i + 1}}"}""")
        );
        File.WriteAllText(
            _folder["plus.yaml"],
            "task: plus\nkind: generate\nmax_tokens: 4\nreadings: [{ prompt: \"{q}\", answers: [a] }]\n"
        );
        return _folder["plus.yaml"];
    }

    private byte[] Weights(string run) =>
        File.ReadAllBytes(Path.Combine(_folder[run], "checkpoints", "step-00000040", "model.safetensors"));

    private RunResult Train(RunConfig config, string name)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick);
        run.Continue(config.Training.Steps, CancellationToken.None);
        return run.Finish();
    }
}
