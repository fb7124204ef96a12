using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The verdict on one arm in plain English, once with the teacher's training left out and once with it charged (docs/method.md).</summary>
internal static class VerdictSentence
{
    public static VerdictRun Complete(
        VerdictRun arm,
        RunGroup baseline,
        bool distilled,
        VerdictMetric metric,
        int studentsServed
    )
    {
        bool bySeconds = arm.SecondsComparable && arm.SecondsRatio is not null;
        double? free = bySeconds ? arm.SecondsRatio : arm.FlopsRatio;
        IReadOnlyList<double>? freeInterval = bySeconds ? arm.SecondsRatioInterval : arm.FlopsRatioInterval;
        // Without a training time the charged figure can still be told in FLOPs.
        bool chargedBySeconds = bySeconds && arm.SecondsRatioTeacherCharged is not null;
        double? charged = chargedBySeconds ? arm.SecondsRatioTeacherCharged : arm.FlopsRatioTeacherCharged;
        IReadOnlyList<double>? chargedInterval = chargedBySeconds
            ? arm.SecondsRatioTeacherChargedInterval
            : arm.FlopsRatioTeacherChargedInterval;

        VerdictOutcome outcomeFree = Outcome(arm, freeInterval, metric);
        VerdictOutcome? outcomeCharged = arm.Reached && charged is null ? null : Outcome(arm, chargedInterval, metric);
        string uncounted = distilled && arm.Reached ? ", the teacher's training not counted" : "";
        string chargedTo = studentsServed == 1 ? "charged to this one run" : $"shared by {studentsServed} students";
        return arm with
        {
            OutcomeFree = outcomeFree,
            OutcomeCharged = outcomeCharged,
            SentenceFree = Compose(arm, baseline, metric, outcomeFree, free, freeInterval, bySeconds, uncounted),
            SentenceCharged = outcomeCharged is { } outcome
                ? ComposeCharged(
                    arm,
                    outcome,
                    charged,
                    chargedInterval,
                    chargedBySeconds,
                    distilled ? $"With the teacher's training {chargedTo}" : "There was no teacher to charge"
                )
                : "What the teacher's training cost is not known, so nothing can be said with it charged.",
        };
    }

    internal static VerdictOutcome Outcome(VerdictRun arm, IReadOnlyList<double>? ratioInterval, VerdictMetric metric)
    {
        if (arm.Pairs.Count < VerdictRun.SeedsOfAFinding)
        {
            return VerdictOutcome.Reading;
        }

        bool endedWorse = metric.LowerIsBetter
            ? arm.FinalMetricDifferenceInterval is [> 0, _]
            : arm.FinalMetricDifferenceInterval is [_, < 0];
        // A run that touched the target early and still ended worse beyond its interval has not helped, however cheap the touch was.
        if ((arm.Reached && ratioInterval is [> 1, _]) || endedWorse)
        {
            return VerdictOutcome.Harmed;
        }

        if (arm.Reached && ratioInterval is [_, < 1])
        {
            return VerdictOutcome.Helped;
        }

        return VerdictOutcome.NoDifference;
    }

    private static string Compose(
        VerdictRun arm,
        RunGroup baseline,
        VerdictMetric metric,
        VerdictOutcome outcome,
        double? ratio,
        IReadOnlyList<double>? interval,
        bool bySeconds,
        string charge
    )
    {
        // Who plans for fewer steps asks whether the method makes up for them: to end worse is then to fall short, not to be harmed.
        bool isShorter = arm.PlannedStepsRatio < 1;
        string seeds = Seeds(arm);
        string who = isShorter
            ? $"{arm.Label}, planned for {Figures.Percent(arm.PlannedStepsRatio)} of the steps,"
            : arm.Label;
        string head = outcome switch
        {
            VerdictOutcome.Helped => $"{who} helped ({seeds}): it",
            VerdictOutcome.Harmed => $"{who} {(isShorter ? "fell short" : "harmed")} ({seeds}): it",
            VerdictOutcome.NoDifference =>
                $"No difference shown between {arm.Label} and {baseline.Label} ({seeds}): {who}",
            _ => $"A reading from {seeds}, not a finding: {who}",
        };
        double target = arm.Pairs.Average(pair => pair.Target);
        string goal =
            metric == VerdictMetric.Loss
                ? $"{baseline.Label}'s final validation loss ({Figures.Loss(target)} nats per token)"
                : $"{baseline.Label}'s final {metric.Noun} ({Figures.Of(metric, target)})";
        return $"{head} {Reach(arm, goal, ratio, interval, bySeconds)}{charge}; {Ending(arm, metric)}.{Early(arm)}";
    }

    private static string ComposeCharged(
        VerdictRun arm,
        VerdictOutcome outcome,
        double? ratio,
        IReadOnlyList<double>? interval,
        bool bySeconds,
        string charge
    )
    {
        if (!arm.Reached)
        {
            return $"{charge}, the same holds.";
        }

        string cost = ratio is { } value
            ? $"{Figures.Percent(value)} of the {(bySeconds ? "time" : "FLOPs")}{Range(interval)}"
            : "a cost that was not recorded";
        string finding = outcome switch
        {
            VerdictOutcome.Helped => $"{arm.Label} helped",
            VerdictOutcome.Harmed => $"{arm.Label} harmed",
            VerdictOutcome.NoDifference => "no difference is shown",
            _ => $"again a reading from {Seeds(arm)}",
        };
        return $"{charge}, {finding}: {cost}.";
    }

    private static string Seeds(VerdictRun arm) => arm.Pairs.Count == 1 ? "1 seed" : $"{arm.Pairs.Count} seeds";

    private static string Range(IReadOnlyList<double>? interval)
    {
        if (interval is [var low, var high])
        {
            return $" [{Figures.Percent(low)} to {Figures.Percent(high)}]";
        }

        return "";
    }

    private static string Reach(
        VerdictRun arm,
        string goal,
        double? ratio,
        IReadOnlyList<double>? interval,
        bool bySeconds
    )
    {
        if (!arm.Reached)
        {
            int reached = arm.Pairs.Count(pair => pair.Reached);
            if (reached == 0)
            {
                return $"did not reach {goal}";
            }

            return $"reached {goal} in {reached} of {arm.Pairs.Count} seeds";
        }

        if (ratio is not { } value)
        {
            return $"reached {goal}, at a cost that was not recorded";
        }

        string unit = bySeconds ? "time" : "FLOPs";
        string steps = arm.StepsRatio is { } share ? $", after {Figures.Percent(share)} of its steps" : "";
        return $"reached {goal} with {Figures.Percent(value)} of the {unit}{Range(interval)}{steps}";
    }

    private static string Ending(VerdictRun arm, VerdictMetric metric)
    {
        double difference = arm.FinalMetricDifference;
        if (metric.IsShare)
        {
            return $"it ended {Figures.Format(100 * Math.Abs(difference), "0.0")} points {(difference < 0 ? "lower" : "higher")}";
        }

        string amount = Figures.Loss(Math.Abs(difference));
        string unit = metric == VerdictMetric.Loss ? " nats" : "";
        if (amount == "0.000")
        {
            return $"it ended at the same {(metric == VerdictMetric.Loss ? "loss" : "value")}";
        }

        return $"it ended {amount}{unit} {(difference < 0 ? "lower" : "higher")}";
    }

    private static string Early(VerdictRun arm)
    {
        if (arm.Truncated)
        {
            return " Training ended before the planned steps (truncated), so the learning rate had not run down.";
        }

        return "";
    }
}
