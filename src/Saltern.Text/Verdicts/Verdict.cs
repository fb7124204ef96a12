using System.Text.Json;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a set of runs shows against the baseline: time to the baseline's final quality, paired by seed, free and charged (docs/method.md).</summary>
public sealed record Verdict
{
    /// <summary>Name and version of the JSON layout.</summary>
    internal const string CurrentSchema = "saltern.verdict/1";

    /// <summary>Name and version of the JSON layout.</summary>
    public string Schema { get; init; } = CurrentSchema;

    /// <summary>The measure that had to be reached.</summary>
    public required VerdictMetric Metric { get; init; }

    /// <summary>K: students over which a teacher's cost is shared.</summary>
    public required int StudentsServed { get; init; }

    /// <summary>Seeds of the baseline.</summary>
    public required IReadOnlyList<int> Seeds { get; init; }

    /// <summary>Whether the clocks of all runs may be compared; of each arm its own <see cref="VerdictRun.SecondsComparable"/> says it.</summary>
    public required bool SecondsComparable { get; init; }

    /// <summary>Whether any run ended before its planned steps.</summary>
    public required bool Truncated { get; init; }

    /// <summary>The runs without the method.</summary>
    public required VerdictBaseline Baseline { get; init; }

    /// <summary>The others, by arm.</summary>
    public required IReadOnlyList<VerdictRun> Runs { get; init; }

    /// <summary>What a reader has to know before believing the numbers.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Compares runs with baselines of the same seeds.</summary>
    /// <param name="baselines">The baseline, one run a seed.</param>
    /// <param name="others">All other runs; those of one arm are paired by seed.</param>
    /// <param name="metric">The measure that has to be reached; null for the loss.</param>
    /// <param name="studentsServed">K, at least 1: the teacher's cost counts by its K-th part.</param>
    /// <exception cref="DataFormatException">No runs, no common seed, a seed twice, different data, or a run without evaluations.</exception>
    public static Verdict Compute(
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others,
        VerdictMetric? metric = null,
        int studentsServed = 1
    )
    {
        ArgumentNullException.ThrowIfNull(baselines);
        ArgumentNullException.ThrowIfNull(others);
        ArgumentOutOfRangeException.ThrowIfLessThan(studentsServed, 1);
        metric ??= VerdictMetric.Loss;
        IReadOnlyList<RunGroup> baselineGroups = RunGroup.Split(baselines);
        if (baselineGroups.Count != 1 || others.Count == 0)
        {
            throw new DataFormatException(
                $"{baselineGroups.Count} baselines and {others.Count} other runs: "
                    + "a verdict needs one baseline (one run a seed) and at least one other run."
            );
        }

        RunGroup baseline = baselineGroups[0];
        List<string> warnings = [];
        List<VerdictRun> runs =
        [
            .. RunGroup.Split(others).Select(arm => VerdictRun.Of(baseline, arm, metric, studentsServed, warnings)),
        ];
        warnings =
        [
            .. VerdictWarnings.Grouped(warnings, runs.Select(run => run.Label)),
            .. VerdictWarnings.OfAll(runs),
        ];
        RunRecord[] all = [.. baselines, .. others];
        warnings.AddRange(
            all.Where(run => !run.Finished)
                .Select(run =>
                    $"Run '{run.Result.Name}' is not finished: its last evaluation stands for its final loss."
                )
        );
        return new Verdict
        {
            Metric = metric,
            StudentsServed = studentsServed,
            Seeds = baseline.Seeds,
            SecondsComparable = runs.All(run => run.SecondsComparable),
            Truncated = all.Any(run => run.Result.Truncated),
            Baseline = VerdictBaseline.Of(baseline, metric),
            Runs = runs,
            Warnings = warnings,
        };
    }

    /// <summary>The verdict as JSON, indented; numbers in nats, seconds and FLOPs, null where not reached or not known.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ReportJson.Options);
}

/// <summary>The baseline of a verdict; means over its seeds.</summary>
public sealed record VerdictBaseline
{
    /// <summary>Name of the run, or of the arm where there are several.</summary>
    public required string Name { get; init; }

    /// <summary>Its name in sentences.</summary>
    public required string Label { get; init; }

    /// <summary>Loss after the last step on the whole validation set, nats per token.</summary>
    public required double FinalLoss { get; init; }

    /// <summary>Accuracy after the last step, in [0, 1]; null where not measured.</summary>
    public required double? FinalAccuracy { get; init; }

    /// <summary>ℒ*: its last value on the curve set, which the others have to reach.</summary>
    public required double Target { get; init; }

    /// <summary>Steps done.</summary>
    public required double Steps { get; init; }

    /// <summary>Step time, seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>Arithmetic, FLOPs.</summary>
    public required double Flops { get; init; }

    /// <summary>Steps that were planned.</summary>
    public required double PlannedSteps { get; init; }

    internal static VerdictBaseline Of(RunGroup group, VerdictMetric metric) =>
        new()
        {
            Name = group.Name,
            Label = group.Label,
            FinalLoss = group.Runs.Average(run => run.FinalLoss),
            FinalAccuracy = group.Runs.Average(run => run.FinalAccuracy),
            Target = group.Runs.Average(run => run.Curve(metric)[^1].Value),
            Steps = group.Runs.Average(run => run.Result.Steps),
            Seconds = group.Runs.Average(run => run.Result.Seconds),
            Flops = group.Runs.Average(run => run.Result.Flops),
            PlannedSteps = group.Runs.Average(run => run.Result.PlannedSteps),
        };
}
