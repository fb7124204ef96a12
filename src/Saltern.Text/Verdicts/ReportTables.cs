using System.Xml.Linq;

namespace Saltern.Verdicts;

/// <summary>The report's tables of numbers.</summary>
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
                    Figures.Difference(arm.Verdict?.FinalLossDifference, arm.Verdict?.FinalLossDifferenceInterval),
                    Figures.Format(arm.Verdict?.FinalLossDifferenceSe, "0.0000"),
                    Figures.Loss(arm.Runs.Average(one => one.Result.Final?.BitsPerByte)),
                    Figures.Percent(Accuracy(verdict, arm)),
                    Figures.Count(arm.Runs.Average(one => one.Result.Steps)),
                }
            )
        );

    public static XElement Ratios(Verdict verdict)
    {
        List<(string Name, Func<VerdictRun, string> Of)> rows =
        [
            ("reached", Reached),
            ("steps", run => Figures.Ratio(run.Ratios.Steps)),
        ];
        // Columns that say the same in every line cost the width of those that do not.
        if (HasSeconds(verdict))
        {
            rows.Add(("seconds, free", run => Clock(run, run.Ratios.Free)));
            rows.Add(("seconds, charged", run => Clock(run, run.Ratios.Charged)));
        }

        rows.Add(("FLOPs, free", run => Figures.Ratio(run.Ratios.Free.Flops)));
        if (HasPasses(verdict))
        {
            rows.Add(("FLOPs, with passes", run => Figures.Ratio(run.Ratios.WithPasses.Flops)));
        }

        rows.Add(("FLOPs, charged", run => Figures.Ratio(run.Ratios.Charged.Flops)));
        rows.Add(("whole run, FLOPs charged", run => Figures.MeanRatio(run.Whole.Charged.Flops)));
        if (HasSeconds(verdict))
        {
            rows.Add(("whole run, seconds charged", run => Clock(run, run.Whole.Charged)));
        }

        return Html.Table(
            "Cost to reach the baseline's final value, over the baseline's own: below 1 is a saving",
            ["", .. rows.Select(row => row.Name)],
            verdict.Runs.Select(run => new[] { run.Label }.Concat(rows.Select(row => row.Of(run))))
        );
    }

    /// <summary>Whether the clocks of any arm compare with the baseline's.</summary>
    public static bool HasSeconds(Verdict verdict) => verdict.Runs.Any(run => run.SecondsComparable);

    /// <summary>Whether a teacher read text beside the run, for a cache or for scores.</summary>
    public static bool HasPasses(Verdict verdict) =>
        verdict.Runs.Any(run => run.Ratios.WithPasses.Flops?.Mean != run.Ratios.Free.Flops?.Mean);

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
                            Figures.Count(pair.ToBaseline?.Steps),
                            Figures.MeanRatio(pair.Ratios.Steps),
                            Figures.MeanRatio(pair.Ratios.Free.Flops),
                            Figures.MeanRatio(pair.Ratios.Charged.Flops),
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
            arm.Runs.Average(run => run.Result.Final?.Domains.GetValueOrDefault(domain)?.Loss);
        // One column a domain: two would not fit on paper.
        string Cell(ReportArm arm, string domain)
        {
            if (arm.Index == 0)
            {
                return Figures.Loss(LossOf(arm, domain));
            }

            double? own = LossOf(arm, domain);
            return $"{Figures.Loss(own)} ({Figures.SignedLoss(own - LossOf(arms[0], domain))})";
        }
        return Html.Table(
            "Final loss by domain, nats per token, and in brackets its difference from the baseline's",
            ["", .. domains],
            arms.Select(arm => new[] { arm.Label }.Concat(domains.Select(domain => Cell(arm, domain))))
        );
    }

    private static double? Accuracy(Verdict verdict, ReportArm arm)
    {
        if (arm.Verdict is { } run)
        {
            return run.FinalAccuracy;
        }

        return verdict.Baseline.FinalAccuracy;
    }

    private static string Reached(VerdictRun run)
    {
        string seeds = $"{run.Pairs.Count(pair => pair.Reached)} of {run.Pairs.Count} seeds";
        if (run.Pairs is [var pair])
        {
            seeds = "no";
            if (pair.Reached)
            {
                seeds = "yes";
            }
        }

        if (run.Held == false)
        {
            return seeds + ", not held";
        }

        return seeds;
    }

    private static string Clock(VerdictRun run, CostRatio ratio)
    {
        if (run.SecondsComparable)
        {
            return Figures.Ratio(ratio.Seconds);
        }

        return "not comparable";
    }
}
