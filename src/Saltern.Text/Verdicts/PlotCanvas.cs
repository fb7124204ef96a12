using System.Globalization;
using System.Xml.Linq;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace Saltern.Verdicts;

/// <summary>An OxyPlot model in this report's look, and its way into a page.</summary>
internal static class PlotCanvas
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    /// <summary>An empty plot; margins are fixed so that plots under each other share their horizontal axis.</summary>
    public static PlotModel Create(PlotSize size) =>
        new()
        {
            DefaultFont = "sans-serif",
            DefaultFontSize = size.Font,
            TextColor = PlotPalette.Ink,
            PlotAreaBorderThickness = new OxyThickness(0),
            PlotMargins = new OxyThickness(size.Font * 4.2, size.Font * 0.9, size.Font * 4.0, size.Font * 3.6),
            Padding = new OxyThickness(2),
        };

    public static LinearAxis Axis(AxisPosition position, string title, double minimum, double maximum) =>
        new()
        {
            Position = position,
            Title = title,
            Minimum = minimum,
            Maximum = maximum,
            // The round-trip of "G" would put exponents on ticks of large counts.
            LabelFormatter = value =>
                value.ToString(Math.Abs(value) >= 1000 ? "#,##0" : "0.######", CultureInfo.InvariantCulture),
            TextColor = PlotPalette.Muted,
            TitleColor = PlotPalette.Ink,
            TicklineColor = PlotPalette.Muted,
            AxislineColor = PlotPalette.Muted,
            AxislineStyle = LineStyle.Solid,
            MinorTickSize = 0,
            MajorTickSize = 4,
            MajorGridlineStyle = position == AxisPosition.Right ? LineStyle.None : LineStyle.Solid,
            MajorGridlineColor = PlotPalette.Grid,
            IntervalLength = position == AxisPosition.Bottom ? 80 : 50,
            AxisTitleDistance = 8,
        };

    public static Legend Legend(PlotSize size, LegendPosition position) =>
        new()
        {
            LegendPosition = position,
            LegendPlacement = LegendPlacement.Inside,
            LegendTextColor = PlotPalette.Ink,
            LegendBackground = PlotPalette.Card,
            LegendFontSize = size.Font,
            LegendSymbolLength = size.Font * 2.6,
            LegendPadding = 6,
            LegendItemSpacing = 4,
        };

    /// <summary>A line in the look of an arm.</summary>
    /// <param name="index">The arm's index; 0 is the baseline.</param>
    /// <param name="title">Text in the legend; null to stay out of it.</param>
    /// <param name="isFaint">For one seed among several, under their mean.</param>
    public static LineSeries Line(int index, string? title, bool isFaint = false)
    {
        OxyColor colour = PlotPalette.Line(index);
        return new LineSeries
        {
            Title = title,
            RenderInLegend = title is not null,
            Color = isFaint ? OxyColor.FromAColor(80, colour) : colour,
            StrokeThickness = isFaint ? 1.2 : 2.2,
            Dashes = PlotPalette.Dash(index) is { Length: > 0 } dashes ? dashes : null,
            LineJoin = LineJoin.Round,
        };
    }

    /// <summary>Draws the model as an SVG element that scales with its box, without fixed colours and without identifiers that clash.</summary>
    /// <param name="size">Size to draw it in.</param>
    /// <param name="id">Prefix of its identifiers, unique in the page.</param>
    /// <param name="title">Short name for a screen reader.</param>
    /// <param name="description">What the picture shows, in a sentence.</param>
    public static XElement Draw(PlotModel model, PlotSize size, string id, string title, string description)
    {
        SvgExporter exporter = new()
        {
            Width = size.Width,
            Height = size.Height,
            IsDocument = false,
            TextMeasurer = new PlotTextMeasurer(size),
        };
        XElement svg = XElement.Parse(exporter.ExportToString(model));
        string[] viewBox = ["0", "0", Number(size.Width), Number(size.Height)];
        svg.ReplaceAttributes(
            new XAttribute("viewBox", string.Join(' ', viewBox)),
            new XAttribute("role", "img"),
            new XAttribute("aria-labelledby", $"{id}-title {id}-desc")
        );
        foreach (XElement element in svg.Descendants())
        {
            Adapt(element, id);
        }

        svg.AddFirst(
            new XElement(Svg + "title", new XAttribute("id", $"{id}-title"), Html.Clean(title)),
            new XElement(Svg + "desc", new XAttribute("id", $"{id}-desc"), Html.Clean(description))
        );
        return svg;
    }

    /// <summary>The drawing as a file of its own, with its own colours for light and dark.</summary>
    public static XElement StandAlone(XElement svg, PlotSize size)
    {
        XElement copy = new(svg);
        copy.SetAttributeValue("width", Number(size.Width));
        copy.SetAttributeValue("height", Number(size.Height));
        copy.AddFirst(
            new XElement(
                Svg + "rect",
                new XAttribute("width", "100%"),
                new XAttribute("height", "100%"),
                new XAttribute("style", "fill:var(--card)")
            )
        );
        copy.AddFirst(new XElement(Svg + "style", PlotPalette.Css()));
        return copy;
    }

    private static void Adapt(XElement element, string id)
    {
        if (element.Attribute("id") is { } identifier)
        {
            identifier.Value = $"{id}-{identifier.Value}";
        }

        if (element.Attribute("clip-path") is { } clip)
        {
            clip.Value = clip.Value.Replace("url(#", $"url(#{id}-", StringComparison.Ordinal);
        }

        // Variables are sure to work in a style, not in a presentation attribute.
        if (element.Attribute("fill") is { } fill)
        {
            element.SetAttributeValue("style", $"fill:{fill.Value};{element.Attribute("style")?.Value}");
            fill.Remove();
        }

        if (element.Attribute("style") is { } style)
        {
            style.Value = PlotPalette.ToVariables(style.Value);
        }
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
