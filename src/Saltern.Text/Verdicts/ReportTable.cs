using System.Text;
using System.Xml.Linq;

namespace Saltern.Verdicts;

/// <summary>A table that a page and a Markdown file have alike.</summary>
/// <param name="Rows">The first cell of each is its heading.</param>
internal sealed record ReportTable(
    string Caption,
    IReadOnlyList<string> Headings,
    IReadOnlyList<IReadOnlyList<string>> Rows
)
{
    /// <summary>For a page.</summary>
    public XElement ToHtml() => Html.Table(Caption, Headings, Rows);

    /// <summary>As Markdown, the caption in front.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.Append(null, $"{Escape(Caption)}:\n\n| ").AppendJoin(" | ", Headings.Select(Escape)).Append(" |\n");
        text.Append('|').Insert(text.Length, " --- |", Headings.Count).Append('\n');
        foreach (IReadOnlyList<string> row in Rows)
        {
            text.Append("| ").AppendJoin(" | ", row.Select(Escape)).Append(" |\n");
        }

        return text.ToString();
    }

    /// <summary>Text that Markdown shows as it is.</summary>
    public static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("|", "\\|", StringComparison.Ordinal)
            .Replace("*", "\\*", StringComparison.Ordinal)
            .Replace("<", "&lt;", StringComparison.Ordinal)
            .ReplaceLineEndings(" ");
}
