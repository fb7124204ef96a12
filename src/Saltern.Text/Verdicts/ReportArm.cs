using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>One arm as the report shows it; index 0 is the baseline.</summary>
/// <param name="Index">Place in the verdict; identifiers in the page.</param>
/// <param name="Runs">Its runs, by seed.</param>
/// <param name="Verdict">What was found; null for the baseline.</param>
internal sealed record ReportArm(int Index, string Label, IReadOnlyList<RunRecord> Runs, VerdictRun? Verdict)
{
    /// <summary>Which colour and dashes, the same in all plots and in every report that the arm is in.</summary>
    public int Look { get; init; } = Index;

    /// <summary>The arms in the order of the verdict.</summary>
    /// <exception cref="DataFormatException">The runs are not those of the verdict.</exception>
    public static IReadOnlyList<ReportArm> Of(
        Verdict verdict,
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others
    )
    {
        IReadOnlyList<RunGroup> groups = RunGroup.Split(others);
        IReadOnlyList<RunGroup> baseline = RunGroup.Split(baselines);
        if (
            baseline.Count != 1
            || !groups.Select(group => group.Label).SequenceEqual(verdict.Runs.Select(run => run.Label))
        )
        {
            throw new DataFormatException(
                "The runs given are not those of the verdict. Give the report the same runs, in the same order, as Verdict.Compute."
            );
        }

        List<ReportArm> arms = [new ReportArm(0, baseline[0].Label, baseline[0].Runs, null)];
        IReadOnlyDictionary<string, int> looks = ArmLooks.Of([.. groups.Select(group => group.Label)]);
        arms.AddRange(groups.Select((group, i) => Of(i + 1, looks[group.Label], group, verdict.Runs[i])));
        return arms;
    }

    /// <summary>Arms of which none is the baseline.</summary>
    public static IReadOnlyList<ReportArm> Of(IReadOnlyList<RunRecord> runs)
    {
        IReadOnlyList<RunGroup> groups = RunGroup.Split(runs);
        IReadOnlyDictionary<string, int> looks = ArmLooks.Of([.. groups.Select(group => group.Label)]);
        return
        [
            .. groups.Select(
                (group, i) => new ReportArm(i + 1, group.Label, group.Runs, null) { Look = looks[group.Label] }
            ),
        ];
    }

    // Seeds without a baseline are not in the verdict, so not in what stands beside it either.
    private static ReportArm Of(int index, int look, RunGroup group, VerdictRun run) =>
        new(index, group.Label, [.. group.Runs.Where(one => run.Seeds.Contains(one.Result.Seed))], run) { Look = look };

    /// <summary>A run's name in a table: the arm's, with the seed where there are several.</summary>
    public string TitleOf(RunRecord run)
    {
        if (Runs.Count == 1)
        {
            return Label;
        }

        return $"{Label}, seed {run.Result.Seed}";
    }

    /// <summary>Mean over the runs at the steps that all of them evaluated; the run itself where there is one.</summary>
    public IReadOnlyList<(int Step, double Value)> Mean(VerdictMetric metric) =>
        [
            .. Runs.SelectMany(run => run.Curve(metric))
                .GroupBy(point => point.Step)
                .Where(step => step.Count() == Runs.Count)
                .OrderBy(step => step.Key)
                .Select(step => (step.Key, step.Average(point => point.Value))),
        ];
}
