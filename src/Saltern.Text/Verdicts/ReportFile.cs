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

    public static void Replace(string path, string text)
    {
        string full = Path.GetFullPath(path);
        DurableFolder.Create(Path.GetDirectoryName(full)!);
        WholeFile.WriteText(full, text);
    }
}
