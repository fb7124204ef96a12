namespace Saltern.Verdicts;

/// <summary>Size of a drawing; a page shows the wide one or, on a phone, the narrow one, because scaled-down text cannot be read.</summary>
/// <param name="Font">Height of the letters, pixels.</param>
internal sealed record PlotSize(double Width, double Height, double Font)
{
    public static PlotSize Wide { get; } = new(860, 430, 14);

    public static PlotSize Narrow { get; } = new(380, 330, 12.5);

    /// <summary>Whether labels have to be short.</summary>
    public bool IsNarrow => Width < 500;

    /// <summary>The same width at another height, for a strip under a plot.</summary>
    public PlotSize Strip => this with { Height = 190 };
}
