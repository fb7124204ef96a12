using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class VerdictSentenceTests
{
    private static readonly int[] Seeds = [1, 2, 3];

    [Fact]
    public void OneSeed_IsAReading()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        VerdictRun run = Verdict.Compute([baseline], [salt]).Runs[0];
        Assert.Equal(
            "SALT reached BASELINE's final validation loss (3.715 nats per token) "
                + "with 82.5 % of the time, "
                + "after 79.5 % of its steps, the teacher's training not counted; it ended 0.090 nats lower. "
                + "A reading from 1 seed, not a finding.",
            Plain(run.SentenceFree)
        );
        Assert.Equal(
            "With the teacher's training charged to this one run, again a reading from 1 seed: 118.6 % of the time.",
            Plain(run.SentenceCharged)
        );
    }

    [Fact]
    public void TwoSeeds_AreAReadingToo()
    {
        VerdictRun run = Verdict
            .Compute(
                [Constant("baseline", 1, 1), Constant("baseline", 2, 1)],
                [Constant("salt", 1, 0.5), Constant("salt", 2, 0.5)]
            )
            .Runs[0];
        Assert.Equal(VerdictOutcome.Reading, run.OutcomeFree);
        Assert.EndsWith(". A reading from 2 seeds, not a finding.", run.SentenceFree, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.80, 0.85, 0.78, VerdictOutcome.Helped)]
    [InlineData(0.80, 1.10, 0.95, VerdictOutcome.NoDifference)]
    [InlineData(1.20, 1.30, 1.25, VerdictOutcome.Harmed)]
    public void Outcome_FollowsTheIntervalOfTheRatio(double first, double second, double third, VerdictOutcome expected)
    {
        double[] ratios = [first, second, third];
        VerdictRun run = Verdict
            .Compute(
                [.. Seeds.Select(seed => Constant("baseline", seed, 1))],
                [.. Seeds.Select(seed => Constant("salt", seed, ratios[seed - 1]))]
            )
            .Runs[0];
        Assert.Equal(expected, run.OutcomeFree);
        Assert.StartsWith("SALT ", run.SentenceFree, StringComparison.Ordinal);
        Assert.Equal(
            expected == VerdictOutcome.NoDifference,
            run.SentenceFree.EndsWith(". No difference from BASELINE is shown (3 seeds).", StringComparison.Ordinal)
        );
        Assert.Equal(Math.Exp(ratios.Average(Math.Log)), run.StepsRatio!.Value, 9);
    }

    [Fact]
    public void WorseFinalLossInAllSeeds_Harms()
    {
        VerdictRun run = VerdictTests.Study(3.80, 250).Runs[0];
        Assert.False(run.Reached);
        Assert.Equal(VerdictOutcome.Harmed, run.OutcomeFree);
        Assert.Matches(
            @"^SALT harmed \(3 seeds\): it did not reach .*; it ended 0\.\d{3} nats higher\.$",
            run.SentenceFree
        );
        Assert.Equal("With the teacher's training charged to this one run, the same holds.", run.SentenceCharged);
    }

    [Fact]
    public void AShorterPlanThatEndsWorse_FallsShort()
    {
        RunRecord[] salt =
        [
            .. Seeds
                .Select(seed => FakeStudy.Run("salt", seed, 3.80 + 0.012 * seed, 250))
                .Select(run =>
                    run with
                    {
                        Result = run.Result with { PlannedSteps = run.Result.PlannedSteps * 7 / 10 },
                    }
                ),
        ];
        VerdictRun run = Verdict
            .Compute([.. Seeds.Select(seed => FakeStudy.Run("baseline", seed, 3.715 + 0.01 * seed))], salt)
            .Runs[0];
        Assert.Equal((0.7, VerdictOutcome.Harmed), (run.PlannedStepsRatio, run.OutcomeFree));
        Assert.StartsWith(
            "SALT, planned for 70.0 % of the steps, fell short (3 seeds): it did not reach",
            Plain(run.SentenceFree),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void HelpedFree_CanCostMoreCharged()
    {
        VerdictRun run = VerdictTests.Study(3.62, 250).Runs[0];
        Assert.Equal(VerdictOutcome.Helped, run.OutcomeFree);
        Assert.NotEqual(VerdictOutcome.Helped, run.OutcomeCharged);
        Assert.StartsWith("SALT helped (3 seeds): it reached", run.SentenceFree, StringComparison.Ordinal);
        Assert.True(run.FlopsRatioTeacherCharged > 1);
    }

    [Fact]
    public void UnknownTeacherCost_IsSaidNotGuessed()
    {
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        salt = salt with
        {
            Result = salt.Result with
            {
                Teacher = salt.Result.Teacher! with { TrainingFlops = null, TrainingSeconds = null },
            },
        };
        Verdict verdict = Verdict.Compute([FakeStudy.Run("baseline", 1, 3.7)], [salt]);
        Assert.Null(verdict.Runs[0].OutcomeCharged);
        Assert.Null(verdict.Runs[0].FlopsRatioTeacherCharged);
        Assert.NotNull(verdict.Runs[0].FlopsRatio);
        Assert.Contains("is not known", verdict.Runs[0].SentenceCharged, StringComparison.Ordinal);
        Assert.Contains(verdict.Warnings, warning => warning.Contains("'small' cost", StringComparison.Ordinal));
    }

    [Fact]
    public void ClocksThatDoNotCompare_AreReplacedByFlops()
    {
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        salt = salt with { Result = salt.Result with { SecondsComparable = false } };
        VerdictRun run = Verdict.Compute([FakeStudy.Run("baseline", 1, 3.7)], [salt]).Runs[0];
        Assert.Contains("of the FLOPs", run.SentenceFree, StringComparison.Ordinal);
        Assert.DoesNotContain("of the time", run.SentenceFree + run.SentenceCharged, StringComparison.Ordinal);
    }

    [Fact]
    public void RunWithoutTeacher_HasNothingToCharge()
    {
        VerdictRun run = Verdict.Compute([Constant("baseline", 1, 1)], [Constant("wider", 1, 0.5)]).Runs[0];
        Assert.DoesNotContain("teacher", run.SentenceFree, StringComparison.Ordinal);
        Assert.StartsWith("There was no teacher to charge", run.SentenceCharged, StringComparison.Ordinal);
        Assert.Equal(run.FlopsRatio, run.FlopsRatioTeacherCharged);
    }

    [Fact]
    public void Accuracy_IsToldInPoints()
    {
        VerdictRun run = Verdict
            .Compute([FakeStudy.Run("baseline", 1, 3.7)], [FakeStudy.Run("salt", 1, 3.6, 250)], VerdictMetric.Accuracy)
            .Runs[0];
        Assert.Contains("BASELINE's final accuracy (34.1 %)", Plain(run.SentenceFree), StringComparison.Ordinal);
        Assert.Contains("it ended 0.7 points higher", run.SentenceFree, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_HasSentencesTableAndNotesWithinTheLineLength()
    {
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        salt = salt with { Finished = false };
        Verdict verdict = Verdict.Compute([FakeStudy.Run("baseline", 1, 3.7)], [salt]);
        string text = VerdictText.Write(verdict);
        string narrow = VerdictText.Write(verdict, 60);
        Assert.All(narrow.Split('\n'), line => Assert.InRange(line.Length, 0, 60));
        Assert.Contains("BASELINE: final loss 3.700, steps 1, time 1", narrow, StringComparison.Ordinal);

        Assert.StartsWith("SALT reached BASELINE's final validation loss", text, StringComparison.Ordinal);
        Assert.Contains(
            "A reading from 1 seed, not a finding.",
            text.ReplaceLineEndings(" "),
            StringComparison.Ordinal
        );
        Assert.Matches(@"(?m)^SALT +3\.600 +−0\.100 +0\.\d{3}", text);
        Assert.Contains("Note: Run 'salt-1' is not finished", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= 110, line));
    }

    /// <summary>A run without a teacher that is at the target after this share of 100 steps, at the baseline's loss in the end.</summary>
    private static RunRecord Constant(string arm, int seed, double share)
    {
        if (
            FakeStudy.WithCurve(arm, seed, (0, 4), ((int)Math.Round(share * 100), 3), (200, 3)) is var run
            && arm == "baseline"
        )
        {
            return FakeStudy.WithCurve(arm, seed, (0, 4), (100, 3));
        }

        return run;
    }

    private static string Plain(string sentence) => sentence.Replace('\u00A0', ' ');
}
