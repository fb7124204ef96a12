namespace Saltern.Reporting;

/// <summary>What a reader has to know about one arm before believing its figures.</summary>
internal static class VerdictWarnings
{
    public static IEnumerable<string> Of(VerdictRun arm, IReadOnlyList<RunRecord> runs)
    {
        if (!arm.Paired)
        {
            yield return $"{arm.Label} is not paired with its baseline: initial weights or data order differ or are not known, so part of the difference is chance.";
        }

        if (!arm.SecondsComparable)
        {
            yield return $"{arm.Label}: seconds do not compare (other load, another machine, or neither alone nor in turns), so costs are told in FLOPs.";
        }

        RunRecord[] uncosted = [.. runs.Where(run => run.IsDistilled && run.Result.Teacher?.TrainingFlops is null)];
        if (uncosted.Length > 0)
        {
            yield return $"{arm.Label}: nobody recorded what the training of the teacher '{uncosted[0].Result.Teacher?.Name ?? "unknown"}' cost, so there is no charged figure.";
        }

        if (arm.Reached && arm.Held == false)
        {
            yield return $"{arm.Label} reached the baseline's final value, but a later evaluation was worse again by more than {Crossing.HeldTolerance}.";
        }

        if (arm.Pairs.Any(pair => pair.Reached) && !arm.Reached)
        {
            yield return $"{arm.Label} reached the baseline's final value in {arm.Pairs.Count(pair => pair.Reached)} of {arm.Pairs.Count} seeds only.";
        }

        if (arm.FinalLossDifferenceSe >= PairedStandardError.Wanted)
        {
            yield return $"{arm.Label}: the paired standard error of the final loss, {Figures.Loss(arm.FinalLossDifferenceSe)} nats, is not below {PairedStandardError.Wanted}; that takes about {Figures.Count(arm.Pairs.Max(pair => pair.TokensNeeded))} tokens of validation text.";
        }
    }
}
