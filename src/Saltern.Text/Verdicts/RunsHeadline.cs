using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a report on runs by themselves says first: the finding, then what keeps it from being more.</summary>
internal static class RunsHeadline
{
    /// <summary>One sentence each.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<RunRecord> runs)
    {
        if (runs is [var run])
        {
            return [.. OfOne(run)];
        }

        RunRecord best = runs.MinBy(each => each.FinalLoss)!;
        RunRecord worst = runs.MaxBy(each => each.FinalLoss)!;
        return
        [
            $"{Named(best)} ended lowest, at {Figures.Loss(best.FinalLoss)} nats per token; "
                + $"{Named(worst)} highest, at {Figures.Loss(worst.FinalLoss)}.",
            $"{runs.Count} runs side by side, without a baseline, so without a verdict: that one is lower may be chance. "
                + "saltern compare with a baseline of the same seeds says more.",
        ];
    }

    /// <summary>As <c>+1.8 [+0.7, +3.0]</c>.</summary>
    public static string Points(MetricChange score)
    {
        const string Signed = "+0.0;−0.0;0.0";
        string text = Figures.Format(100 * score.Difference, Signed);
        if (score.DifferenceCi95 is [var low, var high])
        {
            return $"{text} [{Figures.Format(100 * low, Signed)}, {Figures.Format(100 * high, Signed)}]";
        }

        return text;
    }

    private static IEnumerable<string> OfOne(RunRecord run)
    {
        RunResult result = run.Result;
        if (!run.Finished)
        {
            CurvePoint last = run.Curve(VerdictMetric.Loss)[^1];
            yield return $"{result.Name} is not finished: after step {Figures.Count(last.Step)} "
                + $"its validation loss was {Figures.Loss(last.Value)} nats per token.";
            yield break;
        }

        if (result.FineTuning is FineTuningOutcome outcome)
        {
            foreach ((string task, TaskChange change) in outcome.Tasks)
            {
                yield return Task(task, change);
            }

            yield return $"The lowest validation loss, {Figures.Loss(result.BestLoss)} nats per token of the responses, "
                + $"came after step {Figures.Count(result.BestStep)} of {Figures.Count(result.Steps)}: "
                + "what is measured is that checkpoint.";
            yield return "One fine-tuning is a reading: another seed may give another difference.";
            yield break;
        }

        string also = "";
        if (result.Final is FinalScores { BitsPerByte: double bits, Accuracy: double accuracy })
        {
            also = $" ({Figures.Loss(bits)} bits per byte, {Figures.Percent(accuracy)} of next tokens right)";
        }

        yield return $"{result.Name} ended at a validation loss of {Figures.Loss(run.FinalLoss)} nats per token{also}, "
            + $"after {Figures.Count(result.Steps)} steps, {Figures.Seconds(result.Seconds)} and {Figures.Flops(result.Flops)}.";
        if (result.Truncated)
        {
            yield return $"It ended before its {Figures.Count(result.PlannedSteps)} planned steps (truncated), "
                + "so the learning rate had not run down.";
        }

        if (result.Teacher is RunTeacher teacher)
        {
            yield return $"{teacher.Name} taught it up to step {Figures.Count(result.Stage1EndStep)}; "
                + "what that saved a comparison with a baseline says.";
        }
    }

    private static string Task(string task, TaskChange change)
    {
        MetricChange score = change.Metrics[change.MainMetric];
        string direction = "No difference is shown";
        if (score.DifferenceCi95 is [> 0, _])
        {
            direction = "It got better";
        }
        else if (score.DifferenceCi95 is [_, < 0])
        {
            direction = "It got worse";
        }

        return $"{direction} at {task}: {change.MainMetric} {Figures.Percent(score.Before)} before, "
            + $"{Figures.Percent(score.After)} after, {Points(score)} points over {Figures.Count(change.Items)} items.";
    }

    private static string Named(RunRecord run) => $"{run.Result.Name} (seed {run.Result.Seed})";
}
