using OxyPlot;

namespace Saltern.Verdicts;

/// <summary>Estimates how wide a text will be in whatever sans-serif font the reader has.</summary>
/// <remarks>OxyPlot's own estimate is Helvetica's in points: too narrow for the wider fonts of a browser, so that legends were cut and axis titles lay on the ticks.</remarks>
internal sealed class PlotTextMeasurer : PdfRenderContext
{
    // DejaVu Sans, the widest of the usual ones, takes 0.58 of the font size for an average letter.
    private const double LetterWidth = 0.58;
    private const double LineHeight = 1.25;

    public PlotTextMeasurer(PlotSize size)
        : base(size.Width, size.Height, OxyColors.Transparent) { }

    public override OxySize MeasureText(string? text, string? fontFamily, double fontSize, double fontWeight)
    {
        if (string.IsNullOrEmpty(text))
        {
            return OxySize.Empty;
        }

        string[] lines = text.Split('\n');
        return new OxySize(
            lines.Max(line => line.Length) * LetterWidth * fontSize,
            lines.Length * LineHeight * fontSize
        );
    }
}
