using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The verdict on one arm in plain English, once with the teacher's training left out and once with it charged (docs/method.md).</summary>
internal sealed class VerdictSentence
{
    private readonly VerdictRun _arm;
    private readonly string _baseline;
    private readonly VerdictMetric _metric;

    private VerdictSentence(VerdictRun arm, string baseline, VerdictMetric metric) =>
        (_arm, _baseline, _metric) = (arm, baseline, metric);

    // Who plans for fewer steps asks whether the method makes up for them: to end worse is then to fall short, not to be harmed.
    private bool IsShorter => _arm.PlannedStepsRatio < 1;

    private string Seeds
    {
        get
        {
            if (_arm.Pairs.Count == 1)
            {
                return "1 seed";
            }

            return $"{_arm.Pairs.Count} seeds";
        }
    }

    /// <param name="smallModel">What helped the arm's runs, as <see cref="SmallModel"/> calls it; null where nothing did.</param>
    public static VerdictRun Complete(
        VerdictRun arm,
        RunGroup baseline,
        string? smallModel,
        VerdictMetric metric,
        int studentsServed
    )
    {
        var sentence = new VerdictSentence(arm, baseline.Label, metric);
        ToldCost free = ToldCost.Of(arm.Ratios.Free, arm.SecondsComparable);
        // Without a training time the charged ratio can still be told in FLOPs.
        ToldCost charged = ToldCost.Of(arm.Ratios.Charged, free.InSeconds);
        VerdictOutcome outcomeFree = sentence.Outcome(free.Ratio);
        VerdictOutcome? outcomeCharged = null;
        string sentenceCharged =
            $"What the {smallModel ?? SmallModel.Teacher}'s training cost is not known, so nothing can be said with it charged.";
        if (!arm.Reached || charged.Ratio is not null)
        {
            VerdictOutcome outcome = sentence.Outcome(charged.Ratio);
            outcomeCharged = outcome;
            sentenceCharged = sentence.WithCharge(outcome, charged, Charge(smallModel, studentsServed));
        }

        return arm with
        {
            OutcomeFree = outcomeFree,
            OutcomeCharged = outcomeCharged,
            SentenceFree = sentence.WithoutCharge(outcomeFree, free, smallModel),
            SentenceCharged = sentenceCharged,
        };
    }

    private VerdictOutcome Outcome(PairedInterval? ratio)
    {
        if (_arm.Pairs.Count < VerdictRun.SeedsOfAFinding)
        {
            return VerdictOutcome.Reading;
        }

        // A run that touched the target early and still ended worse beyond its interval has not helped, however cheap the touch was.
        if ((_arm.Reached && ratio?.Lower > 1) || EndedWorse())
        {
            return VerdictOutcome.Harmed;
        }

        if (_arm.Reached && ratio?.Upper < 1)
        {
            return VerdictOutcome.Helped;
        }

        return VerdictOutcome.NoDifference;
    }

    private bool EndedWorse()
    {
        if (_metric.LowerIsBetter)
        {
            return _arm.FinalMetricDifferenceInterval is [> 0, _];
        }

        return _arm.FinalMetricDifferenceInterval is [_, < 0];
    }

    private string WithoutCharge(VerdictOutcome outcome, ToldCost cost, string? smallModel)
    {
        string uncounted = "";
        if (smallModel is not null && _arm.Reached)
        {
            uncounted = $", the {smallModel}'s training not counted";
        }

        return $"{Head(outcome)} {Reach(cost)}{uncounted}; {Ending()}.{Weight(outcome)}{Early()}";
    }

    private string WithCharge(VerdictOutcome outcome, ToldCost cost, string charge)
    {
        if (!_arm.Reached)
        {
            return $"{charge}, the same holds.";
        }

        string finding = outcome switch
        {
            VerdictOutcome.Helped => $"{_arm.Label} helped",
            VerdictOutcome.Harmed => $"{_arm.Label} harmed",
            VerdictOutcome.NoDifference => "no difference is shown",
            _ => $"again a reading from {Seeds}",
        };
        return $"{charge}, {finding}: {cost.Words() ?? "a cost that was not recorded"}.";
    }

    private static string Charge(string? smallModel, int studentsServed)
    {
        if (smallModel is null)
        {
            return "There was no teacher to charge";
        }

        if (studentsServed == 1)
        {
            return $"With the {smallModel}'s training charged to this one run";
        }

        return $"With the {smallModel}'s training shared by {studentsServed} students";
    }

    private string Head(VerdictOutcome outcome)
    {
        string who = _arm.Label;
        string harmed = "harmed";
        if (IsShorter)
        {
            who = $"{_arm.Label}, planned for {Figures.Percent(_arm.PlannedStepsRatio)} of the steps,";
            harmed = "fell short";
        }

        return outcome switch
        {
            VerdictOutcome.Helped => $"{who} helped ({Seeds}): it",
            VerdictOutcome.Harmed => $"{who} {harmed} ({Seeds}): it",
            _ => who,
        };
    }

    // What the finding weighs, behind it: where it is none, the figures in front are all there is to say.
    private string Weight(VerdictOutcome outcome) =>
        outcome switch
        {
            VerdictOutcome.NoDifference => $" No difference from {_baseline} is shown ({Seeds}).",
            VerdictOutcome.Reading => $" A reading from {Seeds}, not a finding.",
            _ => "",
        };

    private string Reach(ToldCost cost)
    {
        int reached = _arm.Pairs.Count(pair => pair.Reached);
        if (reached == 0)
        {
            return $"did not reach {Goal()}";
        }

        if (!_arm.Reached)
        {
            return $"reached {Goal()} in {reached} of {_arm.Pairs.Count} seeds";
        }

        if (cost.Words() is not { } words)
        {
            return $"reached {Goal()}, at a cost that was not recorded";
        }

        string steps = "";
        if (_arm.Ratios.Steps is { } share)
        {
            steps = $", after {Figures.Percent(share.Mean)} of its steps";
        }

        return $"reached {Goal()} with {words}{steps}";
    }

    private string Goal()
    {
        double target = _arm.Pairs.Average(pair => pair.Target);
        if (_metric == VerdictMetric.Loss)
        {
            return $"{_baseline}'s final validation loss ({Figures.Loss(target)} nats per token)";
        }

        return $"{_baseline}'s final {_metric.Noun} ({Figures.Of(_metric, target)})";
    }

    private string Ending()
    {
        double difference = _arm.FinalMetricDifference;
        string direction = "higher";
        if (difference < 0)
        {
            direction = "lower";
        }

        if (_metric.IsShare)
        {
            return $"it ended {Figures.Format(100 * Math.Abs(difference), "0.0")} points {direction}";
        }

        string amount = Figures.Loss(Math.Abs(difference));
        bool isLoss = _metric == VerdictMetric.Loss;
        if (amount == "0.000")
        {
            return $"it ended at the same {(isLoss ? "loss" : "value")}";
        }

        return $"it ended {amount}{(isLoss ? " nats" : "")} {direction}";
    }

    private string Early()
    {
        if (_arm.Truncated)
        {
            return " Training ended before the planned steps (truncated), so the learning rate had not run down.";
        }

        return "";
    }

    /// <summary>A ratio as it is told: by the clock where clocks compare, else in FLOPs.</summary>
    private sealed record ToldCost(PairedInterval? Ratio, bool InSeconds)
    {
        public static ToldCost Of(CostRatio ratio, bool secondsCompare)
        {
            if (secondsCompare && ratio.Seconds is { } seconds)
            {
                return new ToldCost(seconds, InSeconds: true);
            }

            return new ToldCost(ratio.Flops, InSeconds: false);
        }

        /// <summary>As <c>82.5 % of the time [80.1 % to 84.9 %]</c>; null where there is no ratio.</summary>
        public string? Words()
        {
            if (Ratio is null)
            {
                return null;
            }

            string text = $"{Figures.Percent(Ratio.Mean)} of the {(InSeconds ? "time" : "FLOPs")}";
            if (Ratio is { Lower: { } low, Upper: { } high })
            {
                return $"{text} [{Figures.Percent(low)} to {Figures.Percent(high)}]";
            }

            return text;
        }
    }
}
