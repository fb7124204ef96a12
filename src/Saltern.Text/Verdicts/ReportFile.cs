using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Saltern.Files;

namespace Saltern.Verdicts;

/// <summary>Writes a finished text to its place, never half of it.</summary>
internal static class ReportFile
{
    public static string Serialise(XElement root)
    {
        StringBuilder text = new();
        XmlWriterSettings settings = new()
        {
            OmitXmlDeclaration = true,
            Indent = false,
            NewLineHandling = NewLineHandling.None,
        };
        using (XmlWriter writer = XmlWriter.Create(text, settings))
        {
            root.Save(writer);
        }

        return text.Append('\n').ToString();
    }

    /// <summary>A whole page: no script, no network.</summary>
    /// <param name="content">What stands in the page's one column.</param>
    public static string Page(string title, IReadOnlyList<XElement?> content)
    {
        XElement page = new(
            "html",
            new XAttribute("lang", "en"),
            new XElement(
                "head",
                new XElement("meta", new XAttribute("charset", "utf-8")),
                new XElement(
                    "meta",
                    new XAttribute("name", "viewport"),
                    new XAttribute("content", "width=device-width, initial-scale=1")
                ),
                new XElement("meta", new XAttribute("name", "color-scheme"), new XAttribute("content", "light dark")),
                Html.Element("title", "", title),
                new XElement("style", ReportStyle.Css)
            ),
            new XElement("body", Html.Element("main", "", [.. content]))
        );
        return "<!DOCTYPE html>\n" + Serialise(page);
    }

    /// <summary>Who wrote the page, and on which day of this machine's calendar.</summary>
    public static string Written() =>
        string.Create(CultureInfo.InvariantCulture, $"Written by Saltern on {DateTime.Now:d MMMM yyyy}.");

    public static void Replace(string path, string text)
    {
        string full = Path.GetFullPath(path);
        DurableFolder.Create(Path.GetDirectoryName(full)!);
        WholeFile.WriteText(full, text);
    }
}
