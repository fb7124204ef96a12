using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What the arms can do after fine-tuning, each beside the baseline that was fine-tuned with the same seeds.</summary>
internal static class ReportFineTuning
{
    /// <summary>One line a task and arm: means over seeds, and the difference from the baseline paired by both seeds, with a 95 % interval by Student's t.</summary>
    /// <param name="baseline">Arm that the others are measured against.</param>
    /// <param name="scores">Scores of all arms.</param>
    public static IReadOnlyList<FineTuneComparison> Compare(string baseline, IReadOnlyList<FineTuneScore> scores) =>
        [
            .. from task in scores.GroupBy(score => (score.Task, score.Metric))
            from arm in task.GroupBy(score => score.Arm)
            select Of(baseline, [.. arm], [.. task.Where(score => score.Arm == baseline)]),
        ];

    /// <summary>A sentence an arm, for the head of a page: every task's difference from the baseline. None of many arms, which only the table can hold.</summary>
    public static IReadOnlyList<string> Sentences(string baseline, IReadOnlyList<FineTuneScore> scores)
    {
        IGrouping<string, FineTuneComparison>[] arms =
        [
            .. Compare(baseline, [.. scores.Where(score => score.IsMain)])
                .Where(line => line.Difference is not null)
                .GroupBy(line => line.Arm),
        ];
        if (arms.Length > ReportOverview.MostArmsInFull)
        {
            return [];
        }

        return
        [
            .. arms.Select(arm =>
                $"After fine-tuning, {arm.Key} less {baseline}: {string.Join("; ", arm.Select(Change))}, "
                + $"over {arm.Min(line => line.Pairs)} {(arm.Min(line => line.Pairs) == 1 ? "pair" : "pairs")}."
            ),
        ];
    }

    private static string Change(FineTuneComparison line)
    {
        string change = $"{line.Task} {line.Metric} {Points(line)} points";
        if (line.Low is double low && line.High is double high)
        {
            return low <= 0 && high >= 0 ? change + ", no difference shown" : change;
        }

        return change + ", a reading";
    }

    /// <summary>The section; null where nothing was fine-tuned.</summary>
    internal static XElement? Section(string baseline, IReadOnlyList<FineTuneScore> scores)
    {
        if (scores.Count == 0)
        {
            return null;
        }

        return Html.Section(
            "After fine-tuning",
            Html.Table(
                "Score before and after, mean over seeds of run and fine-tuning; difference from the baseline "
                    + "paired by both seeds, in points, with a 95 % interval over the pairs",
                ["task", "arm", "before", "after", "minus baseline", "pairs", "items", "cut"],
                Compare(baseline, [.. scores.Where(score => score.IsMain)])
                    .Select(line =>
                        new[]
                        {
                            $"{line.Task} {line.Metric}",
                            line.Arm,
                            Figures.Percent(line.Before),
                            Figures.Percent(line.After),
                            Points(line),
                            Figures.Count(line.Pairs),
                            Figures.Count(line.Items),
                            Figures.Count(line.TooLong),
                        }
                    )
            ),
            Html.Element(
                "p",
                "note",
                "Cut: items whose prompt is longer than the model reads; their beginning is left out, and they count. "
                    + "Pairs of one run share its weights, so they are closer to each other than pairs of different runs: "
                    + "the interval is that of fine-tuning as much as of pre-training."
            )
        );
    }

    private static FineTuneComparison Of(string baseline, FineTuneScore[] arm, FineTuneScore[] own)
    {
        Dictionary<(int, int), double> beside = own.ToDictionary(
            score => (score.Seed, score.TuningSeed),
            score => score.After
        );
        double[] differences =
        [
            .. arm.Where(score => beside.ContainsKey((score.Seed, score.TuningSeed)))
                .Select(score => score.After - beside[(score.Seed, score.TuningSeed)]),
        ];
        PairedInterval? interval = null;
        if (arm[0].Arm != baseline && differences.Length > 0)
        {
            interval = PairedInterval.OfDifferences(differences);
        }

        return new FineTuneComparison(
            arm[0].Task,
            arm[0].Metric,
            arm[0].Arm,
            arm.Average(score => score.Before),
            arm.Average(score => score.After),
            interval?.Mean,
            interval?.Lower,
            interval?.Upper,
            differences.Length,
            arm[0].Items,
            arm[0].TooLong
        );
    }

    private static string Points(FineTuneComparison line)
    {
        string text = Figures.Format(100 * line.Difference, "+0.0;−0.0;0.0");
        if (line.Low is double low && line.High is double high)
        {
            return $"{text} [{Figures.Format(100 * low, "+0.0;−0.0;0.0")}, {Figures.Format(100 * high, "+0.0;−0.0;0.0")}]";
        }

        return text;
    }
}

/// <summary>A task after the fine-tuning of an arm's runs.</summary>
/// <param name="Before">Mean score of the runs' final models.</param>
/// <param name="After">Mean score after fine-tuning.</param>
/// <param name="Difference">Mean difference from the baseline's, paired; null of the baseline, or without a pair.</param>
/// <param name="Low">Lower end of its 95 % interval; null of a single pair.</param>
/// <param name="Items">Items of the task.</param>
/// <param name="TooLong">Items that were cut.</param>
internal sealed record FineTuneComparison(
    string Task,
    string Metric,
    string Arm,
    double Before,
    double After,
    double? Difference,
    double? Low,
    double? High,
    int Pairs,
    int Items,
    int TooLong
);
