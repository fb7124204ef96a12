namespace Saltern.Watch.Tests;

public class SmoothingTests
{
    [Fact]
    public void AWeightOfAHalf_ByHand()
    {
        // 4; (4/2 + 1)/(1/2 + 1) = 2; (4/4 + 1/2 + 3)/(1/4 + 1/2 + 1) = 18/7
        (int Step, double Value)[] smooth = [.. Smoothing.Of([(1, 4), (2, 1), (5, 3)], 0.5)];
        Assert.Equal([1, 2, 5], smooth.Select(point => point.Step));
        Assert.Equal([4, 2, 18 / 7.0], smooth.Select(point => Math.Round(point.Value, 12)), Near);
    }

    [Fact]
    public void WeightZero_LeavesThePoints_AndAConstantStaysOne()
    {
        (int Step, double Value)[] points = [(1, 4), (2, 1)];
        Assert.Same(points, Smoothing.Of(points, 0));
        Assert.All(Smoothing.Of([(1, 3), (2, 3), (3, 3)], 0.9), point => Assert.Equal(3, point.Value, 1e-12));
    }

    // Rounded to twelve places above.
    private static bool Near(double expected, double actual) => Math.Abs(expected - actual) < 1e-11;
}
