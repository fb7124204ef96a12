using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The report's tables of figures.</summary>
internal static class ReportTables
{
    public static XElement Finals(Verdict verdict, IReadOnlyList<ReportArm> arms) =>
        Html.Table(
            "After the last step, on the whole validation set",
            ["", "final loss, nats", "minus baseline", "paired standard error", "bits per byte", "accuracy", "steps"],
            arms.Select(arm =>
                new[]
                {
                    arm.Label,
                    Figures.Loss(arm.Verdict?.FinalLoss ?? verdict.Baseline.FinalLoss),
                    arm.Verdict is { } run
                        ? Figures.Difference(run.FinalLossDifference, run.FinalLossDifferenceInterval)
                        : Figures.Absent,
                    Figures.Format(arm.Verdict?.FinalLossDifferenceSe, "0.0000"),
                    Figures.Loss(arm.Runs.Average(one => one.Result.Final?.BitsPerByte)),
                    Figures.Percent(arm.Verdict is null ? verdict.Baseline.FinalAccuracy : arm.Verdict.FinalAccuracy),
                    Figures.Count(arm.Runs.Average(one => one.Result.Steps)),
                }
            )
        );

    public static XElement Ratios(Verdict verdict)
    {
        (string Name, Func<VerdictRun, string> Of)[] rows =
        [
            ("reached", Reached),
            ("steps", run => Figures.Ratio(run.StepsRatio, run.StepsRatioInterval)),
            ("seconds, free", run => Clock(run, run.SecondsRatio, run.SecondsRatioInterval)),
            (
                "seconds, charged",
                run => Clock(run, run.SecondsRatioTeacherCharged, run.SecondsRatioTeacherChargedInterval)
            ),
            ("FLOPs, free", run => Figures.Ratio(run.FlopsRatio, run.FlopsRatioInterval)),
            ("FLOPs, with passes", run => Figures.Ratio(run.FlopsRatioPasses, run.FlopsRatioPassesInterval)),
            (
                "FLOPs, charged",
                run => Figures.Ratio(run.FlopsRatioTeacherCharged, run.FlopsRatioTeacherChargedInterval)
            ),
        ];
        return Html.Table(
            "Cost to reach the baseline's final value, over the baseline's own: below 1 is a saving",
            ["", .. rows.Select(row => row.Name)],
            verdict.Runs.Select(run => new[] { run.Label }.Concat(rows.Select(row => row.Of(run))))
        );
    }

    public static XElement? Seeds(Verdict verdict)
    {
        if (verdict.Runs.All(run => run.Pairs.Count == 1))
        {
            return null;
        }

        return Html.Details(
            "Every seed by itself",
            Html.Table(
                "Each run beside the baseline of its seed",
                [
                    "run",
                    "seed",
                    "target",
                    "steps",
                    "steps ratio",
                    "FLOPs ratio, free",
                    "FLOPs ratio, charged",
                    "final loss minus baseline",
                    "standard error",
                ],
                verdict
                    .Runs.SelectMany(run => run.Pairs)
                    .Select(pair =>
                        new[]
                        {
                            pair.Run,
                            Figures.Count(pair.Seed),
                            Figures.Loss(pair.Target),
                            Figures.Count(pair.StepsToBaseline),
                            Figures.Ratio(pair.StepsRatio, null),
                            Figures.Ratio(pair.FlopsRatio, null),
                            Figures.Ratio(pair.FlopsRatioTeacherCharged, null),
                            Figures.SignedLoss(pair.FinalLossDifference),
                            Figures.Format(pair.FinalLossDifferenceSe, "0.0000"),
                        }
                    )
            )
        );
    }

    public static XElement? Domains(IReadOnlyList<ReportArm> arms)
    {
        string[] domains =
        [
            .. arms.SelectMany(arm => arm.Runs)
                .SelectMany(run => run.Result.Final?.Domains.Keys ?? [])
                .Distinct()
                .Order(StringComparer.Ordinal),
        ];
        if (domains.Length == 0)
        {
            return null;
        }

        double? LossOf(ReportArm arm, string domain) =>
            arm.Runs.Average(run =>
                run.Result.Final?.Domains.TryGetValue(domain, out DomainScores? scores) == true
                    ? scores.Loss
                    : (double?)null
            );
        // One column a domain: two would not fit on paper.
        string Cell(ReportArm arm, string domain)
        {
            if (arm.Index == 0)
            {
                return Figures.Loss(LossOf(arm, domain));
            }

            return $"{Figures.Loss(LossOf(arm, domain))} ({Figures.SignedLoss(LossOf(arm, domain) - LossOf(arms[0], domain))})";
        }
        return Html.Table(
            "Final loss by domain, nats per token, and in brackets its difference from the baseline's",
            ["", .. domains],
            arms.Select(arm => new[] { arm.Label }.Concat(domains.Select(domain => Cell(arm, domain))))
        );
    }

    private static string Reached(VerdictRun run)
    {
        int reached = run.Pairs.Count(pair => pair.Reached);
        string seeds = run.Pairs.Count == 1 ? (reached == 1 ? "yes" : "no") : $"{reached} of {run.Pairs.Count} seeds";
        return run.Held == false ? seeds + ", not held" : seeds;
    }

    private static string Clock(VerdictRun run, double? ratio, IReadOnlyList<double>? interval)
    {
        if (run.SecondsComparable)
        {
            return Figures.Ratio(ratio, interval);
        }

        return "not comparable";
    }
}
