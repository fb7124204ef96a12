using System.Text.RegularExpressions;

namespace Saltern.Docs.Tests;

/// <summary>A block of code of a page, fenced or indented by four blanks.</summary>
/// <param name="Page">Path of the page from the repository's root.</param>
/// <param name="Line">Line of the page on which its text begins, from 1.</param>
/// <param name="Language">The first word behind the fence; empty where there is none, and for indented blocks.</param>
/// <param name="Text">Its lines, without fence and indent.</param>
internal sealed record MarkdownBlock(string Page, int Line, string Language, string Text)
{
    /// <summary>The file that the block is: the second word behind the fence; empty where there is none.</summary>
    public string File { get; init; } = "";

    /// <summary>Where it is, for messages.</summary>
    public string Place => $"{Page}:{Line}";

    /// <summary>All blocks of a page, in order.</summary>
    public static IReadOnlyList<MarkdownBlock> Of(string page) =>
        Read(page, System.IO.File.ReadAllLines(Repository.At(page)));

    /// <summary>All blocks of all pages.</summary>
    public static IEnumerable<MarkdownBlock> All() => Repository.Pages.SelectMany(Of);

    internal static IReadOnlyList<MarkdownBlock> Read(string page, IReadOnlyList<string> lines)
    {
        var blocks = new List<MarkdownBlock>();
        for (int i = 0; i < lines.Count; i++)
        {
            if (lines[i].TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                int first = i + 1;
                string[] words = lines[i].Trim()[3..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                for (i = first; i < lines.Count && lines[i].Trim() != "```"; i++) { }

                Assert.True(i < lines.Count, $"{page}:{first}: the fence is never closed");
                blocks.Add(
                    new MarkdownBlock(
                        page,
                        first + 1,
                        words.ElementAtOrDefault(0) ?? "",
                        string.Join('\n', lines.Skip(first).Take(i - first))
                    )
                    {
                        File = words.ElementAtOrDefault(1) ?? "",
                    }
                );
            }
            else if (IsIndented(lines[i]) && (i == 0 || lines[i - 1].Length == 0))
            {
                int first = i;
                while (
                    i < lines.Count
                    && (
                        IsIndented(lines[i])
                        || (lines[i].Length == 0 && i + 1 < lines.Count && IsIndented(lines[i + 1]))
                    )
                )
                {
                    i++;
                }

                blocks.Add(
                    new MarkdownBlock(
                        page,
                        first + 1,
                        "",
                        string.Join(
                            '\n',
                            lines.Skip(first).Take(i - first).Select(line => line.Length == 0 ? line : line[4..])
                        )
                    )
                );
                i--;
            }
        }

        return blocks;
    }

    /// <summary>What stands between single backticks outside of blocks, with its line.</summary>
    public static IEnumerable<(int Line, string Text)> Inline(string page)
    {
        string[] lines = System.IO.File.ReadAllLines(Repository.At(page));
        var inBlocks = Of(page)
            .SelectMany(block => Enumerable.Range(block.Line, block.Text.Count(character => character == '\n') + 1))
            .ToHashSet();
        return Enumerable
            .Range(1, lines.Length)
            .Where(number => !inBlocks.Contains(number))
            .SelectMany(number =>
                Regex.Matches(lines[number - 1], "`([^`]+)`").Select(match => (number, match.Groups[1].Value))
            );
    }

    private static bool IsIndented(string line) =>
        line.StartsWith("    ", StringComparison.Ordinal) && line.Trim().Length > 0;
}
