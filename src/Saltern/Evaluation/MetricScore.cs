namespace Saltern.Evaluation;

/// <summary>A metric over the items of a task.</summary>
/// <param name="StandardError">Of a mean sd/√items with items − 1 in sd, as in lm-evaluation-harness; of the others the spread of the bootstrap. Null for a single item.</param>
/// <param name="Low">Lower end of the 95 % interval, by bootstrap over items.</param>
/// <param name="Chance">What guessing gives: the mean of 1/choices, 0 for free answers; null where guessing has no value, as for a perplexity.</param>
/// <param name="Majority">Share of the most frequent right answer where all items have the same choices: what an answer without looking can reach. Null elsewhere.</param>
internal sealed record MetricScore(
    TaskMetric Metric,
    double Value,
    double? StandardError,
    double Low,
    double High,
    double? Chance,
    double? Majority
)
{
    /// <summary>Whether the interval lies above all that needs no understanding; null where there is no chance level.</summary>
    internal bool? IsAboveChance => Chance is double chance ? Low > Math.Max(chance, Majority ?? 0) : null;

    /// <summary>The metric over items.</summary>
    /// <param name="kind">Kind of the task.</param>
    /// <param name="items">Results, at least one.</param>
    internal static MetricScore Of(TaskMetric metric, TaskKind kind, IReadOnlyList<ItemResult> items)
    {
        ItemScore[] scores = [.. items.Select(item => item.Metrics[metric])];
        double value = Over(metric, scores, null);
        double[] spread = ItemBootstrap.Values(scores.Length, indices => Over(metric, scores, indices));
        (double low, double high) = ItemBootstrap.Middle95(spread);
        if (!TaskMetrics.IsHigherBetter(metric))
        {
            double? deviation = scores.Length < 2 ? null : Deviation(spread);
            return new MetricScore(metric, value, deviation, low, high, Chance: null, Majority: null);
        }

        double? error = null;
        if (scores.Length >= 2)
        {
            error = Deviation([.. scores.Select(score => score.Value)]) / Math.Sqrt(scores.Length);
        }

        return new MetricScore(metric, value, error, low, high, ChanceOf(kind, items), MajorityOf(kind, items));
    }

    /// <summary>The metric over some items.</summary>
    /// <param name="indices">Which count, with repetition; null for all once.</param>
    internal static double Over(TaskMetric metric, ItemScore[] scores, int[]? indices)
    {
        double value = 0;
        double weight = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            ItemScore score = scores[indices is null ? i : indices[i]];
            value += score.Value;
            weight += score.Weight;
        }

        return TaskMetrics.Aggregate(metric, value / weight);
    }

    private static double Deviation(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1));
    }

    private static int Options(TaskKind kind, TaskItem item)
    {
        if (kind == TaskKind.ContextChoice)
        {
            return item.Contexts.Count;
        }

        return item.Choices.Count;
    }

    private static bool IsClosed(TaskKind kind) => kind is TaskKind.Choice or TaskKind.ContextChoice or TaskKind.Pair;

    private static double ChanceOf(TaskKind kind, IReadOnlyList<ItemResult> items)
    {
        if (IsClosed(kind))
        {
            return items.Average(result => 1.0 / Options(kind, result.Item));
        }

        return 0;
    }

    private static double? MajorityOf(TaskKind kind, IReadOnlyList<ItemResult> items)
    {
        if (kind == TaskKind.Choice && items.All(result => result.Item.Choices.SequenceEqual(items[0].Item.Choices)))
        {
            return items.CountBy(result => result.Item.Gold).Max(pair => pair.Value) / (double)items.Count;
        }

        return null;
    }
}
