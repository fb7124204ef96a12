namespace Saltern.Watch;

/// <summary>One point of a line.</summary>
/// <param name="Step">The run's step.</param>
/// <param name="X">Where that is on the chart's axis.</param>
/// <param name="Value">What was logged.</param>
public readonly record struct ChartPoint(int Step, double X, double Value);

/// <summary>One line of a chart.</summary>
/// <param name="Name">For the hover text and the table.</param>
/// <param name="Colour">As #rrggbb.</param>
/// <param name="Dash">Plotly's name: <c>solid</c>, <c>dash</c>, <c>dot</c>, <c>longdash</c> …</param>
/// <param name="Points">By step.</param>
/// <param name="Panel">Index of the panel, from the top.</param>
/// <param name="OnRight">Whether the panel's right axis measures it.</param>
public sealed record ChartLine(
    string Name,
    string Colour,
    string Dash,
    IReadOnlyList<ChartPoint> Points,
    int Panel = 0,
    bool OnRight = false
);

/// <summary>One panel: axes of their own over the shared axis.</summary>
/// <param name="Title">Quantity and unit of the left axis.</param>
/// <param name="RightTitle">Of the right axis; null for none.</param>
/// <param name="Height">Share of the chart's height beside that of the other panels.</param>
/// <param name="SkipsFirstFall">Whether the axis covers what comes after the first tenth of the axis only: a loss falls tenfold there.</param>
/// <param name="Level">A horizontal line; null for none.</param>
public sealed record ChartPanel(
    string Title,
    string? RightTitle = null,
    double Height = 1,
    bool SkipsFirstFall = false,
    double? Level = null
);

/// <summary>A vertical mark.</summary>
/// <param name="X">Where.</param>
/// <param name="Colour">As #rrggbb.</param>
/// <param name="Text">What happened.</param>
public sealed record ChartMark(double X, string Colour, string Text);

/// <summary>What one chart shows, whatever draws it.</summary>
public sealed record Chart
{
    /// <summary>Identifier in the page.</summary>
    public required string Id { get; init; }

    /// <summary>Heading.</summary>
    public required string Title { get; init; }

    /// <summary>What it is drawn against.</summary>
    public RunAxis Axis { get; init; }

    /// <summary>A sentence on how to read it; may be empty.</summary>
    public string Note { get; init; } = "";

    /// <summary>From the top.</summary>
    public required IReadOnlyList<ChartPanel> Panels { get; init; }

    /// <summary>All lines with at least one point.</summary>
    public required IReadOnlyList<ChartLine> Lines { get; init; }

    /// <summary>Marks over all panels.</summary>
    public IReadOnlyList<ChartMark> Marks { get; init; } = [];

    /// <summary>Whether it takes the whole width.</summary>
    public bool IsWide { get; init; }

    /// <summary>Changes whenever the picture does: logs only grow, so their lengths and last points tell.</summary>
    public int Revision
    {
        get
        {
            var hash = new HashCode();
            hash.Add(Axis);
            foreach (ChartLine line in Lines)
            {
                hash.Add((line.Name, line.Colour, line.Dash, line.Points.Count));
                // Smoothing moves points that are there already.
                hash.Add((line.Points[line.Points.Count / 2], line.Points[^1]));
            }

            foreach (ChartMark mark in Marks)
            {
                hash.Add(mark);
            }

            return hash.ToHashCode();
        }
    }
}
