using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Watch;

/// <summary>A run beside the baseline of its seed while one or both still run: the gap at the same step, and what it may save.</summary>
/// <remarks>The judgement itself, with seconds, the teacher charged and intervals, is that of <see cref="Verdict"/>, after the runs.</remarks>
public sealed record Comparison
{
    /// <summary>The run without a teacher.</summary>
    public required RunView Baseline { get; init; }

    /// <summary>The run with one.</summary>
    public required RunView Run { get; init; }

    /// <summary>The run's validation loss minus the baseline's at the same step, nats per token; below 0 is better.</summary>
    public required IReadOnlyList<(int Step, double Value)> Gap { get; init; }

    /// <summary>ℒ*: the baseline's last loss on the curve set; null while it runs.</summary>
    public double? Target { get; init; }

    /// <summary>Where the run reached ℒ*; null where it has not.</summary>
    internal Crossing? Reached { get; init; }

    /// <summary>Where it would reach ℒ* if the last gap lasted, in steps; null where it has reached it, where the gap is not in its favour, or while the baseline runs.</summary>
    public double? ProjectedSteps { get; init; }

    /// <summary>The baseline's own steps to ℒ*.</summary>
    public double? BaselineSteps { get; init; }

    /// <summary>Steps saved, as a share of the baseline's; null where neither reached nor projected.</summary>
    public double? StepsSaved => 1 - (Reached?.Steps ?? ProjectedSteps) / BaselineSteps;

    /// <summary>Arithmetic saved, as a share of the baseline's, the live teacher's included and its training not; null before ℒ* is reached.</summary>
    public double? FlopsSaved { get; init; }

    /// <summary>Whether a teacher still shapes the loss: what it leads by then mostly goes when it leaves (docs/method.md).</summary>
    public bool TeacherStillOn =>
        Run.State != RunState.Finished && Run.SwitchStep is null && Run.Last(MetricNames.TeacherWeight) is not 0;

    /// <summary>Pairs each run with a teacher with the baseline of its seed: of several that with the most planned steps.</summary>
    public static IReadOnlyList<Comparison> Of(IReadOnlyList<RunView> runs) =>
        [
            .. from run in runs
            where run.HadSmallModel && run.Curve.Count > 0
            let baseline = runs.Where(other => !other.HadSmallModel && other.Seed == run.Seed && other.Curve.Count > 0)
                .MaxBy(other => other.PlannedSteps)
            where baseline is not null
            select Of(baseline, run),
        ];

    /// <summary>Compares two runs; both have been evaluated.</summary>
    public static Comparison Of(RunView baseline, RunView run)
    {
        Dictionary<int, double> own = baseline.Curve.ToDictionary(point => point.Step, point => point.Value);
        List<(int Step, double Value)> gap =
        [
            .. run
                .Curve.Where(point => own.ContainsKey(point.Step))
                .Select(point => (point.Step, point.Value - own[point.Step])),
        ];
        var comparison = new Comparison
        {
            Baseline = baseline,
            Run = run,
            Gap = gap,
        };
        if (baseline.State != RunState.Finished)
        {
            return comparison;
        }

        double target = baseline.Curve[^1].Value;
        Crossing? reached = Crossing.Find(run.Curve, target);
        Crossing? baselineCrossing = Crossing.Find(baseline.Curve, target);
        return comparison with
        {
            Target = target,
            Reached = reached,
            BaselineSteps = baselineCrossing?.Steps,
            ProjectedSteps = reached is null ? Projected(baseline, run, gap, target) : null,
            FlopsSaved = 1 - ((reached?.Flops + CostBefore(run)) / baselineCrossing?.Flops),
        };
    }

    // What the run's first weights had cost; null while that is not known.
    private static double? CostBefore(RunView run)
    {
        if (run.Result is RunResult result)
        {
            return AncestorCost.Of(result.Origin).Flops;
        }

        return run.StartsFromAModel ? null : 0;
    }

    private static double? Projected(
        RunView baseline,
        RunView run,
        IReadOnlyList<(int Step, double Value)> gap,
        double target
    )
    {
        if (run.State != RunState.Finished && gap is [.., { Value: < 0 } now])
        {
            return Project(baseline.Curve, now, target);
        }

        return null;
    }

    /// <summary>The baseline's curve from now on, lowered by the gap, crosses the target.</summary>
    private static double? Project(IReadOnlyList<CurvePoint> baseline, (int Step, double Value) gap, double target) =>
        Crossing
            .Find(
                [
                    .. baseline
                        .Where(point => point.Step >= gap.Step)
                        .Select(point => point with { Value = point.Value + gap.Value }),
                ],
                target
            )
            ?.Steps;
}
