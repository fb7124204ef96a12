// Seconds of a planned run: from steps measured on this machine, or from a described one by peak, utilisation and the α–β model of docs/scaling.md.
using Saltern.Runs;

namespace Saltern.Planning;

/// <summary>Time, energy and money of a run.</summary>
internal sealed record TimePlan
{
    /// <summary>Where the speed comes from.</summary>
    public required string Source { get; init; }

    /// <summary>A step of the student alone, seconds.</summary>
    public required double PlainStep { get; init; }

    /// <summary>A step with the teacher, seconds; null without one.</summary>
    public required double? TaughtStep { get; init; }

    /// <summary>The whole run with its evaluations, seconds.</summary>
    public required double Run { get; init; }

    /// <summary>BASELINE with as many steps, seconds.</summary>
    public required double Baseline { get; init; }

    /// <summary>Part of a plain step that waits for the network; null on one rank.</summary>
    public double? NetworkShare { get; init; }

    /// <summary>Processor time of the run, seconds: that of its steps and evaluations, and of starting it; null for a described machine. Other programs on the machine hardly change it.</summary>
    public double? ProcessorSeconds { get; init; }

    /// <summary>Peak of matrix products while the steps were measured, GFLOP/s; null for a described machine.</summary>
    public double? MatmulPeakGflops { get; init; }

    /// <summary>Whether the memory of one rank is enough; null where that is not known.</summary>
    public bool? Fits { get; init; }

    /// <summary>Energy of the run, kWh; null where no power is given.</summary>
    public double? EnergyKwh { get; init; }

    /// <summary>Price of energy and rent; null where no price is given.</summary>
    public double? Price { get; init; }

    /// <summary>Its unit.</summary>
    public string? Currency { get; init; }

    /// <summary>From a measurement of the recipe's own steps here.</summary>
    /// <param name="prices">Power and prices; null for none.</param>
    public static TimePlan Measured(
        RunConfig recipe,
        CostPlan cost,
        MemoryPlan memory,
        BenchmarkResult measured,
        ClusterConfig? prices
    )
    {
        double plain = measured.Plain.StepSeconds;
        double taught = measured.Distilling?.StepSeconds ?? plain;
        double plainProcessor = measured.Plain.ProcessorSeconds;
        double taughtProcessor = measured.Distilling?.ProcessorSeconds ?? plainProcessor;
        double evaluationCount =
            ((double)recipe.Training.Steps / recipe.Training.EvaluateEvery)
            + ((double)recipe.Training.FinalEvaluationTokens / recipe.Training.EvaluationTokens);
        double evaluations = measured.EvaluationSeconds * evaluationCount;
        double saved = measured.SmallStages.Sum(stage => stage.Steps * (plain - stage.Phase.StepSeconds));
        double savedProcessor = measured.SmallStages.Sum(stage =>
            stage.Steps * (plainProcessor - stage.Phase.ProcessorSeconds)
        );
        double run = (cost.TaughtSteps * taught) + ((cost.Steps - cost.TaughtSteps) * plain) - saved + evaluations;
        var plan = new TimePlan
        {
            Source =
                $"measured here: {measured.Machine.Threads} of {measured.Machine.Cores} threads of {measured.Machine.Processor}",
            PlainStep = plain,
            TaughtStep = measured.Distilling?.StepSeconds,
            Run = run,
            Baseline = (cost.Steps * plain) + evaluations,
            ProcessorSeconds =
                (cost.TaughtSteps * taughtProcessor)
                + ((cost.Steps - cost.TaughtSteps) * plainProcessor)
                - savedProcessor
                + (evaluationCount * measured.EvaluationProcessorSeconds)
                + measured.OverheadProcessorSeconds,
            MatmulPeakGflops = measured.Machine.MatmulPeakGflops,
            Fits = memory.Bytes < GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        };
        if (prices is null)
        {
            return plan;
        }

        return plan.Priced(prices);
    }

    /// <summary>From a described machine.</summary>
    /// <param name="memory">Its memory, reckoned for the machine's ranks.</param>
    /// <param name="parameters">Of the student: its gradients are what ranks exchange.</param>
    /// <param name="batchSequences">S, which the ranks share: the one with the largest part is waited for.</param>
    /// <exception cref="ConfigurationException">There are more ranks than sequences in a batch.</exception>
    public static TimePlan Described(
        CostPlan cost,
        MemoryPlan memory,
        long parameters,
        int batchSequences,
        ClusterConfig cluster
    )
    {
        double speed = cluster.Ranks * cluster.PeakFlops * cluster.Utilisation;
        double plain = PlainStepSeconds(cost, parameters, batchSequences, cluster);
        double exchange = ExchangeSeconds(parameters, cluster);
        double taught =
            plain
            + (LargestShare(batchSequences, cluster) * cost.TeacherStep / (cluster.PeakFlops * cluster.Utilisation));
        double evaluations = cost.Evaluation / speed;

        // A smaller model's step waits for the network in proportion to its arithmetic, which is a little too much.
        double saved = cost.SmallStages.Sum(stage => stage.Steps * plain * (1 - (stage.StepFlops / cost.StudentStep)));
        return new TimePlan
        {
            Source =
                $"described: {cluster.Name}, {cluster.Ranks} x {cluster.PeakFlops:g3} FLOP/s at {100 * cluster.Utilisation:0} %",
            PlainStep = plain,
            TaughtStep = cost.TeacherTraining is null ? null : taught,
            Run = (cost.TaughtSteps * taught) + ((cost.Steps - cost.TaughtSteps) * plain) - saved + evaluations,
            Baseline = (cost.Steps * plain) + evaluations,
            NetworkShare = cluster.Ranks > 1 ? exchange / plain : null,
            Fits = Fitting(memory.Bytes, cluster.MemoryGib),
        }.Priced(cluster);
    }

    /// <summary>A step of the student alone on a described machine, seconds; every rank makes the whole update, as without a sharded state.</summary>
    internal static double PlainStepSeconds(
        CostPlan cost,
        long parameters,
        int batchSequences,
        ClusterConfig cluster
    ) =>
        (
            ((LargestShare(batchSequences, cluster) * cost.StudentStep) + cost.OptimizerStep)
            / (cluster.PeakFlops * cluster.Utilisation)
        ) + ExchangeSeconds(parameters, cluster);

    /// <summary>Seconds that a step waits for the network; 0 where there is one rank or no network is given.</summary>
    /// <param name="parameters">Gradients, four bytes each.</param>
    public static double ExchangeSeconds(long parameters, ClusterConfig cluster) =>
        (NetworkModel.Of(cluster)?.Step(parameters, cluster.Ranks) ?? 0) * (1 - cluster.NetworkOverlap);

    private static bool? Fitting(long bytes, double? gib)
    {
        if (gib is null)
        {
            return null;
        }

        return bytes <= gib * (1L << 30);
    }

    // Of a batch, the rank with the most sequences: ⌈S/R⌉/S.
    private static double LargestShare(int batchSequences, ClusterConfig cluster)
    {
        if (cluster.Ranks <= batchSequences)
        {
            return ((batchSequences + cluster.Ranks - 1) / cluster.Ranks) / (double)batchSequences;
        }

        throw new ConfigurationException(
            $"ranks = {cluster.Ranks} is more than training.batch_sequences = {batchSequences}: "
                + "each rank needs a sequence of its own. Describe fewer ranks, or plan a larger batch."
        );
    }

    private TimePlan Priced(ClusterConfig prices)
    {
        double hours = Run / 3_600;
        double? energy = prices.Watts * prices.Ranks * hours / 1_000;
        if (prices.PricePerKwh is null && prices.PricePerRankHour is null)
        {
            return this with { EnergyKwh = energy };
        }

        return this with
        {
            EnergyKwh = energy,
            Price = ((energy * prices.PricePerKwh) ?? 0) + ((prices.PricePerRankHour * prices.Ranks * hours) ?? 0),
            Currency = prices.Currency,
        };
    }
}
