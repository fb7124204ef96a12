using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class ReportFineTuningTests
{
    [Fact]
    public void Differences_ArePairedByBothSeeds()
    {
        // Pairs (1, 1) and (1, 2): +0.05 and +0.01; the third of SALT has no partner. Mean 0.03, t = 12.706 with one degree of freedom: half width 12.706 · 0.02.
        FineTuneComparison salt = ReportFineTuning
            .Compare(
                "BASELINE",
                [
                    Score("BASELINE", 1, 0.10, 0.30),
                    Score("BASELINE", 2, 0.10, 0.34),
                    Score("SALT", 1, 0.12, 0.35),
                    Score("SALT", 2, 0.12, 0.35),
                    Score("SALT", 3, 0.12, 0.9),
                ]
            )
            .Single(line => line.Arm == "SALT");
        Assert.Equal(2, salt.Pairs);
        Assert.Equal(0.12, salt.Before, 1e-12);
        Assert.Equal((0.35 + 0.35 + 0.9) / 3, salt.After, 1e-12);
        Assert.Equal(0.03, salt.Difference!.Value, 1e-12);
        Assert.Equal(0.03 - (12.706 * 0.02), salt.Low!.Value, 1e-5);
        Assert.Equal(0.03 + (12.706 * 0.02), salt.High!.Value, 1e-5);
    }

    [Fact]
    public void TheBaseline_AndAnArmWithoutAPartner_HaveNoDifference()
    {
        IReadOnlyList<FineTuneComparison> lines = ReportFineTuning.Compare(
            "BASELINE",
            [Score("BASELINE", 1, 0.1, 0.3), Score("SALT", 2, 0.1, 0.4)]
        );
        Assert.All(lines, line => Assert.Null(line.Difference));
    }

    private static FineTuneScore Score(string arm, int tuningSeed, double before, double after) =>
        new(arm, 1, tuningSeed, "sums", "exact_match", true, 100, 3, before, after);
}
