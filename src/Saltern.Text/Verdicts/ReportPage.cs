using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>A verdict as one HTML file that can be mailed, printed and read on a phone: no script, no network, a data table behind each plot.</summary>
public static class ReportPage
{
    /// <summary>Writes the page; an existing file is replaced in one go.</summary>
    /// <param name="path">Where to; the folder is made if it does not exist.</param>
    /// <param name="verdict">What was found.</param>
    /// <param name="baselines">The baseline's runs, as given to <see cref="Verdict.Compute"/>.</param>
    /// <param name="others">The other runs, as given to <see cref="Verdict.Compute"/>.</param>
    /// <exception cref="DataFormatException">The runs are not those of the verdict.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(
        string path,
        Verdict verdict,
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others
    ) => Write(path, verdict, baselines, others, new ReportContext());

    /// <summary>As the other, with what is known beside the runs.</summary>
    internal static void Write(
        string path,
        Verdict verdict,
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others,
        ReportContext context
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ReportFile.Replace(path, ToHtml(verdict, baselines, others, context));
    }

    /// <summary>The page as text.</summary>
    internal static string ToHtml(
        Verdict verdict,
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others,
        ReportContext? context = null
    )
    {
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(baselines);
        ArgumentNullException.ThrowIfNull(others);
        IReadOnlyList<ReportArm> arms = ReportArm.Of(verdict, baselines, others);
        context ??= new ReportContext();
        string title = ReportOverview.Title(verdict, context);
        return ReportFile.Page(title, Body(verdict, arms, title, context));
    }

    // With few arms the sentences come first and the curves carry them; with many a summary, and a picture of all verdicts.
    private static IReadOnlyList<XElement?> Body(
        Verdict verdict,
        IReadOnlyList<ReportArm> arms,
        string title,
        ReportContext context
    ) =>
        [
            Html.Element("h1", "", title),
            Html.Element("div", "note subject", ReportOverview.Subject(arms)),
            .. Opening(verdict, arms, ReportFineTuning.Sentences(arms[0].Runs[0].Result.Arm, context.FineTuning)),
            ReportFineTuning.Section(arms[0].Runs[0].Result.Arm, context.FineTuning),
            Html.Section(
                "The figures",
                ReportTables.Finals(verdict, arms),
                ReportTables.Ratios(verdict),
                Explanation(verdict),
                ReportTables.Seeds(verdict)
            ),
            Domains(arms),
            ReportDifficulty.Section(arms),
            ReportSwitch.Section(arms),
            Html.Section("Against what it cost", [.. CostCurves(verdict, arms)]),
            ReportProvenance.Samples(arms, ShownOfMany(verdict)),
            ReportProvenance.Section(arms),
            Html.Element(
                "footer",
                "",
                ReportFile.Written()
                    + " Losses in nats per token; 95 % intervals by Student's t over paired seeds, standard errors by document."
            ),
        ];

    private static IEnumerable<XElement> Opening(
        Verdict verdict,
        IReadOnlyList<ReportArm> arms,
        IReadOnlyList<string> tuned
    )
    {
        if (ReportOverview.Fits(verdict))
        {
            return
            [
                ReportOverview.Verdict(verdict),
                ForestPlot.Figure(verdict),
                ReportOverview.Warnings(verdict),
                ReportFigures.Multiples(verdict, arms, PlotCost.Steps),
                ReportFigures.Schedules(verdict.Metric, arms),
                ReportOverview.ArmByArm(verdict),
            ];
        }

        string look = "verdict";
        if (verdict.Runs.Count > 1)
        {
            look = "verdict several";
        }

        return
        [
            Html.Element(
                "div",
                look,
                [
                    .. verdict.Runs.SelectMany(ReportOverview.Sentences),
                    .. tuned.Select(sentence => Html.Element("p", "free", sentence)),
                ]
            ),
            ReportOverview.Warnings(verdict),
            ReportFigures.Curves(verdict, arms, PlotCost.Steps),
            ReportFigures.Schedules(verdict.Metric, arms),
        ];
    }

    private static XElement? Domains(IReadOnlyList<ReportArm> arms)
    {
        if (ReportTables.Domains(arms) is { } domains)
        {
            return Html.Section("By domain", domains);
        }

        return null;
    }

    private static IEnumerable<XElement> CostCurves(Verdict verdict, IReadOnlyList<ReportArm> arms)
    {
        if (ReportOverview.Fits(verdict))
        {
            yield return Html.Details("Arm by arm", ReportFigures.Multiples(verdict, arms, PlotCost.Flops));
            yield break;
        }

        if (verdict.SecondsComparable)
        {
            yield return ReportFigures.Curves(verdict, arms, PlotCost.Seconds);
        }

        yield return ReportFigures.Curves(verdict, arms, PlotCost.Flops);
    }

    // Of many arms one stands beside the baseline; null for all side by side.
    private static string? ShownOfMany(Verdict verdict)
    {
        if (ReportOverview.Fits(verdict))
        {
            return ReportOverview.Best(verdict)?.Label;
        }

        return null;
    }

    private static XElement Explanation(Verdict verdict)
    {
        string sharing = "";
        if (verdict.StudentsServed > 1)
        {
            sharing = $", shared by {verdict.StudentsServed} students";
        }

        string passes = "";
        if (ReportTables.HasPasses(verdict))
        {
            passes = "With passes: plus passes of the teacher for a cache or scores. ";
        }

        string clocks = "";
        if (!ReportTables.HasSeconds(verdict))
        {
            clocks = "Seconds are not comparable here, so there is no column of them. ";
        }

        return Html.Element(
            "p",
            "note",
            "Free: what the run itself executed, a live teacher included. "
                + passes
                + $"Charged: plus the teacher's own training{sharing}. "
                + clocks
                + "A crossing while the learning rate is still falling understates a saving: that model is not yet annealed."
        );
    }
}
