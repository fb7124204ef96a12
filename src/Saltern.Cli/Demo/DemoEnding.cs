// The last screen of a demonstration: one sentence, one small table, where the report is, what to do next.
using System.Globalization;
using System.Text;
using Saltern.Cli.Terminal;
using Saltern.Verdicts;

namespace Saltern.Cli.Demo;

/// <summary>Says what a demonstration found.</summary>
internal static class DemoEnding
{
    /// <summary>The sentence and the table.</summary>
    /// <param name="verdict">Of one seed: BASELINE and the others.</param>
    public static string Finding(Verdict verdict)
    {
        StringBuilder text = new();
        bool inTime = verdict.Runs.All(run => run.SecondsComparable);
        text.Append(Sentence(verdict, inTime)).Append("\n\n");
        Row(text, "", "loss at", "steps to", inTime ? "time to it," : "FLOPs to it,", "the same, small");
        Row(text, "", "the end", $"{verdict.Baseline.Label}'s", "small model free", "model charged");
        Row(text, verdict.Baseline.Label, Loss(verdict.Baseline.FinalLoss), "1", "1", "1");
        foreach (VerdictRun run in verdict.Runs)
        {
            Row(
                text,
                run.Label,
                Loss(run.FinalLoss),
                Ratio(run.Ratios.Steps),
                Ratio(inTime ? run.Ratios.Free.Seconds : run.Ratios.Free.Flops),
                Ratio(inTime ? run.Ratios.Charged.Seconds : run.Ratios.Charged.Flops)
            );
        }

        return text.ToString();
    }

    private static string Sentence(Verdict verdict, bool inTime) =>
        Sentence(
            verdict.Baseline.Label,
            inTime ? "time" : "FLOPs",
            [
                .. verdict.Runs.Select(run => new DemoWay(
                    run.Label,
                    (inTime ? run.Ratios.Free.Seconds : run.Ratios.Free.Flops)?.Mean,
                    (inTime ? run.Ratios.Charged.Seconds : run.Ratios.Charged.Flops)?.Mean
                )),
            ]
        );

    /// <summary>What was found, in one sentence.</summary>
    /// <param name="end">The baseline's name.</param>
    /// <param name="measure">What the ratios are of.</param>
    /// <param name="ways">The others.</param>
    internal static string Sentence(string end, string measure, IReadOnlyList<DemoWay> ways)
    {
        DemoWay? free = ways.Where(way => way.Free is not null).MinBy(way => way.Free);
        DemoWay? charged = ways.Where(way => way.Charged is not null).MinBy(way => way.Charged);
        if (free is null)
        {
            return $"No way came to where {end} ended: on this text, with this seed, the small model did not help.";
        }

        if (charged?.Charged < 1)
        {
            string more =
                free.Free < charged.Charged
                    ? $"; {free.Name} in {Percent(free.Free)} for who has the small model already."
                    : ".";
            return $"{charged.Name} came to where {end} ended in {Percent(charged.Charged)} of its {measure}, everything charged{more}";
        }

        string cost = charged is null
            ? "what the small model cost is not known."
            : $"with its training charged the cheapest way, {charged.Name}, took {Percent(charged.Charged)}: no saving for one student.";
        return $"{free.Name} came to where {end} ended in {Percent(free.Free)} of its {measure} with the small model for nothing; {cost}";
    }

    private static void Row(StringBuilder text, string name, params ReadOnlySpan<string> cells)
    {
        text.Append(Column.Left(name, 10));
        foreach (string cell in cells)
        {
            text.Append(Column.Right(cell, 18));
        }

        text.Append('\n');
    }

    private static string Loss(double loss) => loss.ToString("0.000", CultureInfo.InvariantCulture);

    private static string Ratio(PairedInterval? ratio) =>
        ratio?.Mean.ToString("0.00", CultureInfo.InvariantCulture) ?? "not reached";

    private static string Percent(double? ratio) => string.Create(CultureInfo.InvariantCulture, $"{100 * ratio:0} %");
}

/// <summary>What a way took to the baseline's end over the baseline.</summary>
/// <param name="Free">With the small model for nothing; null where it did not come there.</param>
/// <param name="Charged">With its training charged; null where it did not come there, or nobody knows.</param>
internal sealed record DemoWay(string Name, double? Free, double? Charged);
