using System.Globalization;
using System.Xml.Linq;

namespace Saltern.Verdicts;

/// <summary>The picture of a verdict on many arms: a row an arm, with what it cost to reach the baseline's final value over the baseline's own cost, free and charged, and its interval.</summary>
/// <remarks>Drawn as SVG without a plot library: rows of text beside marks are not what one draws well.</remarks>
internal static class ForestPlot
{
    private const double MostTicks = 8;

    /// <summary>The figure with its table.</summary>
    public static XElement Figure(Verdict verdict)
    {
        Row[] rows = [.. verdict.Runs.Select(run => Row.Of(run, verdict.SecondsComparable))];
        string cost = verdict.SecondsComparable ? "time" : "arithmetic";
        string title =
            $"Cost to reach {verdict.Baseline.Label}'s final {verdict.Metric.Noun}, over {verdict.Baseline.Label}'s own {cost}";
        return Html.Element(
            "figure",
            "",
            Html.Element("figcaption", "", title),
            Html.Element("div", "wide", Draw(rows, PlotSize.Wide, "forest-wide", title)),
            Html.Element("div", "narrow", Draw(rows, PlotSize.Narrow, "forest-narrow", title)),
            Html.Element(
                "p",
                "note",
                "Left of the line at 1 is a saving. Disc: the teacher's training not counted; diamond: charged to one run"
                    + (verdict.StudentsServed == 1 ? "" : $", shared by {verdict.StudentsServed} students")
                    + ". Bars: 95 % intervals over seeds, none from one seed."
            ),
            Html.Details(
                "Data behind this plot",
                Html.Table(
                    title,
                    ["arm", "seeds", "reached", "free", "charged"],
                    rows.Select(row =>
                        new[]
                        {
                            row.Label,
                            Figures.Count(row.Seeds),
                            row.Reached,
                            Figures.Ratio(row.Free, row.FreeInterval),
                            Figures.Ratio(row.Charged, row.ChargedInterval),
                        }
                    )
                )
            )
        );
    }

    private static XElement Draw(Row[] rows, PlotSize size, string id, string title)
    {
        // On a phone an arm's name stands above its marks.
        double font = size.Font;
        double step = size.IsNarrow ? font * 3.1 : font * 1.9;
        double left = size.IsNarrow
            ? font
            : Math.Min(size.Width * 0.45, font * 0.58 * rows.Max(row => row.Label.Length) + 2 * font);
        double right = size.Width - font * (size.IsNarrow ? 1.2 : 2);
        double top = font;
        double bottom = top + step * rows.Length;
        double height = bottom + font * 2.4;
        double largest =
            rows.SelectMany(row => new[] { row.Free, row.Charged, row.FreeInterval?[1], row.ChargedInterval?[1] })
                .OfType<double>()
                .Append(1.2)
                .Max() * 1.03;
        double X(double ratio) => left + (right - left) * ratio / largest;
        List<XElement> marks = [Title(id, title), Description(id, rows)];
        double spacing = Spacing(largest);
        for (double tick = 0; tick <= largest; tick += spacing)
        {
            marks.Add(Line(X(tick), top, X(tick), bottom, "var(--grid)", 1));
            marks.Add(Text(Figures.Format(tick, "0.##"), X(tick), bottom + font * 1.5, font, "var(--muted)", "middle"));
        }

        marks.Add(Line(X(1), top, X(1), bottom, "var(--line0)", 1.6));
        for (int i = 0; i < rows.Length; i++)
        {
            Row row = rows[i];
            double y = top + step * (i + (size.IsNarrow ? 0.72 : 0.5));
            marks.Add(
                size.IsNarrow
                    ? Text(row.Label, left, y - font * 1.05, font * 0.92, "var(--ink)", "start")
                    : Text(row.Label, left - font, y + font * 0.35, font, "var(--ink)", "end")
            );
            if (row.Free is not double free)
            {
                marks.Add(
                    Text(
                        row.Reached == "no" ? "not reached" : $"reached in {row.Reached}",
                        X(0) + font * 0.6,
                        y + font * 0.35,
                        font * 0.92,
                        "var(--muted)",
                        "start"
                    )
                );
                continue;
            }

            if (row.Charged is double charged)
            {
                marks.AddRange(Interval(row.ChargedInterval, X, y, "var(--muted)", 1.6));
                marks.Add(
                    Path($"M {Number(X(charged) - 5)} {Number(y)} l 5 -5 l 5 5 l -5 5 z", "var(--card)", "var(--muted)")
                );
            }

            string colour = row.Outcome switch
            {
                VerdictOutcome.Helped => "var(--line1)",
                VerdictOutcome.Harmed => "var(--line2)",
                _ => "var(--line0)",
            };
            marks.AddRange(Interval(row.FreeInterval, X, y, colour, 2.6));
            marks.Add(
                new XElement(
                    "circle",
                    new XAttribute("cx", Number(X(free))),
                    new XAttribute("cy", Number(y)),
                    new XAttribute("r", "5"),
                    new XAttribute("style", $"fill:{colour}")
                )
            );
        }

        return new XElement(
            "svg",
            new XAttribute("viewBox", $"0 0 {Number(size.Width)} {Number(height)}"),
            new XAttribute("role", "img"),
            new XAttribute("aria-labelledby", $"{id}-title {id}-desc"),
            marks
        );
    }

    private static double Spacing(double largest) =>
        new[] { 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10 }.FirstOrDefault(
            spacing => largest / spacing <= MostTicks,
            Math.Ceiling(largest / MostTicks)
        );

    private static IEnumerable<XElement> Interval(
        IReadOnlyList<double>? interval,
        Func<double, double> x,
        double y,
        string colour,
        double width
    )
    {
        if (interval is [var low, var high])
        {
            return
            [
                Line(x(low), y, x(high), y, colour, width),
                Line(x(low), y - 4, x(low), y + 4, colour, width),
                Line(x(high), y - 4, x(high), y + 4, colour, width),
            ];
        }

        return [];
    }

    private static XElement Title(string id, string title) =>
        new("title", new XAttribute("id", $"{id}-title"), Html.Clean(title));

    private static XElement Description(string id, Row[] rows) =>
        new(
            "desc",
            new XAttribute("id", $"{id}-desc"),
            Html.Clean(
                string.Join(
                    "; ",
                    rows.Select(row =>
                        $"{row.Label}: {(row.Free is null ? "not reached" : Figures.Ratio(row.Free, row.FreeInterval))}"
                    )
                )
            )
        );

    private static XElement Line(double x1, double y1, double x2, double y2, string colour, double width) =>
        new(
            "line",
            new XAttribute("x1", Number(x1)),
            new XAttribute("y1", Number(y1)),
            new XAttribute("x2", Number(x2)),
            new XAttribute("y2", Number(y2)),
            new XAttribute("style", $"stroke:{colour};stroke-width:{Number(width)}")
        );

    private static XElement Path(string path, string fill, string stroke) =>
        new(
            "path",
            new XAttribute("d", path),
            new XAttribute("style", $"fill:{fill};stroke:{stroke};stroke-width:1.6")
        );

    private static XElement Text(string text, double x, double y, double font, string colour, string anchor) =>
        new(
            "text",
            new XAttribute("x", Number(x)),
            new XAttribute("y", Number(y)),
            new XAttribute("style", $"fill:{colour};font:{Number(font)}px sans-serif;text-anchor:{anchor}"),
            Html.Clean(text)
        );

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>What is drawn of an arm.</summary>
    private sealed record Row(
        string Label,
        int Seeds,
        string Reached,
        VerdictOutcome Outcome,
        double? Free,
        IReadOnlyList<double>? FreeInterval,
        double? Charged,
        IReadOnlyList<double>? ChargedInterval
    )
    {
        public static Row Of(VerdictRun run, bool bySeconds)
        {
            int reached = run.Pairs.Count(pair => pair.Reached);
            string words =
                reached == 0 ? "no"
                : reached == run.Pairs.Count ? "yes"
                : $"{reached} of {run.Pairs.Count} seeds";
            if (bySeconds)
            {
                return new Row(
                    run.Label,
                    run.Pairs.Count,
                    words,
                    run.OutcomeFree,
                    run.SecondsRatio,
                    run.SecondsRatioInterval,
                    run.SecondsRatioTeacherCharged,
                    run.SecondsRatioTeacherChargedInterval
                );
            }

            return new Row(
                run.Label,
                run.Pairs.Count,
                words,
                run.OutcomeFree,
                run.FlopsRatio,
                run.FlopsRatioInterval,
                run.FlopsRatioTeacherCharged,
                run.FlopsRatioTeacherChargedInterval
            );
        }
    }
}
