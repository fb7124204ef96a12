using System.Text;

namespace Saltern.Verdicts;

/// <summary>Judgements for a terminal, and all of them as one Markdown page.</summary>
internal static class JudgementText
{
    private const string Rule =
        "A finding wants 5 paired seeds and p < 0.01 after Holm's correction for the number of arms.";

    /// <summary>A table, one line a claim, and what of it is a finding.</summary>
    /// <returns>Lines that end in a line feed each.</returns>
    public static string Write(Judgement judgement)
    {
        List<string[]> rows =
        [
            ["arm", "measure", "seeds", "mean [95 %]", "p", "Holm", "least seen", "standing"],
        ];
        rows.AddRange(
            judgement.Claims.Select(claim =>
                new[]
                {
                    claim.Arm,
                    NameOf(claim.Measure),
                    Figures.Count(claim.Seeds),
                    Effect(claim),
                    P(claim.P),
                    P(claim.AdjustedP),
                    Least(claim),
                    Standing(claim),
                }
            )
        );
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            text.Append(string.Join("  ", row.Zip(widths, (cell, width) => cell.PadRight(width))).TrimEnd())
                .Append('\n');
        }

        int findings = judgement.Claims.Count(claim => claim.Standing == ClaimStanding.Finding);
        int told = judgement.Claims.Count(claim => claim.Standing != ClaimStanding.Nothing);
        return text.Append($"{findings} of {told} claims against {judgement.Baseline} are findings. {Rule}\n")
            .Append("'least seen' is the smallest true effect that these seeds would have shown in 4 of 5 studies.\n")
            .ToString();
    }

    /// <summary>The page: one track a judgement, the arm with the lowest loss first.</summary>
    /// <param name="tracks">Name, path from the page, commits of the program that ran it, and judgement of each.</param>
    public static string Leaderboard(IReadOnlyList<LeaderboardTrack> tracks)
    {
        var text = new StringBuilder();
        text.Append("# Leaderboard\n\n")
            .Append("Every verdict under this folder, by the rules of [judging.md](../docs/judging.md). ")
            .Append(
                $"{Rule} Losses in nats a token, costs over the baseline's own to its end; below 0, and below 1, is better. "
            )
            .Append(
                "Intervals and p of the final loss are over seeds, small models and validation documents; of costs over seeds. "
            )
            .Append(
                "At equal charged FLOPs the dearer of the two is read in the middle of its schedule, which flatters the other. "
            )
            .Append(
                "Made by `saltern judge experiments --leaderboard experiments/LEADERBOARD.md`; not written by hand.\n"
            );
        foreach (LeaderboardTrack track in tracks)
        {
            Judgement judged = track.Judgement;
            text.Append($"\n## [{track.Name}]({track.Link})\n\n")
                .Append(
                    $"{judged.Baseline}: {Figures.Count(judged.BaselineSteps)} steps, {Figures.Flops(judged.BaselineFlops)}, "
                )
                .Append($"final loss {Figures.Loss(judged.BaselineLoss)}. ")
                .Append(
                    $"Program: {(track.Commits.Count == 0 ? "not recorded" : string.Join(", ", track.Commits))}.\n\n"
                )
                .Append(
                    "| arm | seeds / small models / documents | whole run, charged: FLOPs / time | final loss | p (Holm) "
                        + "| at equal charged FLOPs | FLOPs free | charged | time free | charged | standing |\n"
                )
                .Append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
            foreach (IGrouping<string, Claim> arm in ByLoss(judged))
            {
                Dictionary<ClaimMeasure, Claim> claims = arm.ToDictionary(claim => claim.Measure);
                string[] cells =
                [
                    arm.Key,
                    DrawnFrom(claims[ClaimMeasure.FinalLoss]),
                    Whole(claims[ClaimMeasure.FinalLoss]),
                    Effect(claims[ClaimMeasure.FinalLoss]),
                    P(claims[ClaimMeasure.FinalLoss].AdjustedP),
                    Effect(claims[ClaimMeasure.EqualChargedFlops]),
                    Mean(claims[ClaimMeasure.Flops]),
                    Mean(claims[ClaimMeasure.FlopsCharged]),
                    Mean(claims[ClaimMeasure.Time]),
                    Mean(claims[ClaimMeasure.TimeCharged]),
                    Standing(arm),
                ];
                text.Append(
                    $"| {string.Join(" | ", cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |\n"
                );
            }
        }

        return text.ToString();
    }

    // What the interval of the final loss is over: seeds, small models, validation documents.
    private static string DrawnFrom(Claim claim) =>
        $"{Figures.Count(claim.Seeds)} / {Figures.Count(claim.SmallModels)} / {Figures.Count(claim.Documents)}";

    // What the difference of the final loss was bought for: two ends of two schedules.
    private static string Whole(Claim claim) =>
        $"{Figures.Format(claim.Whole.Flops, "0.000")} / {Figures.Format(claim.Whole.Seconds, "0.000")}";

    private static IEnumerable<IGrouping<string, Claim>> ByLoss(Judgement judged) =>
        judged
            .Claims.GroupBy(claim => claim.Arm)
            .OrderBy(arm =>
                arm.First(claim => claim.Measure == ClaimMeasure.FinalLoss).Effect?.Mean ?? double.MaxValue
            );

    private static string Standing(IEnumerable<Claim> arm)
    {
        string[] found =
        [
            .. arm.Where(claim => claim.Standing == ClaimStanding.Finding)
                .Select(claim => NameOf(claim.Measure) + Worse(claim)),
        ];
        return found.Length == 0 ? "reading" : "finding: " + string.Join(", ", found);
    }

    private static string Standing(Claim claim) =>
        claim.Standing switch
        {
            ClaimStanding.Finding => "finding" + Worse(claim),
            ClaimStanding.Reading => "reading: " + claim.Objection,
            _ => claim.Objection!,
        };

    private static string Worse(Claim claim)
    {
        if (claim.IsWorse)
        {
            return claim.IsRatio ? " (dearer)" : " (worse)";
        }

        return "";
    }

    private static string Effect(Claim claim)
    {
        if (claim.Effect is not PairedInterval effect)
        {
            return Figures.Absent;
        }

        return claim.IsRatio ? Figures.Ratio(effect) : Figures.Difference(effect.Mean, effect.Ends);
    }

    private static string Mean(Claim claim) => Figures.MeanRatio(claim.Effect);

    private static string P(double? p) => p is double value ? Figures.PValue(value) : Figures.Absent;

    private static string Least(Claim claim) =>
        claim.IsRatio ? Figures.Format(claim.SmallestDetectable, "0.000") : Figures.Loss(claim.SmallestDetectable);

    private static string NameOf(ClaimMeasure measure) =>
        measure switch
        {
            ClaimMeasure.FinalLoss => "final loss",
            ClaimMeasure.EqualChargedFlops => "loss at equal charged FLOPs",
            ClaimMeasure.Steps => "steps",
            ClaimMeasure.Flops => "FLOPs",
            ClaimMeasure.FlopsCharged => "FLOPs charged",
            ClaimMeasure.Time => "time",
            _ => "time charged",
        };
}

/// <summary>A verdict's place on the leaderboard.</summary>
/// <param name="Name">Name of its folder.</param>
/// <param name="Link">Path from the page.</param>
/// <param name="Commits">Commits of the programs that ran it, ten digits; none where they were not recorded.</param>
/// <param name="Judgement">What it carries.</param>
internal sealed record LeaderboardTrack(string Name, string Link, IReadOnlyList<string> Commits, Judgement Judgement);
