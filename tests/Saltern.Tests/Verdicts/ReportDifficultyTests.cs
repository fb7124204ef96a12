using System.Xml.Linq;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class ReportDifficultyTests
{
    [Fact]
    public void Differences_ArePairedBySeed_AtStepsThatAllEvaluated()
    {
        // Seeds 1 and 2: −0.2 and −0.4 at step 100; only seed 1 was evaluated at 200.
        ReportArm baseline = Arm(
            0,
            Run("baseline", 1, (100, 2.0), (200, 1.5)),
            Run("baseline", 2, (100, 2.2), (200, 1.6))
        );
        ReportArm arm = Arm(1, Run("salt", 1, (100, 1.8), (200, 1.4)), Run("salt", 2, (100, 1.8)));
        Assert.Equal([100], ReportDifficulty.Differences(baseline, arm, "easy").Select(point => point.Step));
        Assert.Equal(-0.3, ReportDifficulty.Differences(baseline, arm, "easy")[0].Value, 1e-12);
        Assert.Empty(ReportDifficulty.Differences(baseline, arm, "hard"));
    }

    [Fact]
    public void FinalDifferences_HaveAnIntervalOverSeeds()
    {
        ReportArm baseline = Arm(0, Run("baseline", 1, (100, 2.0)), Run("baseline", 2, (100, 2.2)));
        ReportArm arm = Arm(1, Run("salt", 1, (100, 1.8)), Run("salt", 2, (100, 1.8)));
        string text = ReportDifficulty.Section([baseline, arm])!.ToString(SaveOptions.DisableFormatting);

        // Differences −0.2 and −0.4: mean −0.3, t = 12.706 with 1 degree of freedom, half width 12.706 · 0.1 = 1.2706.
        Assert.Contains("−0.300 [−1.571, +0.971]", text, StringComparison.Ordinal);
        Assert.Null(
            ReportDifficulty.Section([
                Arm(0, FakeStudy.Run("baseline", 1, 3.7)),
                Arm(1, FakeStudy.Run("salt", 1, 3.6, 250)),
            ])
        );
    }

    [Fact]
    public void AroundTheSwitch_TheBaselineStandsBesideAtTheSameStep()
    {
        RunRecord own = Calibrated(FakeStudy.Run("baseline", 1, 3.7), (200, 0.02), (300, 0.03), (1000, 0.01));
        RunRecord salt = Calibrated(FakeStudy.Run("salt", 1, 3.6, 250), (200, 0.11), (300, 0.05), (1000, 0.04));
        string text = ReportSwitch.Section([Arm(0, own), Arm(1, salt)])!.ToString(SaveOptions.DisableFormatting);
        foreach (string cell in new[] { "0.110 (0.020)", "0.050 (0.030)", "0.040 (0.010)" })
        {
            Assert.Contains(cell, text, StringComparison.Ordinal);
        }

        // A teacher that stayed to the end left no evaluation after it.
        RunRecord rkd = Calibrated(FakeStudy.Run("rkd", 1, 3.6, FakeStudy.Steps), (200, 0.11), (1000, 0.07));
        text = ReportSwitch.Section([Arm(0, own), Arm(1, rkd)])!.ToString(SaveOptions.DisableFormatting);
        Assert.Contains("RKD, at the end", text, StringComparison.Ordinal);
        Assert.DoesNotContain("RKD, before", text, StringComparison.Ordinal);
        Assert.DoesNotContain("RKD, after", text, StringComparison.Ordinal);
        Assert.Null(ReportSwitch.Section([Arm(0, own), Arm(1, own)]));
    }

    private static ReportArm Arm(int index, params RunRecord[] runs) =>
        new(index, runs[0].Result.Arm.ToUpperInvariant(), runs, null);

    private static RunRecord Calibrated(RunRecord run, params (int Step, double Error)[] points)
    {
        MetricsTable metrics = new();
        foreach ((int step, double error) in points)
        {
            metrics.Add(step, [new("valid/calibration_error", error), new("train/weight", 0.1)]);
        }

        return run with
        {
            Metrics = metrics,
        };
    }

    private static RunRecord Run(string arm, int seed, params (int Step, double Easy)[] points)
    {
        RunRecord run = FakeStudy.Run(arm, seed, 3.7);
        MetricsTable metrics = new();
        foreach ((int step, double easy) in points)
        {
            metrics.Add(step, [new("valid/loss", easy + 1), new("valid/bucket/easy/loss", easy)]);
        }

        return run with
        {
            Metrics = metrics,
            Result = run.Result with
            {
                Final = run.Result.Final! with { Buckets = [new BucketLoss("tokens", "easy", 100, points[^1].Easy)] },
            },
        };
    }
}
