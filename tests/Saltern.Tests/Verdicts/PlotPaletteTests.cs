using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class PlotPaletteTests
{
    [Fact]
    public void NoTwoArms_ShareColourAndDashes()
    {
        (string, string)[] looks =
        [
            .. Enumerable
                .Range(0, PlotPalette.Arms)
                .Select(arm => (PlotPalette.Line(arm).ToString(), string.Join(' ', PlotPalette.Dash(arm)))),
        ];
        Assert.Equal(43, looks.Length);
        Assert.Equal(looks.Length, looks.Distinct().Count());

        // The first arm beside the baseline is the only full line of the first round.
        Assert.Equal([1], Enumerable.Range(0, 7).Where(arm => PlotPalette.Dash(arm).Length == 0));
    }
}
