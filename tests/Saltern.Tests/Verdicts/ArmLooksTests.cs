using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class ArmLooksTests
{
    [Fact]
    public void AnArm_LooksAlikeInEveryReport()
    {
        IReadOnlyDictionary<string, int> alone = ArmLooks.Of(["MUON"]);
        IReadOnlyDictionary<string, int> among = ArmLooks.Of(["SALT", "late", "MUON", "RKD", "weak"]);
        Assert.Equal(alone["MUON"], among["MUON"]);
        Assert.Equal(ArmLooks.Of(["weak", "SALT"])["SALT"], among["SALT"]);
        Assert.Equal(ArmLooks.Of(["weak", "SALT"])["weak"], among["weak"]);

        // Fixed, whatever process or machine: another value would recolour every report.
        Assert.Equal(
            (1, 2, 3),
            (ArmLooks.Of(["SALT"])["SALT"], ArmLooks.Of(["rkd"])["rkd"], ArmLooks.Of(["GROWN"])["GROWN"])
        );
    }

    [Fact]
    public void NoTwoArmsOfAReport_LookAlike_AndNoneLikeTheBaseline()
    {
        string[] names = [.. Enumerable.Range(0, 30).Select(i => $"arm {i}")];
        IReadOnlyDictionary<string, int> looks = ArmLooks.Of(names);
        Assert.Equal(30, looks.Values.Distinct().Count());
        Assert.All(looks.Values, look => Assert.InRange(look, 1, PlotPalette.Arms - 1));

        // More arms than looks: some share one, and none is missing.
        Assert.Equal(60, ArmLooks.Of([.. Enumerable.Range(0, 60).Select(i => $"{i}")]).Count);
    }
}
