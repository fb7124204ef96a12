using System.Xml.Linq;
using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>Where an arm wins: its loss minus the baseline's on easy, medium and hard tokens, along the run and at its end.</summary>
internal static class ReportDifficulty
{
    // Early differences are ten times the later ones; the same cut as the picture of the losses.
    private const double ShareBeforeAxis = LossPlot.ShareBeforeAxis;

    private const int MostRows = 40;

    /// <summary>The section; null where nobody measured by difficulty.</summary>
    public static XElement? Section(IReadOnlyList<ReportArm> arms)
    {
        ReportArm[] measured =
        [
            .. arms.Skip(1).Where(arm => Differences(arms[0], arm, MetricNames.Buckets[0]).Count > 0),
        ];
        if (measured.Length == 0)
        {
            return null;
        }

        return Html.Section(
            "By difficulty",
            Html.Element(
                "p",
                "note",
                "Tokens are sorted by the teacher's own loss into three parts of equal size (on training text). "
                    + "Students are compared with students: the teacher itself looks too good on easy tokens "
                    + "and too bad on hard ones by construction."
            ),
            Finals(arms[0], measured),
            AlongTheRun([.. measured.Select(arm => Curves(arms[0], arm))])
        );
    }

    private static XElement AlongTheRun(XElement[] curves)
    {
        if (curves.Length > ReportOverview.MostArmsInFull)
        {
            return Html.Details("Along the run, arm by arm", [.. curves]);
        }

        return Html.Element("div", "", [.. curves]);
    }

    /// <summary>Mean over seeds of the arm's value minus the baseline's at the steps that both evaluated.</summary>
    internal static IReadOnlyList<(int Step, double Value)> Differences(
        ReportArm baseline,
        ReportArm arm,
        string bucket
    )
    {
        string series = MetricNames.BucketLoss(bucket);
        var all = new List<(int Step, double Value)>();
        int pairs = 0;
        foreach (RunRecord run in arm.Runs)
        {
            if (baseline.Runs.FirstOrDefault(one => one.Result.Seed == run.Result.Seed) is RunRecord own)
            {
                Dictionary<int, double> values = own
                    .Metrics.Series(series)
                    .ToDictionary(point => point.Step, point => point.Value);
                all.AddRange(
                    run.Metrics.Series(series)
                        .Where(point => values.ContainsKey(point.Step))
                        .Select(point => (point.Step, point.Value - values[point.Step]))
                );
                pairs++;
            }
        }

        return
        [
            .. all.GroupBy(point => point.Step)
                .Where(step => step.Count() == pairs)
                .OrderBy(step => step.Key)
                .Select(step => (step.Key, step.Average(point => point.Value))),
        ];
    }

    private static XElement Finals(ReportArm baseline, ReportArm[] arms) =>
        Html.Table(
            "Final loss on the whole validation set by difficulty, nats per token, "
                + "and its difference from the baseline's (95 % interval over seeds)",
            ["", .. MetricNames.Buckets.Select(bucket => bucket + " tokens")],
            [
                [
                    baseline.Label,
                    .. MetricNames.Buckets.Select(bucket =>
                        Figures.Loss(baseline.Runs.Average(run => Final(run, bucket)))
                    ),
                ],
                .. arms.Select(arm =>
                    (string[])
                        [arm.Label, .. MetricNames.Buckets.Select(bucket => FinalDifference(baseline, arm, bucket))]
                ),
            ]
        );

    private static double? Final(RunRecord run, string bucket) =>
        run.Result.Final?.Buckets.FirstOrDefault(part => part.Unit == "tokens" && part.Bucket == bucket)?.Loss;

    private static string FinalDifference(ReportArm baseline, ReportArm arm, string bucket)
    {
        double[] pairs =
        [
            .. arm
                .Runs.Select(run =>
                    Final(run, bucket)
                    - baseline
                        .Runs.Where(own => own.Result.Seed == run.Result.Seed)
                        .Select(own => Final(own, bucket))
                        .FirstOrDefault()
                )
                .OfType<double>(),
        ];
        if (pairs.Length == 0)
        {
            return Figures.Absent;
        }

        PairedInterval interval = PairedInterval.OfDifferences(pairs);
        return Figures.Difference(interval.Mean, interval.Ends);
    }

    private static XElement Curves(ReportArm baseline, ReportArm arm)
    {
        (string Bucket, IReadOnlyList<(int Step, double Value)> Points)[] lines =
        [
            .. MetricNames.Buckets.Select(bucket => (bucket, Differences(baseline, arm, bucket))),
        ];
        IReadOnlyList<int> steps = [.. lines[0].Points.Select(point => point.Step)];
        return new ReportPlot
        {
            Id = $"difficulty-{arm.Index}",
            Title = $"{arm.Label} minus {baseline.Label} by difficulty",
            Description = "Below zero the arm is ahead at the same step.",
            Build = size => Build(lines, arm, size),
            IsStrip = true,
            Note = "Mean over seeds; below zero the arm is ahead. The dotted line is where its teacher leaves.",
            Data = Html.Table(
                "Difference at the same step, nats per token",
                ["step", .. MetricNames.Buckets],
                Thinning
                    .Keep(steps, MostRows)
                    .Select(step => lines.Select(line => Cell(line.Points, step)).Prepend(Figures.Count(step)))
            ),
        }.Figure();
    }

    private static string Cell(IReadOnlyList<(int Step, double Value)> points, int step) =>
        Figures.SignedLoss(
            points.Where(point => point.Step == step).Select(point => (double?)point.Value).FirstOrDefault()
        );

    private static PlotModel Build(
        (string Bucket, IReadOnlyList<(int Step, double Value)> Points)[] lines,
        ReportArm arm,
        PlotSize size
    )
    {
        PlotModel model = PlotCanvas.Create(size);
        double last = lines.SelectMany(line => line.Points).Max(point => point.Step);
        double[] shown =
        [
            .. lines
                .SelectMany(line => line.Points)
                .Where(point => point.Step >= ShareBeforeAxis * last)
                .Select(point => point.Value),
            0,
        ];
        double room = 0.08 * Math.Max(shown.Max() - shown.Min(), 1e-3);
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Bottom, "steps", 0, last));
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Left, "difference, nats", shown.Min() - room, shown.Max() + room));
        model.Legends.Add(PlotCanvas.Legend(size, LegendPosition.RightBottom));
        model.Annotations.Add(
            new LineAnnotation
            {
                Type = LineAnnotationType.Horizontal,
                Y = 0,
                Color = PlotPalette.Muted,
                StrokeThickness = 1,
                LineStyle = LineStyle.Solid,
            }
        );
        if (arm.Runs[0].Result.Stage1EndStep is int end)
        {
            model.Annotations.Add(
                new LineAnnotation
                {
                    Type = LineAnnotationType.Vertical,
                    X = end,
                    Color = PlotPalette.Muted,
                    StrokeThickness = 1,
                    LineStyle = LineStyle.Dot,
                }
            );
        }

        for (int i = 0; i < lines.Length; i++)
        {
            LineSeries line = PlotCanvas.Line(i + 1, lines[i].Bucket);
            line.Points.AddRange(lines[i].Points.Select(point => new DataPoint(point.Step, point.Value)));
            model.Series.Add(line);
        }

        return model;
    }
}
