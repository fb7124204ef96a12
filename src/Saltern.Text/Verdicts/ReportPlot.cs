using System.Xml.Linq;
using OxyPlot;

namespace Saltern.Verdicts;

/// <summary>A plot of the report: drawn for a wide and a narrow page, with its data as a table behind it.</summary>
internal sealed record ReportPlot
{
    /// <summary>Prefix of its identifiers, unique in the page.</summary>
    public required string Id { get; init; }

    public required string Title { get; init; }

    /// <summary>What it shows, for a screen reader.</summary>
    public required string Description { get; init; }

    public required Func<PlotSize, PlotModel> Build { get; init; }

    /// <summary>Whether it is a low strip under another plot.</summary>
    public bool IsStrip { get; init; }

    public required string Note { get; init; }

    public required XElement Data { get; init; }

    public XElement Figure() =>
        Html.Element(
            "figure",
            "",
            Html.Element("figcaption", "", Title),
            Draw(PlotSize.Wide, "wide"),
            Draw(PlotSize.Narrow, "narrow"),
            Html.Element("p", "note", Note),
            Html.Details("Data behind this plot", Data)
        );

    /// <summary>HTML knows SVG by its name; without the namespace the page holds no address at all.</summary>
    public static XElement WithoutNamespace(XElement element) =>
        new(
            element.Name.LocalName,
            element
                .Attributes()
                .Where(attribute => !attribute.IsNamespaceDeclaration && attribute.Name.Namespace == XNamespace.None),
            element.Nodes().Select(WithoutNamespace)
        );

    private static XNode WithoutNamespace(XNode node)
    {
        if (node is XElement element)
        {
            return WithoutNamespace(element);
        }

        return node;
    }

    private XElement Draw(PlotSize page, string kind)
    {
        PlotSize size = page;
        if (IsStrip)
        {
            size = page.Strip;
        }

        XElement svg = PlotCanvas.Draw(Build(size), size, $"{Id}-{kind}", Title, Description);
        return Html.Element("div", kind, WithoutNamespace(svg));
    }
}
