using System.Globalization;
using System.Net;
using System.Text;

namespace Saltern.Selection;

/// <summary>A selection's report as plain text and as one HTML file that needs nothing else.</summary>
internal static class SelectionReportWriter
{
    private const int BarWidth = 40;

    private const string Style =
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
        + "table{border-collapse:collapse}td,th{padding:.1rem .8rem .1rem 0;text-align:right}"
        + "td:first-child,th:first-child{text-align:left}"
        + "pre{white-space:pre-wrap;background:#f4f4f4;padding:.6rem;overflow-wrap:anywhere}"
        + ".bar{display:inline-block;height:.8em;background:#bbb}.chosen{background:#2a6}";

    /// <summary>Plain text without the examples.</summary>
    public static string Text(SelectionReport report)
    {
        var text = new StringBuilder();
        text.Append(Headline(report)).Append('\n');
        if (report.Manifest.ChosenZeros > 0)
        {
            text.Append(Zeros(report)).Append('\n');
        }

        text.Append("\n  score, nats       samples    chosen\n");
        int largest = Math.Max(1, report.Histogram.Max(bin => bin.Samples));
        foreach ((double from, int samples, int chosen) in report.Histogram)
        {
            int bar = samples * BarWidth / largest;
            int filled = samples == 0 ? 0 : bar * chosen / samples;
            text.Append("  ")
                .Append(Right(from, 6, "0.000"))
                .Append(" to ")
                .Append(Right(from + report.BinWidth, 6, "0.000"))
                .Append("  ")
                .Append(Right(samples, 8))
                .Append("  ")
                .Append(Right(chosen, 8))
                .Append("  ")
                .Append('#', filled)
                .Append('.', bar - filled)
                .Append('\n');
        }

        foreach (
            (string title, IReadOnlyList<SelectionShare> parts) in new[]
            {
                ("domain", report.Domains),
                ("bucket", report.Buckets),
            }
        )
        {
            text.Append("\n  ").Append(title.PadRight(16)).Append("  samples    chosen     share  mean score\n");
            foreach (SelectionShare part in parts)
            {
                text.Append("  ")
                    .Append(part.Name.PadRight(16))
                    .Append(' ')
                    .Append(Right(part.Samples, 8))
                    .Append("  ")
                    .Append(Right(part.Chosen, 8))
                    .Append("  ")
                    .Append(Right(Share(part), 7, "0.0"))
                    .Append(" %  ")
                    .Append(Right(part.MeanScore, 10, "0.000"))
                    .Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Right(IFormattable? number, int width, string? format = null) =>
        (number?.ToString(format, CultureInfo.InvariantCulture) ?? "").PadLeft(width);

    /// <summary>The page, with the examples' text.</summary>
    public static string Html(SelectionReport report)
    {
        var page = new StringBuilder();
        page.Append("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Selection</title>")
            .Append(Invariant($"<style>{Style}</style></head>"))
            .Append(Invariant($"<body><h1>Selection</h1><p>{Encode(Headline(report))}</p>"));
        if (report.Manifest.ChosenZeros > 0)
        {
            page.Append(Invariant($"<p>{Encode(Zeros(report))}</p>"));
        }

        page.Append("<h2>Scores</h2><table><tr><th>score, nats</th><th>samples</th><th>chosen</th><th></th></tr>");
        int largest = Math.Max(1, report.Histogram.Max(bin => bin.Samples));
        foreach ((double from, int samples, int chosen) in report.Histogram)
        {
            double chosenWidth = 20.0 * chosen / largest;
            double otherWidth = 20.0 * (samples - chosen) / largest;
            page.Append(Invariant($"<tr><td>{from:0.000} to {from + report.BinWidth:0.000}</td>"))
                .Append(Invariant($"<td>{samples}</td><td>{chosen}</td><td style=\"text-align:left\">"))
                .Append(Invariant($"<span class=\"bar chosen\" style=\"width:{chosenWidth:0.00}rem\"></span>"))
                .Append(Invariant($"<span class=\"bar\" style=\"width:{otherWidth:0.00}rem\"></span></td></tr>"));
        }

        page.Append("</table>");
        foreach (
            (string title, IReadOnlyList<SelectionShare> parts) in new[]
            {
                ("domain", report.Domains),
                ("bucket", report.Buckets),
            }
        )
        {
            page.Append(
                Invariant(
                    $"<h2>By {title}</h2><table><tr><th>{title}</th><th>samples</th><th>chosen</th><th>share</th><th>mean score</th></tr>"
                )
            );
            foreach (SelectionShare part in parts)
            {
                page.Append(Invariant($"<tr><td>{Encode(part.Name)}</td><td>{part.Samples}</td><td>{part.Chosen}</td>"))
                    .Append(Invariant($"<td>{Share(part):0.0} %</td><td>{part.MeanScore:0.000}</td></tr>"));
            }

            page.Append("</table>");
        }

        foreach (IGrouping<string, SelectionExample> group in report.Examples.GroupBy(example => example.Group))
        {
            page.Append(Invariant($"<h2>{char.ToUpperInvariant(group.Key[0])}{group.Key[1..]} scores</h2>"));
            foreach (SelectionExample example in group)
            {
                page.Append(
                        Invariant($"<p>{Encode(example.Domain)}, sample {example.Index}: score {example.Score:0.000}, ")
                    )
                    .Append(Invariant($"teacher's mean loss {example.MeanNll:0.000} nats</p>"))
                    .Append(Invariant($"<pre>{Encode(example.Text)}</pre>"));
            }
        }

        return page.Append("</body></html>\n").ToString();
    }

    private static string Headline(SelectionReport report)
    {
        SelectionManifest manifest = report.Manifest;
        ScoreRule rule = manifest.Rule.Score;
        string zeros = rule.Zeros ? "in" : "out";
        string score =
            Invariant($"{rule.Statistic.ToString().ToLowerInvariant()} loss of tokens among the {rule.K} most likely, ")
            + $"zeros {zeros}";
        string unscored = Invariant($"had fewer than {rule.MinTokens} counted tokens");
        if (manifest.OwnScore is string own)
        {
            score = $"{own}, a score of somebody's own";
            unscored = "were left unscored";
        }

        string within = manifest.Rule.BalanceDomains ? ", within each domain" : "";
        return Invariant(
                $"{manifest.Chosen} of {manifest.Scored} scored samples chosen ({manifest.Unscored} {unscored}), "
            ) + $"scored by {manifest.Teacher.Name}: {score}{within}.";
    }

    private static string Zeros(SelectionReport report) =>
        Invariant($"Warning: {report.Manifest.ChosenZeros} of the chosen samples have the score 0: ")
        + "for half of their tokens or more the teacher does not have the right one in sight. "
        + "Choose fewer, a larger k, or a later checkpoint.";

    private static double Share(SelectionShare part) => part.Samples == 0 ? 0 : 100.0 * part.Chosen / part.Samples;

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
