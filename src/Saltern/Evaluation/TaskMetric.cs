using System.Text.Json;

namespace Saltern.Evaluation;

/// <summary>What a task measures; the names are lm-evaluation-harness's.</summary>
internal enum TaskMetric
{
    /// <summary>Share of items with the largest log p on the right choice; of a last word, whether greedy decoding gives it.</summary>
    Acc,

    /// <summary>The same after division by the choice's length in characters.</summary>
    AccNorm,

    /// <summary>The same after division by the choice's length in UTF-8 bytes.</summary>
    AccBytes,

    /// <summary>Share of tokens that greedy decoding gives.</summary>
    TokenAcc,

    /// <summary>exp(−mean log p of the answers; of a stretch of tokens, of each).</summary>
    Perplexity,

    /// <summary>exp(−Σ log p / Σ words), words being what white space separates.</summary>
    WordPerplexity,

    /// <summary>exp(−Σ log p / Σ UTF-8 bytes).</summary>
    BytePerplexity,

    /// <summary>−Σ log p / (ln 2 · Σ UTF-8 bytes).</summary>
    BitsPerByte,

    /// <summary>Share of generated answers equal to a reference, after the task's rules.</summary>
    ExactMatch,

    /// <summary>Token F1 of SQuAD, the best over the references.</summary>
    F1,

    /// <summary>F-measure of shared word pairs, the best over the references.</summary>
    Rouge2,
}

/// <summary>One item's share in a metric: the metric is a function of Σ value / Σ weight.</summary>
/// <param name="Value">A score, or a log probability.</param>
/// <param name="Weight">1, or the words or bytes that the log probability is of.</param>
internal readonly record struct ItemScore(double Value, double Weight = 1);

/// <summary>What belongs to each metric.</summary>
internal static class TaskMetrics
{
    /// <summary>Name in files and tables.</summary>
    public static string NameOf(TaskMetric metric) => JsonNamingPolicy.SnakeCaseLower.ConvertName(metric.ToString());

    /// <summary>Whether more is better.</summary>
    public static bool IsHigherBetter(TaskMetric metric) =>
        metric
            is not (
                TaskMetric.Perplexity
                or TaskMetric.WordPerplexity
                or TaskMetric.BytePerplexity
                or TaskMetric.BitsPerByte
            );

    /// <summary>Whether items score 0 or 1.</summary>
    public static bool IsZeroOrOne(TaskMetric metric) =>
        metric is TaskMetric.Acc or TaskMetric.AccNorm or TaskMetric.AccBytes or TaskMetric.ExactMatch;

    /// <summary>The metric from Σ value / Σ weight.</summary>
    public static double Aggregate(TaskMetric metric, double ratio) =>
        metric switch
        {
            TaskMetric.Perplexity or TaskMetric.WordPerplexity or TaskMetric.BytePerplexity => Math.Exp(-ratio),
            TaskMetric.BitsPerByte => -ratio / Math.Log(2),
            _ => ratio,
        };

    /// <summary>Metrics that a kind of task gives.</summary>
    public static IReadOnlyList<TaskMetric> Of(TaskKind kind) =>
        kind switch
        {
            TaskKind.Choice or TaskKind.Pair => [TaskMetric.Acc, TaskMetric.AccNorm, TaskMetric.AccBytes],
            TaskKind.ContextChoice => [TaskMetric.Acc],
            TaskKind.LastWord => [TaskMetric.Acc, TaskMetric.Perplexity],
            TaskKind.Generate => [TaskMetric.ExactMatch, TaskMetric.F1, TaskMetric.Rouge2],
            TaskKind.Induction => [TaskMetric.TokenAcc, TaskMetric.Perplexity],
            _ => [TaskMetric.BitsPerByte, TaskMetric.BytePerplexity, TaskMetric.WordPerplexity],
        };
}
