using System.Text.RegularExpressions;

namespace Saltern.Docs.Tests;

// docs/one-step.md quotes the code: every line of a block stands in the file named above it.
public partial class OneStepTests
{
    private const string Page = "docs/one-step.md";

    [Fact]
    public void EveryLineOfCode_StandsInTheFileThatIsNamedAboveIt()
    {
        List<(string File, string Line)> quotes = [.. Quotes(File.ReadAllLines(Repository.At(Page)))];
        Assert.True(quotes.Count > 40, $"{Page} has {quotes.Count} lines of code.");
        string[] wrong =
        [
            .. quotes
                .Where(quote => !Lines(quote.File).Contains(quote.Line))
                .Select(quote => $"{quote.File}: {quote.Line}"),
        ];
        Assert.True(wrong.Length == 0, $"{Page} quotes what is not there:\n" + string.Join('\n', wrong));
    }

    [Fact]
    public void ALineThatIsNotInTheFile_IsFound() =>
        Assert.DoesNotContain("int step = State.Step + 2;", Lines("src/Saltern/Runs/Trainer.cs"));

    private static HashSet<string> Lines(string file) =>
        [.. File.ReadAllLines(Repository.At(file)).Select(line => line.Trim())];

    private static IEnumerable<(string File, string Line)> Quotes(IEnumerable<string> page)
    {
        string file = "";
        bool inCode = false;
        foreach (string line in page)
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                inCode = !inCode;
            }
            else if (inCode)
            {
                yield return (file, line.Trim());
            }
            else if (Source().Match(line) is { Success: true } named)
            {
                file = named.Groups[1].Value;
            }
        }
    }

    // A line of its own that begins with a link to the file.
    [GeneratedRegex(@"^\[(src/[^\]]+\.cs)\]\(\.\./src/")]
    private static partial Regex Source();
}
