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
        string baseline = verdict.Baseline.Label;
        string cost = "arithmetic";
        if (verdict.SecondsComparable)
        {
            cost = "time";
        }

        string title = $"Cost to reach {baseline}'s final {verdict.Metric.Noun}, over {baseline}'s own {cost}";
        string sharing = "";
        if (verdict.StudentsServed > 1)
        {
            sharing = $", shared by {verdict.StudentsServed} students";
        }

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
                    + sharing
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
                            Figures.Ratio(row.Free),
                            Figures.Ratio(row.Charged),
                        }
                    )
                )
            )
        );
    }

    private static XElement Draw(Row[] rows, PlotSize size, string id, string title)
    {
        var layout = new Layout(rows, size);
        List<XElement> marks = [Title(id, title), Description(id, rows), .. Axis(layout)];
        for (int i = 0; i < rows.Length; i++)
        {
            marks.Add(Name(rows[i], layout, layout.Y(i)));
            marks.AddRange(Marks(rows[i], layout, layout.Y(i)));
        }

        return new XElement(
            "svg",
            new XAttribute("viewBox", $"0 0 {Number(size.Width)} {Number(layout.Height)}"),
            new XAttribute("role", "img"),
            new XAttribute("aria-labelledby", $"{id}-title {id}-desc"),
            marks
        );
    }

    private static IEnumerable<XElement> Axis(Layout layout)
    {
        double font = layout.Font;
        double spacing = Spacing(layout.Largest);
        for (double tick = 0; tick <= layout.Largest; tick += spacing)
        {
            double x = layout.X(tick);
            yield return Line(new Segment(x, layout.Top, x, layout.Bottom), "var(--grid)", 1);
            string label = Figures.Format(tick, "0.##");
            yield return Text(label, x, layout.Bottom + font * 1.5, font, "var(--muted)", "middle");
        }

        yield return Line(new Segment(layout.X(1), layout.Top, layout.X(1), layout.Bottom), "var(--line0)", 1.6);
    }

    private static XElement Name(Row row, Layout layout, double y)
    {
        double font = layout.Font;
        if (layout.IsNarrow)
        {
            return Text(row.Label, layout.Left, y - font * 1.05, font * 0.92, "var(--ink)", "start");
        }

        return Text(row.Label, layout.Left - font, y + font * 0.35, font, "var(--ink)", "end");
    }

    private static List<XElement> Marks(Row row, Layout layout, double y)
    {
        double font = layout.Font;
        if (row.Free is not { } free)
        {
            double x = layout.X(0) + font * 0.6;
            return [Text(row.Missing, x, y + font * 0.35, font * 0.92, "var(--muted)", "start")];
        }

        List<XElement> marks = [];
        if (row.Charged is { } charged)
        {
            marks.AddRange(Interval(charged, layout, y, "var(--muted)", 1.6));
            string diamond = $"M {Number(layout.X(charged.Mean) - 5)} {Number(y)} l 5 -5 l 5 5 l -5 5 z";
            marks.Add(Path(diamond, "var(--card)", "var(--muted)"));
        }

        marks.AddRange(Interval(free, layout, y, row.Colour, 2.6));
        marks.Add(
            new XElement(
                "circle",
                new XAttribute("cx", Number(layout.X(free.Mean))),
                new XAttribute("cy", Number(y)),
                new XAttribute("r", "5"),
                new XAttribute("style", $"fill:{row.Colour}")
            )
        );
        return marks;
    }

    private static double Spacing(double largest) =>
        new[] { 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10 }.FirstOrDefault(
            spacing => largest / spacing <= MostTicks,
            Math.Ceiling(largest / MostTicks)
        );

    private static IEnumerable<XElement> Interval(
        PairedInterval interval,
        Layout layout,
        double y,
        string colour,
        double width
    )
    {
        if (interval is not { Lower: { } lower, Upper: { } upper })
        {
            return [];
        }

        double low = layout.X(lower);
        double high = layout.X(upper);
        return
        [
            Line(new Segment(low, y, high, y), colour, width),
            Line(new Segment(low, y - 4, low, y + 4), colour, width),
            Line(new Segment(high, y - 4, high, y + 4), colour, width),
        ];
    }

    private static XElement Title(string id, string title) =>
        new("title", new XAttribute("id", $"{id}-title"), Html.Clean(title));

    private static XElement Description(string id, Row[] rows)
    {
        IEnumerable<string> texts = rows.Select(row =>
        {
            if (row.Free is null)
            {
                return $"{row.Label}: {row.Missing}";
            }

            return $"{row.Label}: {Figures.Ratio(row.Free)}";
        });
        return new XElement("desc", new XAttribute("id", $"{id}-desc"), Html.Clean(string.Join("; ", texts)));
    }

    private static XElement Line(Segment line, string colour, double width) =>
        new(
            "line",
            new XAttribute("x1", Number(line.X1)),
            new XAttribute("y1", Number(line.Y1)),
            new XAttribute("x2", Number(line.X2)),
            new XAttribute("y2", Number(line.Y2)),
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

    private readonly record struct Segment(double X1, double Y1, double X2, double Y2);

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    /// <summary>What is drawn of an arm.</summary>
    private sealed record Row(
        string Label,
        int Seeds,
        string Reached,
        VerdictOutcome Outcome,
        PairedInterval? Free,
        PairedInterval? Charged
    )
    {
        /// <summary>What stands in the picture where there is no mark.</summary>
        public string Missing
        {
            get
            {
                if (Reached == "no")
                {
                    return "not reached";
                }

                return Reached == "yes" ? "reached, cost not known" : $"reached in {Reached}";
            }
        }

        public string Colour =>
            Outcome switch
            {
                VerdictOutcome.Helped => "var(--line1)",
                VerdictOutcome.Harmed => "var(--line2)",
                _ => "var(--line0)",
            };

        public static Row Of(VerdictRun run, bool bySeconds)
        {
            PairedInterval? Told(CostRatio ratio) => bySeconds ? ratio.Seconds : ratio.Flops;
            return new Row(
                run.Label,
                run.Pairs.Count,
                Words(run),
                run.OutcomeFree,
                Told(run.Ratios.Free),
                Told(run.Ratios.Charged)
            );
        }

        private static string Words(VerdictRun run)
        {
            int reached = run.Pairs.Count(pair => pair.Reached);
            if (reached == 0)
            {
                return "no";
            }

            if (reached == run.Pairs.Count)
            {
                return "yes";
            }

            return $"{reached} of {run.Pairs.Count} seeds";
        }
    }

    /// <summary>Where things stand in the picture, pixels.</summary>
    private sealed record Layout
    {
        public Layout(Row[] rows, PlotSize size)
        {
            Font = size.Font;
            IsNarrow = size.IsNarrow;
            // On a phone an arm's name stands above its marks.
            if (IsNarrow)
            {
                (Step, Left, Right) = (Font * 3.1, Font, size.Width - Font * 1.2);
            }
            else
            {
                double names = Font * 0.58 * rows.Max(row => row.Label.Length) + 2 * Font;
                (Step, Left, Right) = (Font * 1.9, Math.Min(size.Width * 0.45, names), size.Width - Font * 2);
            }

            Bottom = Top + Step * rows.Length;
            Largest =
                rows.SelectMany(row => new[] { row.Free?.Mean, row.Charged?.Mean, row.Free?.Upper, row.Charged?.Upper })
                    .OfType<double>()
                    .Append(1.2)
                    .Max() * 1.03;
        }

        public double Font { get; }

        public bool IsNarrow { get; }

        public double Step { get; }

        public double Left { get; }

        public double Right { get; }

        public double Top => Font;

        public double Bottom { get; }

        public double Height => Bottom + Font * 2.4;

        /// <summary>The ratio at the right end.</summary>
        public double Largest { get; }

        public double X(double ratio) => Left + (Right - Left) * ratio / Largest;

        /// <summary>Height of a row's marks.</summary>
        public double Y(int row)
        {
            if (IsNarrow)
            {
                return Top + Step * (row + 0.72);
            }

            return Top + Step * (row + 0.5);
        }
    }
}
