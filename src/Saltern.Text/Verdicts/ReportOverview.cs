using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The opening of a report on many arms: what can be said of all of them in a few lines, where sentence after sentence would be a wall.</summary>
internal static class ReportOverview
{
    /// <summary>With more arms than this, the report opens with a summary, and pictures and texts of single arms move down.</summary>
    public const int MostArmsInFull = 4;

    /// <summary>Whether a verdict has too many arms to tell one after the other.</summary>
    public static bool Fits(Verdict verdict) => verdict.Runs.Count > MostArmsInFull;

    /// <summary>What the page is called.</summary>
    public static string Title(Verdict verdict, ReportContext context)
    {
        string title = $"{Arms(verdict)} against {verdict.Baseline.Label}";
        if (context.FineTuning.Count > 0)
        {
            title += ", and after fine-tuning";
        }

        return context.Study is { } study ? $"{study}: {title}" : title;
    }

    /// <summary>What was trained, in a line: sizes, tokens, seeds.</summary>
    public static string Subject(IReadOnlyList<ReportArm> arms)
    {
        RunRecord[] runs = [.. arms.SelectMany(arm => arm.Runs)];
        string parameters = Span(runs.Select(run => run.Result.StudentParameters));
        string tokens = Span(runs.Select(run => run.Result.Tokens));
        int seeds = runs.Select(run => run.Result.Seed).Distinct().Count();
        return $"Students of {parameters} parameters, {tokens} tokens a run, {seeds} {(seeds == 1 ? "seed" : "seeds")}.";
    }

    private static string Span(IEnumerable<long> numbers)
    {
        string[] ends = [.. new[] { numbers.Min(), numbers.Max() }.Select(number => Figures.Amount(number)).Distinct()];
        return string.Join(" to ", ends);
    }

    private static string Arms(Verdict verdict)
    {
        if (Fits(verdict))
        {
            return $"{verdict.Runs.Count} arms";
        }

        return string.Join(", ", verdict.Runs.Select(run => run.Label));
    }

    /// <summary>The cheapest of the arms that helped; null where none did.</summary>
    public static VerdictRun? Best(Verdict verdict) =>
        verdict
            .Runs.Where(run => run.OutcomeFree == VerdictOutcome.Helped)
            .MinBy(run => CostOf(run, verdict.SecondsComparable));

    private static double CostOf(VerdictRun run, bool bySeconds)
    {
        PairedInterval? told = run.Ratios.Free.Flops;
        if (bySeconds && run.Ratios.Free.Seconds is { } seconds)
        {
            told = seconds;
        }

        return told?.Mean ?? double.PositiveInfinity;
    }

    /// <summary>The count of outcomes, the cheapest arm that helped, and what choosing it afterwards means.</summary>
    public static XElement Verdict(Verdict verdict)
    {
        List<XElement> parts = [];
        if (Best(verdict) is { } best)
        {
            parts.Add(Html.Element("p", "free", best.SentenceFree));
            parts.Add(Html.Element("p", "charged", best.SentenceCharged));
            parts.Add(Html.Element("p", "counts", Counts(verdict)));
            int helped = verdict.Runs.Count(run => run.OutcomeFree == VerdictOutcome.Helped);
            string among = helped > 1 ? $"It is the cheapest of the {helped} that helped, chosen" : "It was chosen";
            parts.Add(
                Html.Element(
                    "p",
                    "note",
                    $"{among} after the fact among {verdict.Runs.Count} arms, which flatters its figure a little; "
                        + "the picture shows all of them."
                )
            );
        }
        else
        {
            parts.Add(Html.Element("p", "free", Counts(verdict)));
        }

        return Html.Element("div", "verdict overview", [.. parts]);
    }

    /// <summary>The count of outcomes, in words.</summary>
    public static string Counts(Verdict verdict)
    {
        int Count(Func<VerdictRun, bool> holds) => verdict.Runs.Count(holds);
        (int Number, string Words)[] parts =
        [
            (Count(run => run.OutcomeFree == VerdictOutcome.Helped), "helped"),
            (Count(run => run.OutcomeFree == VerdictOutcome.Harmed && run.PlannedStepsRatio >= 1), "harmed"),
            (
                Count(run => run.OutcomeFree == VerdictOutcome.Harmed && run.PlannedStepsRatio < 1),
                "fell short on fewer steps"
            ),
            (Count(run => run.OutcomeFree == VerdictOutcome.NoDifference), "showed no difference"),
            (
                Count(run => run.OutcomeFree == VerdictOutcome.Reading),
                $"had fewer than {VerdictRun.SeedsOfAFinding} seeds"
            ),
        ];
        IEnumerable<string> counts = parts.Where(part => part.Number > 0).Select(part => $"{part.Number} {part.Words}");
        return $"Of {verdict.Runs.Count} arms against {verdict.Baseline.Label}, {string.Join(", ", counts)}.";
    }

    /// <summary>All sentences, for those who want each.</summary>
    public static XElement ArmByArm(Verdict verdict) =>
        Html.Section("Arm by arm", Html.Element("div", "arms", [.. verdict.Runs.SelectMany(Sentences)]));

    /// <summary>An arm's two sentences.</summary>
    public static IEnumerable<XElement> Sentences(VerdictRun run) =>
        [Html.Element("p", "free", run.SentenceFree), Html.Element("p", "charged", run.SentenceCharged)];

    /// <summary>What a reader has to know first.</summary>
    public static XElement Warnings(Verdict verdict) =>
        Html.Element(
            "div",
            "",
            [.. VerdictWarnings.InWords(verdict).Select(warning => Html.Element("p", "warning", warning))]
        );
}
