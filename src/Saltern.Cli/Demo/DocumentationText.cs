using System.Text;
using System.Xml.Linq;
using Saltern.Corpora;

namespace Saltern.Cli.Demo;

/// <summary>Turns the XML of one member's documentation into paragraphs of plain sentences.</summary>
internal static class DocumentationText
{
    /// <summary>The paragraphs of a member, each with the label it stands under, in a fixed order of kinds.</summary>
    public static IReadOnlyList<DocumentationPart> Parts(XElement member)
    {
        List<DocumentationPart> parts = [];
        AddAll("summary", _ => "");
        AddAll("typeparam", element => $"{(string?)element.Attribute("name")}: ");
        AddAll("param", element => $"{(string?)element.Attribute("name")}: ");
        AddAll("returns", _ => "Returns: ");
        AddAll("value", _ => "Value: ");
        AddAll(
            "exception",
            element => $"Throws {MemberId.ShortName((string?)element.Attribute("cref") ?? "Exception")}: "
        );
        AddAll("remarks", _ => "");
        AddAll("example", _ => "Example: ");
        return parts;

        void AddAll(string kind, Func<XElement, string> label)
        {
            foreach (XElement element in member.Elements(kind))
            {
                new Paragraphs(parts, label(element)).Add(element);
            }
        }
    }

    /// <summary>Splits a paragraph after '.', '!' or '?' where a blank and something that can begin a sentence follow.</summary>
    internal static IReadOnlyList<string> Sentences(string paragraph)
    {
        List<string> sentences = [];
        int start = 0;
        for (int i = 0; i + 2 < paragraph.Length; i++)
        {
            if (paragraph[i] is '.' or '!' or '?' && paragraph[i + 1] == ' ' && !char.IsLower(paragraph[i + 2]))
            {
                sentences.Add(paragraph[start..(i + 1)]);
                start = i + 2;
            }
        }

        sentences.Add(paragraph[start..]);
        return sentences;
    }

    /// <summary>Collects the running text of one element and closes a part at each paragraph, list item and block of code.</summary>
    private sealed class Paragraphs(List<DocumentationPart> parts, string label)
    {
        private readonly StringBuilder _text = new();

        public void Add(XElement element)
        {
            Walk(element);
            Close();
        }

        private void Walk(XElement element)
        {
            foreach (XNode node in element.Nodes())
            {
                if (node is XText text)
                {
                    _text.Append(text.Value);
                }
                else if (node is XElement child)
                {
                    WalkChild(child);
                }
            }
        }

        private void WalkChild(XElement child)
        {
            switch (child.Name.LocalName)
            {
                case "see" or "seealso" or "paramref" or "typeparamref" or "xref" or "inheritdoc":
                    _text.Append(child.Value.Trim() is { Length: > 0 } written ? written : ReferenceName(child));
                    break;
                case "code":
                    Close();
                    if (child.Value.Trim('\n', '\r', ' ') is { Length: > 0 } code)
                    {
                        parts.Add(new DocumentationPart(label, [code.ReplaceLineEndings("\n")], IsCode: true));
                    }

                    break;
                case "para" or "p" or "li" or "item" or "listheader" or "br" or "ul" or "list":
                    Close();
                    Walk(child);
                    Close();
                    break;
                case "term":
                    Walk(child);
                    _text.Append(": ");
                    break;
                default:
                    Walk(child);
                    break;
            }
        }

        private static string ReferenceName(XElement reference)
        {
            foreach (XAttribute attribute in reference.Attributes())
            {
                switch (attribute.Name.LocalName)
                {
                    case "cref":
                        return MemberId.ShortName(attribute.Value);
                    case "uid":
                        return MemberId.ShortName(Uri.UnescapeDataString(attribute.Value).TrimEnd('*'));
                    case "name" or "langword" or "href":
                        return attribute.Value;
                    default:
                        break;
                }
            }

            return "";
        }

        private void Close()
        {
            string text = string.Join(
                ' ',
                _text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            );
            _text.Clear();
            if (text.Length > 0)
            {
                parts.Add(new DocumentationPart(label, Sentences(text)));
            }
        }
    }
}
