using Saltern.RunFiles;

namespace Saltern.Watch.Tests;

public class ArmLookTests
{
    [Fact]
    public void TheMethodsOwnArms_LookAlikeWhateverElseIsWatched_AndSeedsShareALook()
    {
        string[] few = ["BASELINE", "SALT"];
        string[] many = ["BASELINE", "other", "GROWN", "RKD", "SALT", "weak"];
        foreach (string arm in few)
        {
            Assert.Equal(Looks(few)[arm], Looks(many)[arm]);
        }

        Assert.Equal("#7d8590", Looks(many)["BASELINE"].Colour);
        Assert.Equal("#1f83d6", Looks(many)["SALT"].Colour);
        Assert.Equal(["SALT"], ArmLook.Of([Run("SALT-seed-1", 1), Run("SALT-seed-2", 2)]).Keys);
    }

    [Fact]
    public void TheFirstRunWithoutASmallModel_IsGrey_WhereNoneIsCalledBaseline()
    {
        Assert.Equal("#7d8590", Looks(["plain", "weak"])["plain"].Colour);
        Assert.NotEqual("#7d8590", ArmLook.Of([Run("weak", 1) with { HadTeacher = true }])["weak"].Colour);
    }

    [Theory]
    [InlineData(8, 1)]
    [InlineData(28, 4)]
    public void NoTwoArms_ShareColourAndDash(int arms, int dashes)
    {
        IReadOnlyDictionary<string, ArmLook> looks = Looks([.. Enumerable.Range(0, arms).Select(i => $"arm {i}")]);
        Assert.Equal(arms, looks.Values.Distinct().Count());
        Assert.Equal(dashes, looks.Values.Select(look => look.Dash).Distinct().Count());
        Assert.Equal(dashes, looks.Values.Select(look => look.Stroke).Distinct().Count());
    }

    [Fact]
    public void TheShareOfPeakThatIsDrawn_IsNeverAboveOne()
    {
        RunView run = Run("BASELINE", 1) with
        {
            Series = new Dictionary<string, IReadOnlyList<(int Step, double Value)>>
            {
                [MetricNames.Mfu] = [(10, 0.8), (20, 3.1)],
            },
        };
        ChartLine line = RunCharts
            .Main([run], [], new ChartChoice(ArmLook.Of([run]), RunAxis.Steps))
            .Single()
            .Lines.Single();
        Assert.Equal([0.8, 1], line.Points.Select(point => point.Value));
    }

    private static IReadOnlyDictionary<string, ArmLook> Looks(string[] arms) =>
        ArmLook.Of([.. arms.Select(arm => Run(arm, 1))]);

    private static RunView Run(string name, int seed) =>
        new()
        {
            Folder = name,
            Name = name,
            Seed = seed,
            Series = new Dictionary<string, IReadOnlyList<(int Step, double Value)>>(),
        };
}
