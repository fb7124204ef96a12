using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Saltern.Models;

namespace Saltern.Evaluation;

/// <summary>Puts the items of a task to a model and scores what comes back.</summary>
internal static partial class TaskRunner
{
    /// <summary>Runs a task.</summary>
    /// <param name="examples">What stands before each item.</param>
    /// <param name="progress">Told how many requests or answers are done.</param>
    /// <param name="cancellation">Ends the work early, with an exception.</param>
    public static IReadOnlyList<ItemResult> Run(
        TaskModel model,
        TaskDefinition definition,
        IReadOnlyList<TaskItem> items,
        FewShotPrompt examples,
        Action<int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        if (definition.Kind == TaskKind.Generate)
        {
            return Generated(model, definition, items, examples, progress, cancellation);
        }

        Planned[] plans = [.. items.Select(item => Plan(model, definition, item, examples))];
        RequestScore[] scores = model.Score([.. plans.SelectMany(plan => plan.Requests)], progress, cancellation);
        var results = new ItemResult[items.Count];
        int at = 0;
        for (int i = 0; i < items.Count; i++)
        {
            RequestScore[] own = scores[at..(at + plans[i].Requests.Count)];
            at += own.Length;
            results[i] = new ItemResult
            {
                Item = items[i],
                Arguments = plans[i].Arguments,
                Scores = own,
                Metrics = Measure(definition.Kind, items[i], own),
                IsCut = plans[i].Requests.Any(request => request.IsCut),
                LosesTargets = plans[i].Requests.Any(request => request.LosesTargets),
            };
        }

        return results;
    }

    /// <summary>Metrics of one item from its log probabilities.</summary>
    /// <param name="kind">Kind of the task, not <c>generate</c>.</param>
    /// <param name="scores">One a choice or context; the windows of a text.</param>
    internal static Dictionary<TaskMetric, ItemScore> Measure(
        TaskKind kind,
        TaskItem item,
        IReadOnlyList<RequestScore> scores
    )
    {
        double sum = scores.Sum(score => score.LogProb);
        ItemScore Right(Func<int, double> value) => Count(Largest(scores.Count, value) == item.Gold);
        return kind switch
        {
            TaskKind.Choice or TaskKind.Pair => new()
            {
                [TaskMetric.Acc] = Right(i => scores[i].LogProb),
                [TaskMetric.AccNorm] = Right(i => scores[i].LogProb / item.Choices[i].EnumerateRunes().Count()),
                [TaskMetric.AccBytes] = Right(i => scores[i].LogProb / Encoding.UTF8.GetByteCount(item.Choices[i])),
            },
            TaskKind.ContextChoice => new() { [TaskMetric.Acc] = Right(i => scores[i].LogProb) },
            TaskKind.LastWord => new()
            {
                [TaskMetric.Acc] = Count(scores[0].IsGreedy),
                [TaskMetric.Perplexity] = new(sum),
            },
            TaskKind.Induction => new()
            {
                [TaskMetric.TokenAcc] = new(scores.Average(score => score.IsGreedy ? 1.0 : 0.0)),
                [TaskMetric.Perplexity] = new(sum / scores.Count),
            },
            TaskKind.Perplexity => new()
            {
                [TaskMetric.BitsPerByte] = new(sum, Encoding.UTF8.GetByteCount(item.Counted ?? item.Prompt)),
                [TaskMetric.BytePerplexity] = new(sum, Encoding.UTF8.GetByteCount(item.Counted ?? item.Prompt)),
                [TaskMetric.WordPerplexity] = new(sum, WhiteSpace().Split(item.Counted ?? item.Prompt).Length),
            },
            _ => throw new UnreachableException(),
        };
    }

    private static ItemScore Count(bool isRight) => new(isRight ? 1 : 0);

    // The first of equal ones, as numpy's argmax.
    private static int Largest(int count, Func<int, double> value)
    {
        int best = 0;
        for (int i = 1; i < count; i++)
        {
            if (value(i) > value(best))
            {
                best = i;
            }
        }

        return best;
    }

    private static Planned Plan(TaskModel model, TaskDefinition definition, TaskItem item, FewShotPrompt examples)
    {
        if (definition.Kind == TaskKind.Perplexity)
        {
            return new Planned([("", item.Prompt)], model.Encoder.Rolling(item.Prompt));
        }

        if (definition.Kind == TaskKind.Induction)
        {
            string stretch = model.Tokenizer.Decode([.. item.Stretch]);
            return new Planned([(stretch, stretch)], model.Encoder.Repeated([.. item.Stretch]));
        }

        string before = definition.TakesExamples ? examples.Before(item) : "";
        string delimiter = definition.TargetDelimiter;
        (string, string)[] arguments = definition.Kind switch
        {
            TaskKind.Choice => [.. item.Choices.Select(choice => (before + item.Prompt, delimiter + choice))],
            TaskKind.ContextChoice => [.. item.Contexts.Select(context => (before + context, delimiter + item.Answer))],
            TaskKind.Pair => [.. item.Choices.Select(text => ("", delimiter + text))],
            _ => [(before + item.Prompt, delimiter + item.Answer)],
        };
        return new Planned(arguments, [.. arguments.Select(pair => model.Encoder.Pair(pair.Item1, pair.Item2))]);
    }

    private static ItemResult[] Generated(
        TaskModel model,
        TaskDefinition definition,
        IReadOnlyList<TaskItem> items,
        FewShotPrompt examples,
        Action<int>? progress,
        CancellationToken cancellation
    )
    {
        // A window that the answer alone would fill leaves no room to ask: then half of it is for the prompt.
        int most = Math.Min(definition.MaxTokens, model.Window / 2);
        string[] prompts = [.. items.Select(item => examples.Before(item) + item.Prompt)];
        (int[] Tokens, bool IsCut)[] encoded = [.. prompts.Select(prompt => model.Encoder.Prompt(prompt, most))];
        bool IsOver(int _, IReadOnlyList<int> tokens) =>
            End(model.Tokenizer.Decode([.. tokens]), definition.Until) is not null;
        int[][] added = GreedyBatch.Generate(
            model.Model,
            [.. encoded.Select(prompt => prompt.Tokens)],
            new AnswerLimits(most, model.Tokenizer.EndOfTextId, model.Tokenizer.VocabularySize)
            {
                MoreEnds = model.EndTokens,
                IsOver = definition.Until.Count == 0 ? null : IsOver,
            },
            progress,
            model.Ranks,
            cancellation
        );
        return
        [
            .. items.Select(
                (item, i) => Answered(definition, item, prompts[i], model.Tokenizer.Decode(added[i]), encoded[i].IsCut)
            ),
        ];
    }

    private static ItemResult Answered(TaskDefinition definition, TaskItem item, string prompt, string text, bool isCut)
    {
        if (End(text, definition.Until) is int end)
        {
            text = text[..end];
        }

        string answer = definition.Answer.Extract(text);
        return new ItemResult
        {
            Item = item,
            Arguments = [(prompt, "")],
            Text = text,
            Answer = answer,
            Metrics = new Dictionary<TaskMetric, ItemScore>
            {
                [TaskMetric.ExactMatch] = Count(
                    item.Answers.Any(reference => definition.Answer.AreEqual(answer, reference))
                ),
                [TaskMetric.F1] = new(item.Answers.Max(reference => AnswerText.F1(answer, reference))),
                [TaskMetric.Rouge2] = new(item.Answers.Max(reference => AnswerText.Rouge2(answer, reference))),
            },
            IsCut = isCut,
        };
    }

    private static int? End(string text, IReadOnlyList<string> marks)
    {
        int[] found = [.. marks.Select(mark => text.IndexOf(mark, StringComparison.Ordinal)).Where(at => at >= 0)];
        if (found.Length == 0)
        {
            return null;
        }

        return found.Min();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex WhiteSpace();

    private sealed record Planned(
        IReadOnlyList<(string Context, string Continuation)> Arguments,
        IReadOnlyList<ScoreRequest> Requests
    );
}

/// <summary>What a model made of one item.</summary>
internal sealed record ItemResult
{
    /// <summary>The item.</summary>
    public required TaskItem Item { get; init; }

    /// <summary>What was put to the model: context and continuation of each request.</summary>
    public required IReadOnlyList<(string Context, string Continuation)> Arguments { get; init; }

    /// <summary>Log probabilities; empty of a generated answer.</summary>
    public IReadOnlyList<RequestScore> Scores { get; init; } = [];

    /// <summary>The generated text; null of the other kinds.</summary>
    public string? Text { get; init; }

    /// <summary>The answer taken out of it.</summary>
    public string? Answer { get; init; }

    /// <summary>The item's share in each metric.</summary>
    public required IReadOnlyDictionary<TaskMetric, ItemScore> Metrics { get; init; }

    /// <summary>Whether the beginning was left out because the model knows fewer positions.</summary>
    public bool IsCut { get; init; }

    /// <summary>Whether even a part of what is scored was left out.</summary>
    public bool LosesTargets { get; init; }
}
