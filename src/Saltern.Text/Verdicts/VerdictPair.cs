using System.Text.Json.Serialization;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>One run beside the baseline of the same seed. Ratios are the run's cost to reach the baseline's final quality over the baseline's own cost to it.</summary>
/// <remarks>
/// Free: what the run itself executed up to the crossing, a live teacher included, the small model that it grew out of left out. Passes: with teacher passes made for a cache or scores, over K students.
/// Charged: with the teacher's training and all that the first weights cost, too, over K; what two of them share is paid once (docs/method.md). Null where the quality is not reached or a cost is not known.
/// </remarks>
public sealed record VerdictPair
{
    /// <summary>The shared seed.</summary>
    public required int Seed { get; init; }

    /// <summary>Name of the run.</summary>
    public required string Run { get; init; }

    /// <summary>Name of the baseline's run.</summary>
    public required string Baseline { get; init; }

    /// <summary>Whether initial weights and data order are the same.</summary>
    public required bool Paired { get; init; }

    /// <summary>Whether the clocks of the two mean anything beside each other.</summary>
    public required bool SecondsComparable { get; init; }

    /// <summary>ℒ*: the baseline's last value on the curve set.</summary>
    public required double Target { get; init; }

    /// <summary>Whether the run reached the target.</summary>
    public required bool Reached { get; init; }

    /// <summary>Whether it stayed there; null where it was not reached.</summary>
    public required bool? Held { get; init; }

    /// <summary>What the run cost up to the target; null where it was not reached.</summary>
    [JsonIgnore]
    public Cost? ToBaseline { get; init; }

    /// <summary>Costs to the target over the baseline's.</summary>
    [JsonIgnore]
    public CostRatios Ratios { get; init; } = new();

    /// <summary>What the whole run cost, over the whole baseline.</summary>
    [JsonIgnore]
    internal CostRatios Whole { get; init; } = new();

    // The file is flat: these are its members, where the code reads the two records above.

    /// <summary>Steps to the target.</summary>
    [JsonInclude]
    internal double? StepsToBaseline => ToBaseline?.Steps;

    /// <summary>Step time to the target, seconds.</summary>
    [JsonInclude]
    internal double? SecondsToBaseline => ToBaseline?.Seconds;

    /// <summary>Arithmetic to the target, FLOPs.</summary>
    [JsonInclude]
    internal double? FlopsToBaseline => ToBaseline?.Flops;

    /// <summary>Steps, over the baseline's.</summary>
    [JsonInclude]
    internal double? StepsRatio => Ratios.Steps?.Mean;

    /// <summary>Seconds, over the baseline's, free.</summary>
    [JsonInclude]
    internal double? SecondsRatio => Ratios.Free.Seconds?.Mean;

    /// <summary>FLOPs, over the baseline's, free.</summary>
    [JsonInclude]
    internal double? FlopsRatio => Ratios.Free.Flops?.Mean;

    /// <summary>Seconds with the teacher passes.</summary>
    [JsonInclude]
    internal double? SecondsRatioPasses => Ratios.WithPasses.Seconds?.Mean;

    /// <summary>FLOPs with the teacher passes.</summary>
    [JsonInclude]
    internal double? FlopsRatioPasses => Ratios.WithPasses.Flops?.Mean;

    /// <summary>Seconds with the teacher passes and the teacher's training.</summary>
    [JsonInclude]
    internal double? SecondsRatioTeacherCharged => Ratios.Charged.Seconds?.Mean;

    /// <summary>FLOPs with the teacher passes and the teacher's training.</summary>
    [JsonInclude]
    internal double? FlopsRatioTeacherCharged => Ratios.Charged.Flops?.Mean;

    /// <summary>Final loss minus the baseline's, nats per token; below 0 is better.</summary>
    public required double FinalLossDifference { get; init; }

    /// <summary>Its standard error by document, nats; null without scores by document.</summary>
    public double? FinalLossDifferenceSe { get; init; }

    /// <summary>Tokens of validation text that a standard error of 0.01 nats takes; null without scores by document.</summary>
    public long? TokensNeeded { get; init; }

    /// <summary>Final accuracy minus the baseline's; above 0 is better; null where not measured.</summary>
    public double? FinalAccuracyDifference { get; init; }

    /// <summary>Final value of the measure that had to be reached, minus the baseline's.</summary>
    public double FinalMetricDifference { get; init; }

    /// <summary>The measure minus the baseline's where both have cost the same FLOPs, everything charged: what the cheaper of the two costs as a whole. Null where a cost is not known, or the small model alone costs more.</summary>
    public double? EqualChargedFlopsDifference { get; init; }

    /// <summary>Compares two runs of one seed.</summary>
    /// <exception cref="DataFormatException">Different data, different validation documents, or no evaluations.</exception>
    internal static VerdictPair Of(RunRecord baseline, RunRecord run, VerdictMetric metric, int studentsServed)
    {
        RequireSameData(baseline.Result, run.Result);
        IReadOnlyList<CurvePoint> baselineCurve = baseline.Curve(metric);
        double target = baselineCurve[^1].Value;
        Crossing own = Crossing.Find(baselineCurve, target, metric)!;
        Crossing? reached = Crossing.Find(run.Curve(metric), target, metric);
        PairedStandardError? error = PairedStandardError.Compute(run.Documents, baseline.Documents);

        return new VerdictPair
        {
            Seed = run.Result.Seed,
            Run = run.Result.Name,
            Baseline = baseline.Result.Name,
            Paired = SameStart(baseline, run),
            SecondsComparable = SameClock(baseline.Result, run.Result),
            Target = target,
            Reached = reached is not null,
            Held = reached?.Held,
            ToBaseline = reached?.Cost,
            Ratios = RatiosOf(
                SmallModelCost.Of(run),
                reached?.Cost,
                SmallModelCost.Of(baseline),
                own.Cost,
                studentsServed
            ),
            Whole = RatiosOf(
                SmallModelCost.Of(run),
                Cost.Of(run.Curve(metric)[^1]),
                SmallModelCost.Of(baseline),
                Cost.Of(baselineCurve[^1]),
                studentsServed
            ),
            FinalLossDifference = run.FinalLoss - baseline.FinalLoss,
            FinalMetricDifference = run.FinalOf(metric) - baseline.FinalOf(metric),
            EqualChargedFlopsDifference = EqualCost.Difference(baseline, run, metric, studentsServed),
            FinalLossDifferenceSe = error?.StandardError,
            TokensNeeded = error?.TokensNeeded,
            FinalAccuracyDifference = run.FinalAccuracy - baseline.FinalAccuracy,
        };
    }

    private static CostRatios RatiosOf(
        SmallModelCost small,
        Cost? cost,
        SmallModelCost smallOfBaseline,
        Cost own,
        int studentsServed
    )
    {
        if (cost is null)
        {
            return new CostRatios();
        }

        CostRatio Of(Func<SmallModelCost, Cost, AncestorCost> costOf)
        {
            AncestorCost mine = costOf(small, cost);
            AncestorCost baselines = costOf(smallOfBaseline, own);
            return new CostRatio(
                CostRatio.Of(mine.Seconds, baselines.Seconds),
                CostRatio.Of(mine.Flops, baselines.Flops)
            );
        }

        return new CostRatios
        {
            Steps = CostRatio.Of(cost.Steps, own.Steps),
            Free = Of((of, run) => of.Free(run)),
            WithPasses = Of((of, run) => of.WithPasses(run, studentsServed)),
            Charged = Of((of, run) => of.Charged(run, studentsServed)),
        };
    }

    private static void RequireSameData(RunResult baseline, RunResult run)
    {
        if (baseline.DataFingerprint is { } expected && run.DataFingerprint is { } found && expected != found)
        {
            throw new DataFormatException(
                $"Run '{run.Name}' was trained on data {found}, its baseline '{baseline.Name}' on {expected}. "
                    + "Only runs on the same data compare; train one of them again."
            );
        }
    }

    // A model that grows has other first weights by nature: what is paired is the order of the samples.
    private static bool SameStart(RunRecord one, RunRecord other)
    {
        (RunResult a, RunResult b) = (one.Result, other.Result);
        bool grows = one.Grew || other.Grew;
        bool sameWeights =
            a.InitialWeightsFingerprint is not null && a.InitialWeightsFingerprint == b.InitialWeightsFingerprint;
        return (grows || sameWeights) && a.OrderFingerprint is not null && a.OrderFingerprint == b.OrderFingerprint;
    }

    /// <summary>Each alone, or in turns with each other, on the same machine with the same threads.</summary>
    private static bool SameClock(RunResult a, RunResult b)
    {
        bool alone = a.InterleavedWith.Count == 0 && b.InterleavedWith.Count == 0;
        bool inTurns = a.InterleavedWith.Contains(b.Name) || b.InterleavedWith.Contains(a.Name);
        bool sameMachine =
            a.Machine.Processor == b.Machine.Processor
            && a.Machine.Cores == b.Machine.Cores
            && a.Machine.Threads == b.Machine.Threads
            && a.Machine.Products == b.Machine.Products;
        return a.SecondsComparable && b.SecondsComparable && (alone || inTurns) && sameMachine;
    }
}
