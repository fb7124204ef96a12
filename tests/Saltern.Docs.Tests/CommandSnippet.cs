using System.Text.RegularExpressions;

namespace Saltern.Docs.Tests;

/// <summary>A call of the program as a page shows it.</summary>
/// <param name="Place">Page and line.</param>
/// <param name="Arguments">What stands behind <c>saltern</c>.</param>
/// <param name="IsWhole">Whether it is a call to be copied, from a block of code; otherwise it is named within a sentence and may lack arguments.</param>
internal sealed partial record CommandSnippet(string Place, IReadOnlyList<string> Arguments, bool IsWhole)
{
    private static readonly HashSet<string> ShellLanguages = ["", "sh", "bash", "console", "shell"];

    /// <summary>Every call in a page.</summary>
    public static IEnumerable<CommandSnippet> Of(string page) =>
        MarkdownBlock
            .Of(page)
            .Where(block => ShellLanguages.Contains(block.Language))
            .SelectMany(Of)
            .Concat(
                MarkdownBlock
                    .Inline(page)
                    .Where(code => code.Text.StartsWith("saltern ", StringComparison.Ordinal))
                    .Select(code => new CommandSnippet(
                        $"{page}:{code.Line}",
                        Split(code.Text["saltern ".Length..]),
                        IsWhole: false
                    ))
            );

    /// <summary>The calls in a block: a line with <c>saltern</c>, behind a launcher, a prompt or nothing; <c>\</c> at its end goes on with the next.</summary>
    public static IEnumerable<CommandSnippet> Of(MarkdownBlock block)
    {
        string[] lines = block.Text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            int first = i;
            string line = lines[i];
            while (line.EndsWith('\\') && i + 1 < lines.Length)
            {
                line = line[..^1] + lines[++i];
            }

            if (Call().Match(line) is { Success: true } call)
            {
                yield return new CommandSnippet(
                    $"{block.Page}:{block.Line + first}",
                    Split(call.Groups["arguments"].Value),
                    IsWhole: true
                );
            }
        }
    }

    // As a shell splits: quotes keep blanks, # begins a comment. Marks of a synopsis become a call: [--shots N] is given, a|b is a, N is a number.
    private static string[] Split(string text) =>
        [
            .. Word()
                .Matches(Comment().Replace(text, ""))
                .Select(match => match.Value.Trim('"', '\''))
                .TakeWhile(word => word is not ("|" or ">" or "2>&1" or "&&" or ";" or "&"))
                .Select(word => word.Trim('[', ']'))
                .Where(word => word is not ("" or "…"))
                .Select(word =>
                    word.Contains('|', StringComparison.Ordinal)
                        ? word[..word.IndexOf('|', StringComparison.Ordinal)]
                        : word
                )
                .Select(word =>
                    word switch
                    {
                        "N" or "M" or "K" => "1",
                        "X" => "0.5",
                        _ => word,
                    }
                ),
        ];

    [GeneratedRegex(@"^\s*(\$ )?(time )?((mpirun|srun)\s.*?)?\bsaltern\s+(?<arguments>[a-z-].*)$")]
    private static partial Regex Call();

    [GeneratedRegex(@"(?<=^|\s)#.*$")]
    private static partial Regex Comment();

    [GeneratedRegex("""(?:[^\s"']|"[^"]*"|'[^']*')+""")]
    private static partial Regex Word();
}
