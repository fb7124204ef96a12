namespace Saltern.Planning;

/// <summary>A plain step on some number of ranks and one network.</summary>
/// <param name="NetworkGbit">Bandwidth of one rank, Gbit/s.</param>
/// <param name="StepSeconds">A step of the student alone.</param>
/// <param name="Efficiency">Time of one rank over R times this time, in (0, 1].</param>
internal sealed record ScalingPoint(int Ranks, double NetworkGbit, double StepSeconds, double Efficiency);

/// <summary>How a recipe's step gets faster with more ranks of a described machine: the global batch stays what it is.</summary>
internal static class ScalingPlan
{
    private const int MostRanks = 1_024;
    private static readonly double[] Networks = [10, 100, 400];

    /// <summary>Reckons 1, 2, 4, … 1,024 ranks, as far as the batch has a sequence for each, at 10, 100 and 400 Gbit/s.</summary>
    /// <param name="batchSequences">S, which the ranks share.</param>
    /// <param name="cluster">Peak, utilisation, latency; its ranks and bandwidth are not used.</param>
    public static IReadOnlyList<ScalingPoint> Of(
        CostPlan cost,
        long parameters,
        int batchSequences,
        ClusterConfig cluster
    )
    {
        double one = TimePlan.PlainStepSeconds(cost, parameters, batchSequences, cluster with { Ranks = 1 });
        return
        [
            .. from gbit in Networks
            from ranks in Enumerable
                .Range(0, 11)
                .Select(power => 1 << power)
                .Where(ranks => ranks <= Math.Min(batchSequences, MostRanks))
            let seconds = TimePlan.PlainStepSeconds(
                cost,
                parameters,
                batchSequences,
                cluster with
                {
                    Ranks = ranks,
                    NetworkGbit = gbit,
                }
            )
            select new ScalingPoint(ranks, gbit, seconds, one / (ranks * seconds)),
        ];
    }
}
