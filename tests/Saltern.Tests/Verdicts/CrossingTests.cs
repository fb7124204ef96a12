using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class CrossingTests
{
    [Fact]
    public void BetweenTwoPoints_CostsAreInterpolated()
    {
        // docs/method.md: 750 + 50·(3.7413 − 3.7150)/(3.7413 − 3.7121) = 750 + 50·0.0263/0.0292 = 795.03.
        Crossing crossing = Crossing.Find([Point(750, 3.7413), Point(800, 3.7121)], 3.7150)!;

        Assert.Equal(795.034, crossing.Steps, 3);
        Assert.Equal(7950.34, crossing.Seconds!.Value, 2);
        Assert.Equal(79503.4, crossing.Flops!.Value, 1);
    }

    [Fact]
    public void FirstPointBelow_CostsItsOwnCost()
    {
        Assert.Equal(new Crossing(50, 500, 5000, true), Crossing.Find([Point(50, 3.0), Point(100, 2.9)], 3.5));
    }

    [Fact]
    public void NeverBelow_IsNull() => Assert.Null(Crossing.Find([Point(1, 4), Point(2, 3.51)], 3.5));

    [Fact]
    public void ExactlyAtTheTarget_IsReachedThere() =>
        Assert.Equal(2, Crossing.Find([Point(1, 4), Point(2, 3.5)], 3.5)!.Steps);

    [Theory]
    [InlineData(3.5049, true)]
    [InlineData(3.505, true)] // exactly that much: 3.5 + 0.005 in float64
    [InlineData(3.5051, false)]
    public void Held_AllowsFiveThousandthsLater(double later, bool held) =>
        Assert.Equal(held, Crossing.Find([Point(1, 4), Point(2, 3.4), Point(3, later), Point(4, 3.3)], 3.5)!.Held);

    [Fact]
    public void Accuracy_RisesToItsTarget()
    {
        Crossing crossing = Crossing.Find([Point(100, 0.2), Point(200, 0.4)], 0.35, VerdictMetric.Accuracy)!;
        Assert.Equal(175, crossing.Steps, 9);
        Assert.Null(Crossing.Find([Point(100, 0.2)], 0.35, VerdictMetric.Accuracy));
    }

    [Fact]
    public void CostThatWasNotLogged_StaysUnknown()
    {
        Crossing crossing = Crossing.Find([new CurvePoint(1, null, 10, 4), new CurvePoint(2, 3.0, 20, 3)], 3.5)!;
        Assert.Null(crossing.Seconds);
        Assert.Equal(15, crossing.Flops);
    }

    private static CurvePoint Point(int step, double value) => new(step, 10 * step, 100 * step, value);
}
