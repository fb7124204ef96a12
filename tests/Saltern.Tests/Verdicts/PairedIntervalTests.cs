using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class PairedIntervalTests
{
    [Fact]
    public void OfRatios_IsTheWorkedExample()
    {
        // docs/method.md: 0.80, 0.85, 0.78 → 0.809 [0.725, 0.903].
        PairedInterval interval = PairedInterval.OfRatios([0.80, 0.85, 0.78]);

        Assert.Equal(0.809, interval.Mean, 3);
        Assert.Equal(0.725, interval.Lower!.Value, 3);
        Assert.Equal(0.903, interval.Upper!.Value, 3);
    }

    [Fact]
    public void OfDifferences_IsMeanAndTTimesStandardError()
    {
        // 1, 2, 3: sd 1, half width 4.303/√3 = 2.484.
        PairedInterval interval = PairedInterval.OfDifferences([1, 2, 3]);
        Assert.Equal(2, interval.Mean, 12);
        Assert.Equal(2 - 2.484, interval.Lower!.Value, 3);
        Assert.Equal(2 + 2.484, interval.Upper!.Value, 3);
    }

    [Fact]
    public void OnePair_HasNoInterval() =>
        Assert.Equal(new PairedInterval(0.5, null, null, 1), PairedInterval.OfDifferences([0.5]));

    [Theory]
    [InlineData(0.0)]
    [InlineData(double.NaN)]
    public void OfRatios_RefusesWhatHasNoLogarithm(double ratio) =>
        Assert.Throws<ArgumentException>(() => PairedInterval.OfRatios([1, ratio]));

    [Fact]
    public void NoPairAtAll_IsRefused() => Assert.Throws<ArgumentException>(() => PairedInterval.OfDifferences([]));

    [Fact]
    public void ProbabilityWithin_RefusesNegativeValuesAndNoDegrees()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => StudentT.ProbabilityWithin(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => StudentT.ProbabilityWithin(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => StudentT.Quantile975(0));
    }

    // The published table to three decimals.
    [Theory]
    [InlineData(1, 12.706)]
    [InlineData(2, 4.303)]
    [InlineData(3, 3.182)]
    [InlineData(4, 2.776)]
    [InlineData(5, 2.571)]
    [InlineData(10, 2.228)]
    [InlineData(29, 2.045)]
    [InlineData(120, 1.980)]
    [InlineData(100_000, 1.960)]
    public void Quantile975_IsTheTable(int degrees, double expected) =>
        Assert.Equal(expected, StudentT.Quantile975(degrees), 3);
}
