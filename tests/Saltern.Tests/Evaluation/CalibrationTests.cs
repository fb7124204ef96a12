using Saltern.Evaluation;

namespace Saltern.Tests.Evaluation;

public class CalibrationTests
{
    [Fact]
    public void Error_IsTheMeanGapOfTheBins()
    {
        // Bins of 1/15: 0.50 and 0.52 share the bin (7/15, 8/15] with one hit of two, gap |0.5 − 0.51|; 0.9 alone in its bin and wrong, gap 0.9.
        var calibration = new Calibration();
        calibration.Add(0.50, true);
        calibration.Add(0.52, false);
        calibration.Add(0.90, false);
        Assert.Equal(
            (3, 0.64, 1 / 3.0),
            (calibration.Count, Math.Round(calibration.Confidence, 12), calibration.Accuracy)
        );
        Assert.Equal((2.0 / 3 * 0.01) + (1.0 / 3 * 0.9), calibration.Error, 1e-12);
    }

    [Fact]
    public void BinsAreClosedAbove_AndHoldTheEnds()
    {
        // 8/15 belongs to the bin below it, so the two do not cancel: gaps 7/15 (right) and 8/15 + ε (wrong).
        var calibration = new Calibration();
        calibration.Add(8 / 15.0, true);
        calibration.Add((8 / 15.0) + 1e-9, false);
        Assert.Equal(0.5, calibration.Error, 1e-8);
        var ends = new Calibration();
        ends.Add(1.0, true);
        ends.Add(0.0, false);
        Assert.Equal(0, ends.Error);
    }

    [Fact]
    public void AModelThatIsAsOftenRightAsItIsSure_HasNoError()
    {
        var calibration = new Calibration();
        for (int i = 0; i < 1_000; i++)
        {
            calibration.Add(0.25, i % 4 == 0);
        }

        Assert.Equal(0, calibration.Error, 1e-12);
    }
}
