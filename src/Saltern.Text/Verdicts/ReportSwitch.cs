using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What soft labels can hurt, before and after the teacher leaves: calibration, and copying as far as a task measured it; each beside the baseline at the same step.</summary>
internal static class ReportSwitch
{
    private static readonly string[] Measures = [MetricNames.ValidCalibrationError, MetricNames.ValidConfidence];

    /// <summary>The section; null where neither was measured, or no teacher left.</summary>
    public static XElement? Section(IReadOnlyList<ReportArm> arms)
    {
        string[] series =
        [
            .. Measures.Concat(TaskSeries(arms)).Where(name => arms[0].Runs[0].Metrics.Series(name).Count > 0),
        ];
        ReportArm[] taught =
        [
            .. arms.Where(arm => arm.Runs.All(run => run.Result.Stage1EndStep is not null && run.HadTeacher)),
        ];
        if (series.Length == 0 || taught.Length == 0)
        {
            return null;
        }

        IEnumerable<string[]> rows =
            from arm in taught
            from moment in MomentsOf(arm)
            select (string[])
                [$"{arm.Label}, {Words(moment)}", .. series.Select(name => Cell(arms[0], arm, name, moment))];
        return Html.Section(
            "Around the switch",
            Html.Table(
                "Mean over seeds at the last evaluation before the teacher leaves, the first one after, "
                    + "and the last one of the run; in brackets the baseline at the same step",
                ["", .. series.Select(MetricNames.Words)],
                rows
            ),
            Html.Element(
                "p",
                "note",
                "Calibration error: 15 bins of the most likely token's probability (arXiv:1706.04599), 0 is best. "
                    + "Confidence: mean of that probability. Tasks: share of items."
            )
        );
    }

    // With the teacher to the end there is nothing after it, and its last evaluation is the run's.
    private static Moment[] MomentsOf(ReportArm arm)
    {
        if (arm.Runs.Any(run => run.Result.Stage1EndStep < run.Result.Steps))
        {
            return [Moment.Before, Moment.After, Moment.End];
        }

        return [Moment.End];
    }

    private enum Moment
    {
        Before,
        After,
        End,
    }

    private static IEnumerable<string> TaskSeries(IReadOnlyList<ReportArm> arms) =>
        arms[0]
            .Runs[0]
            .Result.Tasks.Where(score => score.Metric is "acc" or "exact_match" or "f1")
            .Select(score => MetricNames.Task(score.Task, score.Metric))
            .Distinct();

    private static string Words(Moment moment) =>
        moment switch
        {
            Moment.Before => "before",
            Moment.After => "after",
            _ => "at the end",
        };

    private static string Cell(ReportArm baseline, ReportArm arm, string series, Moment moment)
    {
        var pairs = new List<(double Arm, double Baseline)>();
        foreach (RunRecord run in arm.Runs)
        {
            IReadOnlyList<(int Step, double Value)> own =
                baseline.Runs.FirstOrDefault(one => one.Result.Seed == run.Result.Seed)?.Metrics.Series(series) ?? [];
            IReadOnlyList<(int Step, double Value)> points = run.Metrics.Series(series);
            int? end = run.Result.Stage1EndStep;
            (int Step, double Value)[] at =
            [
                .. moment switch
                {
                    Moment.Before => points.Where(point => point.Step <= end).TakeLast(1),
                    Moment.After => points.Where(point => point.Step > end).Take(1),
                    _ => points.TakeLast(1),
                },
            ];
            if (at is [var point] && own.Where(other => other.Step == point.Step).Take(1).ToArray() is [var beside])
            {
                pairs.Add((point.Value, beside.Value));
            }
        }

        if (pairs.Count == 0)
        {
            return Figures.Absent;
        }

        string mean = Figures.Format(pairs.Average(pair => pair.Arm), "0.000");
        return $"{mean} ({Figures.Format(pairs.Average(pair => pair.Baseline), "0.000")})";
    }
}
