using CsCheck;
using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

public class StepPointTests
{
    [Theory]
    [InlineData(0.0, 1000, 0)]
    [InlineData(0.35, 1000, 350)]
    [InlineData(0.5, 5, 3)] // ⌊2.5 + ½⌋, not the even 2
    [InlineData(0.15, 3, 0)] // ⌊0.45 + ½⌋
    [InlineData(1.0, 7, 7)]
    [InlineData(1.0, int.MaxValue, int.MaxValue)]
    public void Resolve_RoundsShareHalfUp(double share, int totalSteps, int expected) =>
        Assert.Equal(expected, StepPoint.FromShare(share).Resolve(totalSteps));

    [Fact]
    public void Resolve_KeepsSteps() => Assert.Equal(250, StepPoint.FromSteps(250).Resolve(100));

    [Fact]
    public void Share_StaysInsideTheRun() =>
        Gen.Double[0, 1]
            .Select(Gen.Int[0, int.MaxValue])
            .Sample((share, total) => Assert.InRange(StepPoint.FromShare(share).Resolve(total), 0, total));

    [Fact]
    public void ToString_TellsShareFromSteps()
    {
        Assert.Equal("0.25", StepPoint.FromShare(0.25).ToString());
        Assert.Equal("1.0", StepPoint.FromShare(1).ToString());
        Assert.Equal("0.0", StepPoint.FromShare(-0.0).ToString());
        Assert.Equal("1.0e-05", StepPoint.FromShare(1e-5).ToString());
        Assert.Equal("1", StepPoint.FromSteps(1).ToString());
        Assert.NotEqual(StepPoint.FromShare(1), StepPoint.FromSteps(1));
    }

    [Theory]
    [InlineData(-0.001)]
    [InlineData(1.001)]
    [InlineData(double.NaN)]
    public void FromShare_RefusesWhatIsNoShare(double share) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => StepPoint.FromShare(share));

    [Fact]
    public void FromSteps_RefusesNegative() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => StepPoint.FromSteps(-1));

    [Theory]
    [InlineData("0.25", "0.25", true)]
    [InlineData("1.0", "1.0", true)]
    [InlineData("1.", "1.0", true)]
    [InlineData(".5", "0.5", true)]
    [InlineData("25e-2", "0.25", true)]
    [InlineData("1", "1", false)]
    [InlineData("250", "250", false)]
    public void Recipe_DecimalPointOrExponentMeansShare(string text, string expected, bool isShare)
    {
        StepPoint point = RecipeText.Parse($"{RecipeText.Least}distillation: {{ start: {text} }}").Distillation!.Start;

        Assert.Equal(expected, point.ToString());
        Assert.Equal(isShare, point.IsShare);
    }

    [Theory]
    [InlineData("1.5", "is outside [0, 1]; a number with a decimal point is a share of the run, an integer is steps.")]
    [InlineData("-0.1", "is outside [0, 1]; a number with a decimal point is a share of the run, an integer is steps.")]
    [InlineData("-3", "is outside [0, 2147483647].")]
    [InlineData("soon", "is not an integer (steps) or a number with a decimal point (share of the run).")]
    public void Recipe_RefusesOtherPoints(string text, string refusal) =>
        Assert.Equal(
            $"r.yaml:3:24: distillation.start = {text} {refusal}",
            RecipeText.ProblemOf($"{RecipeText.Least}distillation: {{ start: {text} }}")
        );
}
