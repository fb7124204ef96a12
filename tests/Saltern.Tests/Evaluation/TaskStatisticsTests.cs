using System.Text.Json;
using Saltern.Evaluation;

namespace Saltern.Tests.Evaluation;

public class TaskStatisticsTests
{
    [Fact]
    public void MeanErrorAndChance_HandWorked()
    {
        // 1, 0, 1, 1: mean 0.75, s = 0.5, error 0.25. Two items of four choices and two of two: chance (0.25·2 + 0.5·2)/4.
        MetricScore score = MetricScore.Of(
            TaskMetric.Acc,
            TaskKind.Choice,
            [Item(1, 4), Item(0, 4), Item(1, 2), Item(1, 2)]
        );
        Assert.Equal(0.75, score.Value, 12);
        Assert.Equal(0.25, score.StandardError!.Value, 12);
        Assert.Equal(0.375, score.Chance!.Value, 12);
        Assert.Null(score.Majority);
        Assert.False(score.IsAboveChance); // four items say nothing
        Assert.InRange(score.Low, 0, 0.5);
        Assert.Equal(1, score.High);
    }

    [Fact]
    public void Interval_IsThatOfTheBinomial()
    {
        // 400 items, 60 % right: 1.96·√(0.24/400) = 0.048. A thousand resamples know the ends to about 0.003.
        MetricScore score = MetricScore.Of(
            TaskMetric.Acc,
            TaskKind.Choice,
            [.. Enumerable.Range(0, 400).Select(i => Item(i % 5 < 3 ? 1 : 0, 2))]
        );
        Assert.Equal(0.6 - 0.048, score.Low, 0.008);
        Assert.Equal(0.6 + 0.048, score.High, 0.008);
        Assert.True(score.Majority == 1 && score.IsAboveChance is false); // all items have one gold answer: a constant answer does better
    }

    [Fact]
    public void SameChoicesEverywhere_ShowTheMostFrequentAnswer()
    {
        MetricScore score = MetricScore.Of(
            TaskMetric.Acc,
            TaskKind.Choice,
            [Item(1, 2, gold: 0), Item(1, 2, gold: 1), Item(0, 2, gold: 1), Item(0, 2, gold: 1)]
        );
        Assert.Equal((0.5, 0.75), (score.Chance, score.Majority));
        Assert.Null(MetricScore.Of(TaskMetric.Perplexity, TaskKind.LastWord, [Item(1, 2)]).Chance);
    }

    [Theory]
    [InlineData(1, 9, 0.021484375)] // 2·(1 + 10)/2¹⁰
    [InlineData(9, 1, 0.021484375)]
    [InlineData(0, 3, 0.25)] // 2/2³
    [InlineData(5, 5, 1.0)]
    [InlineData(0, 0, 1.0)]
    public void McNemar_HandWorked(int first, int second, double expected) =>
        Assert.Equal(expected, PairedTest.McNemar(first, second), 12);

    [Fact]
    public void TwoModels_AreComparedItemByItem()
    {
        ItemResult[] first = [.. Enumerable.Range(0, 50).Select(i => Item(i < 40 ? 1 : 0, 2, id: $"{i}"))];
        ItemResult[] second = [.. Enumerable.Range(0, 50).Select(i => Item(i < 30 ? 1 : 0, 2, id: $"{i}"))];
        PairedTest test = PairedTest.Of(TaskMetric.Acc, first, second);
        Assert.Equal(0.2, test.Difference, 12);
        Assert.Equal((10, 0, "mcnemar_exact"), (test.OnlyFirst, test.OnlySecond, test.Test));
        Assert.Equal(2.0 / 1024, test.PValue, 12);
        Assert.InRange(test.Low, 0.06, 0.14); // 1.96·√(0.16/50) = 0.11 to each side
        Assert.Equal(
            (0.0, 1.0),
            (PairedTest.Of(TaskMetric.Acc, first, first).Difference, PairedTest.Of(TaskMetric.Acc, first, first).PValue)
        );
        Assert.Throws<ArgumentException>(() => PairedTest.Of(TaskMetric.Acc, first, second[1..]));
    }

    [Fact]
    public void Group_MeansOfMeans_WithAndWithoutADomain()
    {
        var group = new TaskGroup
        {
            Group = "suite",
            Domains =
            [
                new TaskDomain { Name = "one", Tasks = ["a", "b"] },
                new TaskDomain { Name = "lambada", Tasks = ["l"] },
                new TaskDomain { Name = "absent", Tasks = ["z"] },
            ],
            Averages = [new TaskAverage { Name = "all" }, new TaskAverage { Name = "rest", Without = ["lambada"] }],
        };
        GroupScores scores = group.Score(
            new Dictionary<string, double>
            {
                ["a"] = 0.2,
                ["b"] = 0.4,
                ["l"] = 0.9,
            }
        );
        Assert.Equal(
            [0.3, 0.9, null],
            scores.Domains.Select(domain => domain.Score),
            (x, y) => x is null ? y is null : Math.Abs(x.Value - y!.Value) < 1e-12
        );
        Assert.Equal(0.6, scores.Averages[0].Score!.Value, 12);
        Assert.Equal((2, 3), (scores.Averages[0].Measured, scores.Averages[0].Of));
        Assert.Equal(0.3, scores.Averages[1].Score!.Value, 12);
        Assert.Single((group with { Averages = [new TaskAverage { Name = "x", Without = ["nothing"] }] }).Validate());
    }

    [Fact]
    public void Json_HasTheHarnessNames()
    {
        var definition = new TaskDefinition
        {
            Task = "t",
            Kind = TaskKind.Choice,
            Readings = [],
            Version = 3,
            Shots = 2,
            Metrics = [TaskMetric.Acc],
        };
        ItemResult[] items = [Item(1, 4), Item(0, 4) with { IsCut = true }];
        var result = new TaskResult
        {
            Definition = definition,
            DataPath = "x/t.jsonl",
            Items = items,
            Scores = [MetricScore.Of(TaskMetric.Acc, TaskKind.Choice, items)],
            Time = TimeSpan.FromSeconds(2),
        };
        var run = new TaskRunResults("m", 32, [result]) { Limit = 100 };
        using JsonDocument json = JsonDocument.Parse(TaskResultJson.Results(run, null));
        JsonElement root = json.RootElement;
        JsonElement scores = root.GetProperty("results").GetProperty("t");
        Assert.Equal(0.5, scores.GetProperty("acc,none").GetDouble());
        Assert.Equal(0.5, scores.GetProperty("acc_stderr,none").GetDouble(), 12); // s = √½, over √2
        Assert.Equal(0.25, scores.GetProperty("acc_chance,none").GetDouble());
        Assert.Equal(3, root.GetProperty("versions").GetProperty("t").GetInt32());
        Assert.Equal(2, root.GetProperty("n-shot").GetProperty("t").GetInt32());
        Assert.Equal(1, root.GetProperty("n-samples").GetProperty("t").GetProperty("too_long").GetInt32());
        Assert.Equal("i", root.GetProperty("too_long").GetProperty("t")[0].GetString());
        Assert.Equal(100, root.GetProperty("config").GetProperty("limit").GetInt32());
        using JsonDocument sample = JsonDocument.Parse(TaskResultJson.Samples(result).First());
        Assert.Equal(64, sample.RootElement.GetProperty("doc_hash").GetString()!.Length);

        // SHA-256 of "q", by sha256sum.
        Assert.Equal(
            "8e35c2cd3bf6641bdb0e2050b76932cbb2e6034a0ddacc1d9bea82a6ba57f7cf",
            sample.RootElement.GetProperty("prompt_hash").GetString()
        );
    }

    private static ItemResult Item(double value, int choices, int gold = 0, string id = "i") =>
        new()
        {
            Item = new TaskItem
            {
                Id = id,
                Index = 0,
                Record = JsonDocument.Parse("{}").RootElement,
                Choices = [.. Enumerable.Range(0, choices).Select(i => $"choice {i}")],
                Gold = gold,
            },
            Arguments = [("q", " c")],
            Metrics = new Dictionary<TaskMetric, ItemScore>
            {
                [TaskMetric.Acc] = new(value),
                [TaskMetric.Perplexity] = new(-value),
            },
        };
}
