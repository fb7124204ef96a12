using System.Text;

namespace Saltern.Verdicts;

/// <summary>A verdict as plain lines for a terminal or a log: no colours, at most about 110 characters a line.</summary>
public static class VerdictText
{
    /// <summary>Characters a line of a log has at most.</summary>
    internal const int LogWidth = 108;

    // A run whose schedule was planned for less costs clearly less; its difference is then one between two ends.
    private const double LeastSaving = 0.99;

    private static readonly string[] Headings =
    [
        "",
        "final loss",
        "difference",
        "steps",
        "time",
        "time charged",
        "FLOPs",
        "FLOPs charged",
    ];

    /// <summary>Sentences first, then one line a run, then the warnings.</summary>
    /// <param name="verdict">What to tell.</param>
    /// <returns>Lines that end in a line feed each.</returns>
    public static string Write(Verdict verdict) => Write(verdict, LogWidth);

    /// <summary>As the other, for a terminal of so many columns: a table that is wider becomes lines.</summary>
    internal static string Write(Verdict verdict, int width)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        StringBuilder text = new();
        foreach (VerdictRun run in verdict.Runs)
        {
            Wrap(text, run.SentenceFree, "", width);
            Wrap(text, run.SentenceCharged, "  ", width);
        }

        text.Append('\n');
        AppendTable(text, verdict, width);
        if (verdict.Warnings.Count > 0)
        {
            text.Append('\n');
        }

        foreach (string warning in VerdictWarnings.InWords(verdict))
        {
            Wrap(text, "Note: " + warning, "", width);
        }

        return text.ToString();
    }

    private static void AppendTable(StringBuilder text, Verdict verdict, int width)
    {
        List<string[]> rows =
        [
            Headings,
            [verdict.Baseline.Label, Figures.Loss(verdict.Baseline.FinalLoss), "", "1", "1", "1", "1", "1"],
        ];
        rows.AddRange(
            verdict.Runs.Select(run =>
                new[]
                {
                    run.Label,
                    Figures.Loss(run.FinalLoss),
                    Figures.SignedLoss(run.FinalLossDifference),
                    Figures.MeanRatio(run.Ratios.Steps),
                    Clock(run, run.Ratios.Free),
                    Clock(run, run.Ratios.Charged),
                    Figures.MeanRatio(run.Ratios.Free.Flops),
                    Figures.MeanRatio(run.Ratios.Charged.Flops),
                }
            )
        );
        int[] widths = [.. Enumerable.Range(0, Headings.Length).Select(column => rows.Max(row => row[column].Length))];
        bool fits = widths.Sum() + (2 * (widths.Length - 1)) <= width;
        if (!fits)
        {
            foreach (string[] row in rows.Skip(1))
            {
                IEnumerable<string> named = Headings
                    .Zip(row)
                    .Skip(1)
                    .Where(cell => cell.Second.Length > 0)
                    .Select(cell => $"{cell.First} {cell.Second}");
                Wrap(text, $"{row[0]}: {string.Join(", ", named)}", "", width);
            }
        }

        foreach (string[] row in fits ? rows : [])
        {
            IEnumerable<string> numbers = row.Skip(1).Zip(widths.Skip(1), (cell, own) => cell.PadLeft(own));
            text.Append(string.Join("  ", numbers.Prepend(row[0].PadRight(widths[0]))).TrimEnd()).Append('\n');
        }

        VerdictRun[] cheaper = [.. verdict.Runs.Where(run => run.Whole.Charged.Flops?.Mean < LeastSaving)];
        if (cheaper.Length > 0)
        {
            IEnumerable<string> costs = cheaper.Select(run =>
                $"{run.Label} {Figures.MeanRatio(run.Whole.Charged.Flops)} of the FLOPs"
                + (run.SecondsComparable ? $" and {Figures.MeanRatio(run.Whole.Charged.Seconds)} of the time" : "")
            );
            Wrap(text, $"To their own ends, everything charged, cost: {string.Join("; ", costs)}.", "", width);
        }

        Wrap(
            text,
            $"Cost to reach the baseline's final {verdict.Metric.ShortNoun}, over its own; below 1 is a saving.",
            "",
            width
        );
    }

    private static string Clock(VerdictRun run, CostRatio ratio)
    {
        if (run.SecondsComparable)
        {
            return Figures.MeanRatio(ratio.Seconds);
        }

        return Figures.Absent;
    }

    private static void Wrap(StringBuilder text, string sentence, string indent, int width)
    {
        int length = 0;
        foreach (string word in sentence.Split(' '))
        {
            string before = " ";
            if (length > 0 && length + 1 + word.Length > width)
            {
                text.Append('\n');
                length = 0;
            }

            if (length == 0)
            {
                before = indent;
            }

            text.Append(before).Append(word);
            length += before.Length + word.Length;
        }

        text.Append('\n');
    }
}
