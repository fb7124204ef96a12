namespace Saltern.Evaluation;

/// <summary>Two models on the same items.</summary>
/// <param name="Low">Lower end of the 95 % interval of the difference, by bootstrap over pairs.</param>
/// <param name="Test"><c>mcnemar_exact</c> where items score 0 or 1, else <c>paired_bootstrap</c>.</param>
/// <param name="OnlyFirst">Items that only the first has right; null for other scores than 0 and 1.</param>
/// <param name="OnlySecond">Items that only the second has right.</param>
internal sealed record PairedTest(
    TaskMetric Metric,
    double Difference,
    double Low,
    double High,
    double PValue,
    string Test,
    int? OnlyFirst,
    int? OnlySecond
)
{
    /// <summary>Compares.</summary>
    /// <exception cref="ArgumentException">The items are not the same.</exception>
    public static PairedTest Of(TaskMetric metric, IReadOnlyList<ItemResult> first, IReadOnlyList<ItemResult> second)
    {
        if (!first.Select(result => result.Item.Id).SequenceEqual(second.Select(result => result.Item.Id)))
        {
            throw new ArgumentException("The two models did not get the same items.", nameof(second));
        }

        ItemScore[] a = [.. first.Select(result => result.Metrics[metric])];
        ItemScore[] b = [.. second.Select(result => result.Metrics[metric])];
        double[] spread = ItemBootstrap.Values(
            a.Length,
            indices => MetricScore.Over(metric, a, indices) - MetricScore.Over(metric, b, indices)
        );
        (double low, double high) = ItemBootstrap.Middle95(spread);
        double difference = MetricScore.Over(metric, a, null) - MetricScore.Over(metric, b, null);
        if (!TaskMetrics.IsZeroOrOne(metric))
        {
            double tail =
                Math.Min(spread.Count(value => value <= 0), spread.Count(value => value >= 0)) / (double)spread.Length;
            return new PairedTest(metric, difference, low, high, Math.Min(1, 2 * tail), "paired_bootstrap", null, null);
        }

        int onlyFirst = a.Zip(b).Count(pair => pair.First.Value > pair.Second.Value);
        int onlySecond = a.Zip(b).Count(pair => pair.First.Value < pair.Second.Value);
        return new PairedTest(
            metric,
            difference,
            low,
            high,
            McNemar(onlyFirst, onlySecond),
            "mcnemar_exact",
            onlyFirst,
            onlySecond
        );
    }

    /// <summary>Exact two-sided p-value of McNemar's test: twice the smaller tail of a fair coin thrown once for each item on which the two differ, at most 1.</summary>
    /// <param name="onlyFirst">Items that only the first has right.</param>
    /// <param name="onlySecond">Items that only the second has right.</param>
    public static double McNemar(int onlyFirst, int onlySecond)
    {
        int throws = onlyFirst + onlySecond;
        double log = -throws * Math.Log(2);
        double tail = 0; // ln of a binomial coefficient over 2^throws, from 0 on
        for (int k = 0; k <= Math.Min(onlyFirst, onlySecond); k++)
        {
            tail += Math.Exp(log);
            log += Math.Log((throws - k) / (k + 1.0));
        }

        return Math.Min(1, 2 * tail);
    }
}
