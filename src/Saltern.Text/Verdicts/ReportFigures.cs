using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The report's plots, each with its data as a table behind it.</summary>
internal static class ReportFigures
{
    private const int MostRows = 100;

    public static XElement Curves(Verdict verdict, IReadOnlyList<ReportArm> arms, PlotCost cost)
    {
        string id = cost switch
        {
            PlotCost.Seconds => "time",
            PlotCost.Flops => "flops",
            _ => "steps",
        };
        return new ReportPlot
        {
            Id = id,
            Title = $"{verdict.Metric.Title} against {PlotCosts.Words(cost)}",
            Description = string.Join(" ", verdict.Runs.Select(run => run.SentenceFree)),
            Build = size => LossPlot.Build(verdict, arms, cost, size),
            Note =
                $"The vertical axis is cut to what comes after the first {LossPlot.PercentBeforeAxis} % of the steps, "
                + "where differences can be seen.",
            Data = CurveTable(verdict.Metric, arms, cost),
        }.Figure();
    }

    /// <summary>Each arm's curve beside the baseline's in a picture of its own: more lines than a handful cannot be told apart.</summary>
    public static XElement Multiples(Verdict verdict, IReadOnlyList<ReportArm> arms, PlotCost cost)
    {
        ReportArm baseline = arms[0];
        string title = $"{verdict.Metric.Title} against {PlotCosts.Words(cost)}, each arm beside {baseline.Label}";
        string prefix = cost.ToString().ToLowerInvariant();
        XElement Picture(ReportArm arm) =>
            ReportPlot.WithoutNamespace(
                PlotCanvas.Draw(
                    LossPlot.Build(verdict, [baseline, arm], cost, PlotSize.Narrow, legend: false),
                    PlotSize.Narrow,
                    $"{prefix}-{arm.Index}",
                    $"{arm.Label} and {baseline.Label}",
                    arm.Verdict?.SentenceFree ?? ""
                )
            );
        return Html.Element(
            "figure",
            "spread",
            Html.Element("figcaption", "", title),
            Html.Element(
                "div",
                "columns multiples",
                [
                    .. arms.Skip(1)
                        .Select(arm => Html.Element("div", "", Html.Element("h3", "", arm.Label), Picture(arm))),
                ]
            ),
            Html.Element(
                "p",
                "note",
                $"Dashed: {baseline.Label}; thin lines single seeds; dotted and grey the teacher's loss. "
                    + $"Each vertical axis is cut to what comes after the first {LossPlot.PercentBeforeAxis} % of the steps."
            ),
            Html.Details("Data behind these plots", CurveTable(verdict.Metric, arms, cost))
        );
    }

    public static XElement Schedules(VerdictMetric metric, IReadOnlyList<ReportArm> arms) =>
        new ReportPlot
        {
            Id = "schedule",
            Title = "The teacher's weight and the learning rate against steps",
            Description = "The weight falls to 0 where the teacher leaves; the learning rate runs straight through.",
            Build = size => SchedulePlot.Build(metric, arms, size),
            IsStrip = true,
            Note = Switches(arms),
            Data = ScheduleTable(arms),
        }.Figure();

    private static string Switches(IReadOnlyList<ReportArm> arms)
    {
        IEnumerable<string> ends = arms.Where(arm => arm.Runs[0].Result.Stage1EndStep is not null)
            .Select(arm =>
                (arm.Label, Steps: arm.Runs.Select(run => Figures.Count(run.Result.Stage1EndStep)).Distinct())
            )
            .Select(arm => $"{arm.Label} after step {string.Join(", ", arm.Steps)}");
        string text = "Lines as above; the learning rate is dotted, on the right axis.";
        if (string.Join("; ", ends) is { Length: > 0 } list)
        {
            return $"{text} The teacher leaves {list}.";
        }

        return text;
    }

    /// <summary>The data behind curves, thinned.</summary>
    internal static XElement CurveTable(VerdictMetric metric, IReadOnlyList<ReportArm> arms, PlotCost cost)
    {
        var columns = arms.SelectMany(arm =>
                arm.Runs.Select(run =>
                    (Title: arm.TitleOf(run), Points: run.Curve(metric).ToDictionary(point => point.Step))
                )
            )
            .ToList();
        List<int> steps = [.. columns.SelectMany(column => column.Points.Keys).Distinct().Order()];

        string Cell(CurvePoint? point)
        {
            if (point is null)
            {
                return Figures.Absent;
            }

            return cost switch
            {
                PlotCost.Seconds => $"{Figures.Loss(point.Value)} at {Figures.Seconds(point.Seconds)}",
                PlotCost.Flops => $"{Figures.Loss(point.Value)} at {Figures.Flops(point.Flops)}",
                _ => Figures.Loss(point.Value),
            };
        }
        return Html.Table(
            char.ToUpperInvariant(metric.Axis[0]) + metric.Axis[1..],
            ["step", .. columns.Select(column => column.Title)],
            Thinning
                .Keep(steps, MostRows)
                .Select(step =>
                    new[] { Figures.Count(step) }.Concat(
                        columns.Select(column => Cell(column.Points.GetValueOrDefault(step)))
                    )
                )
        );
    }

    private static XElement ScheduleTable(IReadOnlyList<ReportArm> arms)
    {
        Dictionary<int, double> rate = arms[0]
            .Runs[0]
            .Metrics.Series(MetricNames.LearningRate)
            .ToDictionary(point => point.Step, point => point.Value);
        var weights = arms.Where(arm => arm.Runs[0].HadTeacher)
            .Select(arm =>
                (
                    arm.Label,
                    Values: arm.Runs[0]
                        .Metrics.Series(MetricNames.TeacherWeight)
                        .ToDictionary(point => point.Step, point => point.Value)
                )
            )
            .ToList();
        List<int> steps = [.. rate.Keys.Union(weights.SelectMany(weight => weight.Values.Keys)).Order()];
        return Html.Table(
            "Learning rate, and each arm's weight of the teacher",
            ["step", "learning rate", .. weights.Select(weight => $"weight in {weight.Label}")],
            Thinning
                .Keep(steps, MostRows)
                .Select(step =>
                    new[] { Figures.Count(step), Figures.Format(At(rate, step), "0.###e-0") }.Concat(
                        weights.Select(weight => Figures.Loss(At(weight.Values, step)))
                    )
                )
        );
    }

    private static double? At(Dictionary<int, double> values, int step)
    {
        if (values.TryGetValue(step, out double value))
        {
            return value;
        }

        return null;
    }
}
