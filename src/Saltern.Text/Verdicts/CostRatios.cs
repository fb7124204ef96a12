namespace Saltern.Verdicts;

/// <summary>Cost to reach the baseline's final quality over the baseline's own cost to it: below 1 is a saving.</summary>
/// <remarks>Of one pair of runs, or the geometric means over pairs with their intervals. Null where the quality was not reached or a cost is not known.</remarks>
public sealed record CostRatios
{
    /// <summary>Steps.</summary>
    public PairedInterval? Steps { get; init; }

    /// <summary>What the run itself executed, a live teacher included.</summary>
    public CostRatio Free { get; init; } = CostRatio.Unknown;

    /// <summary>With the teacher passes for a cache or scores, over the students served.</summary>
    public CostRatio WithPasses { get; init; } = CostRatio.Unknown;

    /// <summary>With those passes and the teacher's own training, over the students served.</summary>
    public CostRatio Charged { get; init; } = CostRatio.Unknown;

    /// <summary>Geometric means over pairs.</summary>
    internal static CostRatios Mean(IReadOnlyList<CostRatios> pairs) =>
        new()
        {
            Steps = CostRatio.MeanOf([.. pairs.Select(pair => pair.Steps)]),
            Free = CostRatio.Mean([.. pairs.Select(pair => pair.Free)]),
            WithPasses = CostRatio.Mean([.. pairs.Select(pair => pair.WithPasses)]),
            Charged = CostRatio.Mean([.. pairs.Select(pair => pair.Charged)]),
        };
}

/// <summary>A ratio of costs by the clock and by arithmetic.</summary>
/// <param name="Seconds">Step time over the baseline's.</param>
/// <param name="Flops">FLOPs over the baseline's.</param>
public sealed record CostRatio(PairedInterval? Seconds, PairedInterval? Flops)
{
    /// <summary>Neither is known.</summary>
    internal static CostRatio Unknown { get; } = new(null, null);

    internal static CostRatio Mean(IReadOnlyList<CostRatio> pairs) =>
        new(MeanOf([.. pairs.Select(pair => pair.Seconds)]), MeanOf([.. pairs.Select(pair => pair.Flops)]));

    /// <summary>Geometric mean; null where one of the ratios is.</summary>
    internal static PairedInterval? MeanOf(IReadOnlyList<PairedInterval?> ratios)
    {
        double[] known = [.. ratios.OfType<PairedInterval>().Select(ratio => ratio.Mean)];
        if (known.Length < ratios.Count)
        {
            return null;
        }

        return PairedInterval.OfRatios(known);
    }

    /// <summary>The ratio of one pair; null where a cost is not known or is nothing.</summary>
    internal static PairedInterval? Of(double? cost, double? baselineCost)
    {
        if (cost > 0 && baselineCost > 0)
        {
            return new PairedInterval(cost.Value / baselineCost.Value, null, null, 1);
        }

        return null;
    }
}
