namespace Saltern.Docs.Tests;

/// <summary>Text as Markdown.</summary>
internal static class MarkdownText
{
    /// <summary>A sentence in a cell of a table: bars do not end it, and outside of backticks &lt;name&gt; is no tag.</summary>
    public static string Cell(string text) =>
        string.Join(
            '`',
            text.Replace("|", "\\|", StringComparison.Ordinal)
                .Split('`')
                .Select((part, i) => i % 2 == 1 ? part : part.Replace("<", "\\<", StringComparison.Ordinal))
        );
}
