using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Saltern.Verdicts;

/// <summary>Elements of a page as a tree, so that everything is escaped by construction.</summary>
internal static class Html
{
    /// <summary>An element with a class, or none where it is empty.</summary>
    public static XElement Element(string name, string cssClass, params object?[] content) =>
        new(
            name,
            cssClass.Length > 0 ? new XAttribute("class", cssClass) : null,
            content.Select(item => item is string text ? Clean(text) : item)
        );

    /// <summary>A section with its heading.</summary>
    public static XElement Section(string heading, params object?[] content) =>
        Element("section", "", [Element("h2", "", heading), .. content]);

    /// <summary>A table that scrolls in its own box on a narrow screen. The first cell of a row is its heading.</summary>
    public static XElement Table(string caption, IEnumerable<string> headings, IEnumerable<IEnumerable<string>> rows) =>
        new(
            "div",
            new XAttribute("class", "scroll"),
            new XAttribute("tabindex", "0"),
            new XAttribute("role", "region"),
            new XAttribute("aria-label", Clean(caption)),
            Element(
                "table",
                "",
                Element("caption", "", Element("span", "", caption)),
                Element("thead", "", Element("tr", "", [.. headings.Select(heading => Cell("th", "col", heading))])),
                Element(
                    "tbody",
                    "",
                    [
                        .. rows.Select(row =>
                            Element(
                                "tr",
                                "",
                                [.. row.Select((cell, i) => i == 0 ? Cell("th", "row", cell) : Element("td", "", cell))]
                            )
                        ),
                    ]
                )
            )
        );

    /// <summary>Content that opens on request.</summary>
    public static XElement Details(string summary, params object?[] content) =>
        Element("details", "", [Element("summary", "", summary), .. content]);

    /// <summary>Text without the characters that no page may hold; a model writes anything.</summary>
    public static string Clean(string text)
    {
        StringBuilder clean = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (i + 1 < text.Length && XmlConvert.IsXmlSurrogatePair(text[i + 1], text[i]))
            {
                clean.Append(text[i]).Append(text[++i]);
            }
            else
            {
                clean.Append(XmlConvert.IsXmlChar(text[i]) ? text[i] : '\uFFFD');
            }
        }

        return clean.ToString();
    }

    private static XElement Cell(string name, string scope, string text) =>
        new(name, new XAttribute("scope", scope), Clean(text));
}
