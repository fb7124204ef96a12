using System.Xml.Linq;
using OxyPlot;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The report's plots, each with its data as a table behind it.</summary>
internal static class ReportFigures
{
    private const int MostRows = 100;

    public static XElement Curves(Verdict verdict, IReadOnlyList<ReportArm> arms, PlotCost cost)
    {
        (string against, string id) = cost switch
        {
            PlotCost.Seconds => ("training time", "time"),
            PlotCost.Flops => ("arithmetic", "flops"),
            _ => ("steps", "steps"),
        };
        string description = string.Join(" ", verdict.Runs.Select(run => run.SentenceFree));
        return Figure(
            id,
            $"{verdict.Metric.Title} against {against}",
            description,
            size => LossPlot.Build(verdict, arms, cost, size),
            PlotSize.Wide,
            PlotSize.Narrow,
            $"The vertical axis is cut to what comes after the first {Figures.Format(100 * LossPlot.ShareBeforeAxis, "0")} % of the steps, where differences can be seen.",
            CurveTable(verdict.Metric, arms, cost)
        );
    }

    /// <summary>Each arm's curve beside the baseline's in a picture of its own: more lines than a handful cannot be told apart.</summary>
    public static XElement Multiples(Verdict verdict, IReadOnlyList<ReportArm> arms, PlotCost cost)
    {
        string against = cost switch
        {
            PlotCost.Seconds => "training time",
            PlotCost.Flops => "arithmetic",
            _ => "steps",
        };
        return Html.Element(
            "figure",
            "spread",
            Html.Element(
                "figcaption",
                "",
                $"{verdict.Metric.Title} against {against}, each arm beside {arms[0].Label}"
            ),
            Html.Element(
                "div",
                "columns multiples",
                [
                    .. arms.Skip(1)
                        .Select(arm =>
                            Html.Element(
                                "div",
                                "",
                                Html.Element("h3", "", arm.Label),
                                WithoutNamespace(
                                    PlotCanvas.Draw(
                                        LossPlot.Build(verdict, [arms[0], arm], cost, PlotSize.Narrow, legend: false),
                                        PlotSize.Narrow,
                                        $"{cost.ToString().ToLowerInvariant()}-{arm.Index}",
                                        $"{arm.Label} and {arms[0].Label}",
                                        arm.Verdict!.SentenceFree
                                    )
                                )
                            )
                        ),
                ]
            ),
            Html.Element(
                "p",
                "note",
                $"Dashed: {arms[0].Label}; thin lines single seeds; dotted and grey the teacher's loss. Each vertical axis is cut to what comes after the first {Figures.Format(100 * LossPlot.ShareBeforeAxis, "0")} % of the steps."
            ),
            Html.Details("Data behind these plots", CurveTable(verdict.Metric, arms, cost))
        );
    }

    public static XElement Schedules(VerdictMetric metric, IReadOnlyList<ReportArm> arms) =>
        Figure(
            "schedule",
            "The teacher's weight ω and the learning rate against steps",
            "ω falls to 0 where the teacher leaves; the learning rate runs straight through.",
            size => SchedulePlot.Build(metric, arms, size),
            PlotSize.Wide.Strip,
            PlotSize.Narrow.Strip,
            Switches(arms),
            ScheduleTable(arms)
        );

    private static string Switches(IReadOnlyList<ReportArm> arms)
    {
        IEnumerable<string> ends = arms.Where(arm => arm.Runs[0].Result.Stage1EndStep is not null)
            .Select(arm =>
                $"{arm.Label} after step {string.Join(", ", arm.Runs.Select(run => Figures.Count(run.Result.Stage1EndStep)).Distinct())}"
            );
        string list = string.Join("; ", ends);
        return "Lines as above; the learning rate is dotted, on the right axis."
            + (list.Length > 0 ? $" The teacher leaves {list}." : "");
    }

    internal static XElement Figure(
        string id,
        string title,
        string description,
        Func<PlotSize, PlotModel> build,
        PlotSize wide,
        PlotSize narrow,
        string? note,
        XElement data
    )
    {
        XElement Draw(PlotSize size, string kind) =>
            Html.Element(
                "div",
                kind,
                WithoutNamespace(PlotCanvas.Draw(build(size), size, $"{id}-{kind}", title, description))
            );
        return Html.Element(
            "figure",
            "",
            Html.Element("figcaption", "", title),
            Draw(wide, "wide"),
            Draw(narrow, "narrow"),
            note is null ? null : Html.Element("p", "note", note),
            Html.Details("Data behind this plot", data)
        );
    }

    private static XElement CurveTable(VerdictMetric metric, IReadOnlyList<ReportArm> arms, PlotCost cost)
    {
        var columns = arms.SelectMany(arm =>
                arm.Runs.Select(run =>
                    (
                        Title: arm.Runs.Count == 1 ? arm.Label : $"{arm.Label}, seed {run.Result.Seed}",
                        Points: run.Curve(metric).ToDictionary(point => point.Step)
                    )
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
            .Metrics.Series("train/learning_rate")
            .ToDictionary(point => point.Step, point => point.Value);
        var weights = arms.Where(arm => arm.Runs[0].IsDistilled)
            .Select(arm =>
                (
                    arm.Label,
                    Values: arm.Runs[0]
                        .Metrics.Series("train/weight")
                        .ToDictionary(point => point.Step, point => point.Value)
                )
            )
            .ToList();
        List<int> steps = [.. rate.Keys.Union(weights.SelectMany(weight => weight.Values.Keys)).Order()];
        return Html.Table(
            "Learning rate, and ω of each arm",
            ["step", "learning rate", .. weights.Select(weight => $"ω of {weight.Label}")],
            Thinning
                .Keep(steps, MostRows)
                .Select(step =>
                    new[]
                    {
                        Figures.Count(step),
                        rate.TryGetValue(step, out double value) ? Figures.Format(value, "0.###e-0") : Figures.Absent,
                    }.Concat(
                        weights.Select(weight =>
                            weight.Values.TryGetValue(step, out double omega) ? Figures.Loss(omega) : Figures.Absent
                        )
                    )
                )
        );
    }

    /// <summary>HTML knows SVG by its name; without the namespace the page holds no address at all.</summary>
    private static XElement WithoutNamespace(XElement element) =>
        new(
            element.Name.LocalName,
            element
                .Attributes()
                .Where(attribute => !attribute.IsNamespaceDeclaration && attribute.Name.Namespace == XNamespace.None),
            element.Nodes().Select(node => node is XElement child ? WithoutNamespace(child) : node)
        );
}
