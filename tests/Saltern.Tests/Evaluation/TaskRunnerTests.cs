using System.Text.Json;
using Saltern.Evaluation;

namespace Saltern.Tests.Evaluation;

// Every kind of task on a model whose probabilities are known.
public class TaskRunnerTests
{
    private const double Rounding = 1e-5;

    [Fact]
    public void Choice_AccuracyAndNormalisedAccuracy_HandWorked()
    {
        // ln p(b | q) = ln 0.1 = −2.30; ln p(cccc | q) = ln 0.2 + 3·ln 0.5 = −3.69. So b wins, but per character it is −2.30 against −0.92.
        using TaskModel model = BigramModel.Create(16, ("q", "b", 0.1), ("q", "c", 0.2), ("c", "c", 0.5));
        ItemResult result = Run(
            model,
            Task(TaskKind.Choice),
            new TaskItem
            {
                Id = "1",
                Index = 0,
                Record = default,
                Prompt = "q",
                Choices = ["b", "cccc"],
                Gold = 1,
            }
        );
        Assert.Equal(Math.Log(0.1), result.Scores[0].LogProb, Rounding);
        Assert.Equal(Math.Log(0.2 * 0.125), result.Scores[1].LogProb, Rounding);
        Assert.Equal(0, result.Metrics[TaskMetric.Acc].Value);
        Assert.Equal(1, result.Metrics[TaskMetric.AccNorm].Value);
    }

    [Fact]
    public void Induction_EachTokenOfTheSecondTimeButTheFirst_HandWorked()
    {
        // 'q c d' twice: p(c | q) = 0.2 is q's most likely token, p(d | c) = 0.3 is not c's; q after d is not asked.
        using TaskModel model = BigramModel.Create(16, ("q", "c", 0.2), ("c", "d", 0.3), ("c", "c", 0.5));
        ItemResult result = Run(
            model,
            Task(TaskKind.Induction) with
            {
                Readings = [],
            },
            new TaskItem
            {
                Id = "0",
                Index = 0,
                Record = default,
                Stretch = [BigramModel.Id("q"), BigramModel.Id("c"), BigramModel.Id("d")],
            }
        );
        Assert.Equal(2, result.Scores.Count);
        Assert.Equal(Math.Log(0.2), result.Scores[0].LogProb, Rounding);
        Assert.Equal(Math.Log(0.3), result.Scores[1].LogProb, Rounding);
        Assert.Equal(0.5, result.Metrics[TaskMetric.TokenAcc].Value);
        Assert.Equal((Math.Log(0.2) + Math.Log(0.3)) / 2, result.Metrics[TaskMetric.Perplexity].Value, Rounding);
        Assert.False(result.IsCut);
        Assert.Equal(("qcd", "qcd"), result.Arguments[0]);
    }

    [Fact]
    public void Induction_AWindowThatDoesNotHoldItTwice_CutsAndSaysSo()
    {
        using TaskModel model = BigramModel.Create(5);
        IReadOnlyList<ScoreRequest> requests = model.Encoder.Repeated([97, 98, 99]);
        Assert.Equal([BigramModel.Tokenizer.EndOfTextId, 97, 98, 97, 98], Assert.Single(requests).Tokens);
        Assert.True(requests[0].IsCut);
        Assert.Equal(2, model.Encoder.Repeated([97, 98]).Single().Targets.Length + 1);
    }

    [Fact]
    public void InductionItems_DifferentTokensOfText_TheSameForASeed()
    {
        TaskDefinition definition = Task(TaskKind.Induction) with { Readings = [], Items = 5, StretchTokens = 40 };
        IReadOnlyList<TaskItem> items = InductionItems.Draw(definition, BigramModel.Tokenizer, limit: null);
        Assert.Equal(5, items.Count);
        Assert.All(items, item => Assert.Equal(40, item.Stretch.Distinct().Count()));
        Assert.All(items, item => Assert.DoesNotContain(BigramModel.Tokenizer.EndOfTextId, item.Stretch));
        Assert.Equal(5, items.Select(item => string.Join(' ', item.Stretch)).Distinct().Count());
        Assert.Equal(items[1].Stretch, InductionItems.Draw(definition, BigramModel.Tokenizer, limit: 2)[1].Stretch);
        Assert.NotEqual(
            items[0].Stretch,
            InductionItems.Draw(definition with { Seed = 7 }, BigramModel.Tokenizer, limit: 1)[0].Stretch
        );
        Assert.Contains(
            "stretch_tokens",
            Assert
                .Throws<ConfigurationException>(() =>
                    InductionItems.Draw(definition with { StretchTokens = 400 }, BigramModel.Tokenizer, limit: null)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Normalisation_DividesByCharactersOrBytes()
    {
        // −2 over "ab" is −1 either way; −3 over "éé" is −1.5 a character and −0.75 a byte; "😀" is one character of four bytes and two UTF-16 units.
        var item = new TaskItem
        {
            Id = "1",
            Index = 0,
            Record = default,
            Choices = ["ab", "éé"],
            Gold = 1,
        };
        Dictionary<TaskMetric, ItemScore> metrics = TaskRunner.Measure(
            TaskKind.Choice,
            item,
            [new(-2, false), new(-3, false)]
        );
        Assert.Equal(
            (0.0, 0.0, 1.0),
            (metrics[TaskMetric.Acc].Value, metrics[TaskMetric.AccNorm].Value, metrics[TaskMetric.AccBytes].Value)
        );
        metrics = TaskRunner.Measure(
            TaskKind.Choice,
            item with
            {
                Choices = ["ab", "😀"],
                Gold = 0,
            },
            [new(-3, false), new(-2, false)]
        );
        Assert.Equal(
            (0.0, 1.0, 0.0),
            (metrics[TaskMetric.Acc].Value, metrics[TaskMetric.AccNorm].Value, metrics[TaskMetric.AccBytes].Value)
        ); // −1.5 and −2; −1.5 and −0.5
    }

    [Fact]
    public void EqualChoices_TheFirstWins() =>
        Assert.Equal(
            1,
            TaskRunner
                .Measure(
                    TaskKind.Choice,
                    new TaskItem
                    {
                        Id = "1",
                        Index = 0,
                        Record = default,
                        Choices = ["a", "b"],
                        Gold = 0,
                    },
                    [new(-1, false), new(-1, false)]
                )[TaskMetric.Acc]
                .Value
        );

    [Fact]
    public void ContextChoice_ComparesOneAnswerAfterTwoContexts()
    {
        using TaskModel model = BigramModel.Create(16, ("s", "z", 0.1), ("t", "z", 0.3));
        ItemResult result = Run(
            model,
            Task(TaskKind.ContextChoice),
            new TaskItem
            {
                Id = "1",
                Index = 0,
                Record = default,
                Contexts = ["as", "at"],
                Answer = "z",
                Gold = 1,
            }
        );
        Assert.Equal(Math.Log(0.3), result.Scores[1].LogProb, Rounding);
        Assert.Equal(1, result.Metrics[TaskMetric.Acc].Value);
    }

    [Fact]
    public void Pair_ScoresWholeTexts()
    {
        using TaskModel model = BigramModel.Create(
            16,
            ("", "a", 0.2),
            ("a", "b", 0.5),
            ("", "b", 0.2),
            ("b", "a", 0.25)
        );
        ItemResult result = Run(
            model,
            Task(TaskKind.Pair),
            new TaskItem
            {
                Id = "1",
                Index = 0,
                Record = default,
                Choices = ["ab", "ba"],
            }
        );
        Assert.Equal(Math.Log(0.2 * 0.5), result.Scores[0].LogProb, Rounding);
        Assert.Equal(Math.Log(0.2 * 0.25), result.Scores[1].LogProb, Rounding);
        Assert.Equal(1, result.Metrics[TaskMetric.Acc].Value);
    }

    [Fact]
    public void LastWord_IsRightWhereGreedyDecodingGivesIt()
    {
        using TaskModel model = BigramModel.Create(16, ("m", "a", 0.6), ("a", "b", 0.3), ("a", "c", 0.4));
        ItemResult right = Run(model, Task(TaskKind.LastWord), Last("ac"));
        ItemResult wrong = Run(model, Task(TaskKind.LastWord), Last("ab"));
        Assert.Equal((1.0, 0.0), (right.Metrics[TaskMetric.Acc].Value, wrong.Metrics[TaskMetric.Acc].Value));
        Assert.Equal(Math.Log(0.6 * 0.3), wrong.Metrics[TaskMetric.Perplexity].Value, Rounding);

        // exp(−(ln 0.24 + ln 0.18)/2)
        Assert.Equal(
            1 / Math.Sqrt(0.24 * 0.18),
            MetricScore.Of(TaskMetric.Perplexity, TaskKind.LastWord, [right, wrong]).Value,
            1e-3
        );
    }

    [Fact]
    public void Perplexity_DividesByBytesAndWords()
    {
        // p = 0.5, 0.5, then twice uniform, over windows of two tokens: the window border changes nothing for a bigram.
        using TaskModel model = BigramModel.Create(2, ("", "a", 0.5), ("a", "b", 0.5));
        ItemResult result = Run(
            model,
            Task(TaskKind.Perplexity),
            new TaskItem
            {
                Id = "1",
                Index = 0,
                Record = default,
                Prompt = "ab c",
            }
        );
        double sum = (2 * Math.Log(0.5)) + (2 * Math.Log(BigramModel.Uniform));
        Assert.Equal(
            new ItemScore(result.Metrics[TaskMetric.BitsPerByte].Value, 4),
            result.Metrics[TaskMetric.BitsPerByte]
        );
        Assert.Equal(sum, result.Metrics[TaskMetric.BitsPerByte].Value, Rounding);
        Assert.Equal(
            -sum / (4 * Math.Log(2)),
            MetricScore.Of(TaskMetric.BitsPerByte, TaskKind.Perplexity, [result]).Value,
            Rounding
        );
        Assert.Equal(
            Math.Exp(-sum / 2),
            MetricScore.Of(TaskMetric.WordPerplexity, TaskKind.Perplexity, [result]).Value,
            1e-2
        );
    }

    [Fact]
    public void Generate_IsGreedy_StopsAtTheMark_AndComparesTheLastNumber()
    {
        using TaskModel model = BigramModel.Create(
            32,
            (":", "1", 0.9),
            ("1", "7", 0.9),
            ("7", ";", 0.9),
            (";", "3", 0.9)
        );
        TaskDefinition task = Task(TaskKind.Generate) with
        {
            Until = [";"],
            Answer = new AnswerRules { Pattern = "[0-9]+", TakeLast = true },
            MaxTokens = 10,
        };
        ItemResult result = Run(
            model,
            task,
            new TaskItem
            {
                Id = "1",
                Index = 0,
                Record = default,
                Prompt = "n:",
                Answers = ["18", "17"],
            }
        );
        Assert.Equal("17", result.Text);
        Assert.Equal(1, result.Metrics[TaskMetric.ExactMatch].Value);
        Assert.False(result.IsCut);
    }

    [Fact]
    public void ItemsTooLong_AreMarked()
    {
        using TaskModel model = BigramModel.Create(4);
        Assert.True(Run(model, Task(TaskKind.LastWord), Last("ac") with { Prompt = "mmmmmmmm" }).IsCut);
        Assert.False(Run(model, Task(TaskKind.LastWord), Last("ac")).IsCut);
    }

    [Fact]
    public void Examples_StandBeforeTheItem_AndAreNeverTheItem()
    {
        TaskDefinition task = Task(TaskKind.LastWord) with { TargetDelimiter = " ", Shots = 1 };
        TaskItem[] pool =
        [
            .. Enumerable
                .Range(0, 6)
                .Select(i => new TaskItem
                {
                    Id = $"{i}",
                    Index = i,
                    Record = default,
                    Prompt = $"p{i}",
                    Answer = $"a{i}",
                    Example = $"a{i}",
                }),
        ];
        Assert.Equal("p1 a1\n\n", new FewShotPrompt(task, pool[..2], poolHoldsItems: true, 1).Before(pool[0]));
        var prompt = new FewShotPrompt(task, pool, poolHoldsItems: true, 5);
        foreach (TaskItem item in pool)
        {
            Assert.Equal(
                pool.Where(other => other != item).Select(other => other.Id),
                prompt.Examples(item).Select(example => example.Id).Order()
            );
            Assert.Equal(prompt.Before(item), prompt.Before(item));
        }

        Assert.Throws<ConfigurationException>(() =>
            new FewShotPrompt(task, pool, poolHoldsItems: true, 6).Before(pool[0])
        );
        Assert.Equal(6, new FewShotPrompt(task, pool, poolHoldsItems: false, 6).Examples(pool[0]).Count);
    }

    private static TaskItem Last(string answer) =>
        new()
        {
            Id = "1",
            Index = 0,
            Record = default,
            Prompt = "m",
            Answer = answer,
        };

    private static TaskDefinition Task(TaskKind kind) =>
        new()
        {
            Task = "test",
            Kind = kind,
            Readings = [],
            TargetDelimiter = "",
        };

    private static ItemResult Run(TaskModel model, TaskDefinition task, TaskItem item) =>
        Assert.Single(
            TaskRunner.Run(
                model,
                task,
                [item with { Record = JsonDocument.Parse("{}").RootElement }],
                new FewShotPrompt(task, [], poolHoldsItems: false, 0)
            )
        );
}
