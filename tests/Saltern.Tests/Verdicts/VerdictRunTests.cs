using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class VerdictRunTests
{
    [Fact]
    public void BaselineAndArm_AreMeansOverTheirSeeds()
    {
        // Three unequal values each, so that mean, smallest and median differ.
        RunRecord[] baselines = [Run("baseline", 1, 3.0), Run("baseline", 2, 3.1), Run("baseline", 3, 3.5)];
        RunRecord[] others = [Run("salt", 1, 2.8), Run("salt", 2, 3.0), Run("salt", 3, 3.2)];
        Verdict verdict = Verdict.Compute(baselines, others);

        VerdictBaseline baseline = verdict.Baseline;
        Assert.Equal(9.6 / 3, baseline.FinalLoss, 12);
        Assert.Equal(9.6 / 30, baseline.FinalAccuracy!.Value, 12);
        Assert.Equal(9.6 / 3, baseline.Target, 12);
        Assert.Equal(960.0 / 3, baseline.Steps, 9);
        Assert.Equal(9_600.0 / 3, baseline.Seconds, 9);
        Assert.Equal(96_000.0 / 3, baseline.Flops, 6);
        Assert.Equal(1_920.0 / 3, baseline.PlannedSteps, 9);

        VerdictRun arm = verdict.Runs[0];
        Assert.Equal(3.0, arm.FinalLoss, 12);
        Assert.Equal(0.3, arm.FinalAccuracy!.Value, 12);
        Assert.Equal(-0.2, arm.FinalLossDifference, 12);
        Assert.Equal(-0.02, arm.FinalAccuracyDifference!.Value, 12);
        Assert.Equal(
            [-0.02, -0.01, -0.03],
            arm.Pairs.Select(pair => Math.Round(pair.FinalAccuracyDifference!.Value, 9))
        );
        Assert.NotNull(arm.FinalAccuracyDifferenceInterval);
        Assert.Equal(1_800.0 / 1_920, arm.PlannedStepsRatio, 9);
        Assert.Equal(arm.Pairs.Select(pair => pair.FinalLossDifferenceSe).Max(), arm.FinalLossDifferenceSe);
        Assert.NotEqual(arm.Pairs.Select(pair => pair.FinalLossDifferenceSe).Min(), arm.FinalLossDifferenceSe);
    }

    [Fact]
    public void OneRunWithoutAccuracy_LeavesNoDifferenceOfAccuracies()
    {
        RunRecord unknown = Run("salt", 2, 2.9);
        unknown = unknown with
        {
            Result = unknown.Result with { Final = unknown.Result.Final! with { Accuracy = null } },
        };
        VerdictRun arm = Verdict
            .Compute([Run("baseline", 1, 3.0), Run("baseline", 2, 3.1)], [Run("salt", 1, 2.8), unknown])
            .Runs[0];
        Assert.Null(arm.FinalAccuracyDifference);
        Assert.Null(arm.FinalAccuracyDifferenceInterval);
    }

    [Fact]
    public void OneSeedThatIsUnpairedOrCut_MarksTheArm()
    {
        RunRecord[] baselines = [Run("baseline", 1, 3.0), Run("baseline", 2, 3.1)];
        RunRecord plain = Run("salt", 1, 2.8);
        RunRecord odd = Run("salt", 2, 2.9);
        Verdict whole = Verdict.Compute(baselines, [plain, odd]);
        Assert.Equal((true, false, false), (whole.Runs[0].Paired, whole.Runs[0].Truncated, whole.Truncated));

        odd = odd with { Result = odd.Result with { OrderFingerprint = "another", Truncated = true } };
        Verdict verdict = Verdict.Compute(baselines, [plain, odd]);
        Assert.Equal((false, true, true), (verdict.Runs[0].Paired, verdict.Runs[0].Truncated, verdict.Truncated));
    }

    [Fact]
    public void OneSeedThatDoesNotStayAtTheTarget_IsNotHeld_AndOneThatNeverGetsThere_LeavesItUnknown()
    {
        RunRecord[] baselines = [Curve("baseline", 1, (1, 4), (2, 3)), Curve("baseline", 2, (1, 4), (2, 3))];
        RunRecord holds = Curve("other", 1, (1, 4), (2, 2.9), (3, 2.9));
        Assert.False(Held(Curve("other", 2, (1, 4), (2, 2.9), (3, 3.1))));
        Assert.True(Held(Curve("other", 2, (1, 4), (2, 2.9), (3, 2.9))));
        Assert.Null(Held(Curve("other", 2, (1, 4), (2, 3.5), (3, 3.1))));

        bool? Held(RunRecord second) => Verdict.Compute(baselines, [holds, second]).Runs[0].Held;
    }

    [Fact]
    public void SeedsWithoutABaseline_AreLeftOutWithAWarning()
    {
        Verdict verdict = Verdict.Compute(
            [Run("baseline", 1, 3.0), Run("baseline", 2, 3.1)],
            [Run("salt", 1, 2.8), Run("salt", 2, 2.9), Run("salt", 7, 0.1), Run("salt", 8, 0.1)]
        );
        Assert.Equal([1, 2], verdict.Runs[0].Seeds);
        Assert.Equal(2.85, verdict.Runs[0].FinalLoss, 12);
        Assert.Contains("SALT: seeds 7, 8 have no baseline and are left out.", verdict.Warnings);
    }

    // Its costs, plan and accuracy follow from its final loss, so that every mean can be worked out.
    private static RunRecord Run(string arm, int seed, double finalLoss)
    {
        RunRecord run = Curve(arm, seed, (0, 5), (100, finalLoss));
        return run with
        {
            Result = run.Result with
            {
                Steps = (int)Math.Round(100 * finalLoss),
                PlannedSteps = (int)Math.Round(200 * finalLoss),
                Seconds = 1_000 * finalLoss,
                Flops = 10_000 * finalLoss,
                Final = run.Result.Final! with { Accuracy = finalLoss / 10 },
            },
        };
    }

    private static RunRecord Curve(string arm, int seed, params (int Step, double Loss)[] points) =>
        FakeStudy.WithCurve(arm, seed, points);
}
