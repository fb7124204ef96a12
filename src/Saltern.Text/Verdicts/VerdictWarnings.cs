using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a reader has to know before believing the numbers.</summary>
internal static class VerdictWarnings
{
    /// <summary>About one arm.</summary>
    public static IEnumerable<string> Of(
        VerdictRun arm,
        IReadOnlyList<RunRecord> runs,
        IReadOnlyList<RunRecord> baselines
    )
    {
        if (!arm.Paired)
        {
            yield return $"{arm.Label} is not paired with its baseline: "
                + "initial weights or data order differ or are not known, so part of the difference is chance.";
        }

        if (!arm.SecondsComparable)
        {
            yield return $"{arm.Label}: seconds do not compare "
                + "(other load, another machine, or neither alone nor in turns), so costs are told in FLOPs.";
        }

        if (runs.Any(LeavesUpdatesOut) != baselines.Any(LeavesUpdatesOut))
        {
            string whose = runs.Any(LeavesUpdatesOut) ? "its" : "the baseline's";
            yield return $"{arm.Label}: the products of Muon's own updates are not in {whose} FLOPs, "
                + "which were logged before they were counted.";
        }

        if (runs.FirstOrDefault(run => SmallModelCost.Of(run).Before.Flops is null) is RunRecord uncosted)
        {
            yield return $"{arm.Label}: nobody recorded what the training of {UnknownOf(uncosted.Result)} cost, "
                + "so there is no charged figure.";
        }

        if (arm.Reached && arm.Held == false)
        {
            yield return $"{arm.Label} reached the baseline's final value, "
                + $"but a later evaluation was worse again by more than {Crossing.HeldTolerance}.";
        }

        if (arm.Pairs.Any(pair => pair.Reached) && !arm.Reached)
        {
            int reached = arm.Pairs.Count(pair => pair.Reached);
            yield return $"{arm.Label} reached the baseline's final value in {reached} of {arm.Pairs.Count} seeds only.";
        }
    }

    private static bool LeavesUpdatesOut(RunRecord run) =>
        run.Result.OptimizerFlops is null
        && RecipeKeys.Flatten(run.RecipeText ?? "").GetValueOrDefault("optimizer.kind") == "muon";

    private static string UnknownOf(RunResult run)
    {
        RunAncestor? unknown = run.Origin.Concat(run.Teacher?.History ?? []).FirstOrDefault(each => each.Flops is null);
        if (unknown is not null && run.Origin.Contains(unknown))
        {
            return $"'{unknown.Name}', which the first weights came from,";
        }

        return $"the teacher '{run.Teacher?.Name ?? "unknown"}'";
    }

    /// <summary>What limits the numbers of several arms in the same way, once.</summary>
    public static IEnumerable<string> OfAll(IEnumerable<VerdictRun> arms)
    {
        VerdictRun[] uncertain = [.. arms.Where(arm => arm.FinalLossDifferenceSe >= PairedStandardError.Wanted)];
        if (uncertain.Length > 0)
        {
            string error = Figures.Loss(uncertain.Min(arm => arm.FinalLossDifferenceSe));
            string largest = Figures.Loss(uncertain.Max(arm => arm.FinalLossDifferenceSe));
            if (error != largest)
            {
                error = $"{error} to {largest}";
            }

            long? tokens = uncertain.SelectMany(arm => arm.Pairs).Max(pair => pair.TokensNeeded);
            yield return $"{string.Join(", ", uncertain.Select(arm => arm.Label))}: "
                + $"the paired standard error of the final loss, {error} nats, is not below {PairedStandardError.Wanted}; "
                + $"that takes about {Figures.Count(tokens)} tokens of validation text.";
        }
    }

    // So many names in front of a warning bury it.
    private const int MostNames = 4;

    /// <summary>The warnings as people read them: what holds of all of many arms does not name each.</summary>
    public static IEnumerable<string> InWords(Verdict verdict)
    {
        string all = string.Join(", ", verdict.Runs.Select(run => run.Label));
        foreach (string warning in verdict.Warnings)
        {
            bool ofAll = verdict.Runs.Count > MostNames && warning.StartsWith(all + ": ", StringComparison.Ordinal);
            yield return ofAll ? $"All {verdict.Runs.Count} arms{warning[all.Length..]}" : warning;
        }
    }

    /// <summary>Warnings that say the same of several arms become one, under all their names.</summary>
    public static IEnumerable<string> Grouped(IEnumerable<string> warnings, IEnumerable<string> labels) =>
        warnings
            .Select(warning =>
                (
                    Warning: warning,
                    Label: labels
                        .Where(label => warning.StartsWith(label + ": ", StringComparison.Ordinal))
                        .MaxBy(label => label.Length)
                )
            )
            .GroupBy(warning => warning.Warning[(warning.Label?.Length ?? 0)..])
            .Select(same => string.Join(", ", same.Select(warning => warning.Label).OfType<string>()) + same.Key);
}
