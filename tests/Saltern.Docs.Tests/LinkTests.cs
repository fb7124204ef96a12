using System.Text.RegularExpressions;

namespace Saltern.Docs.Tests;

// Links within the repository lead somewhere.
public partial class LinkTests
{
    private static readonly string[] Sources =
    [
        .. new[] { "src", "tests", "samples", "build", "benchmarks" }.SelectMany(folder =>
            Directory.EnumerateFiles(Repository.At(folder), "*.cs", SearchOption.AllDirectories)
        ),
    ];

    public static TheoryData<string> Pages =>
        [
            .. Repository.Pages,
            .. Directory
                .EnumerateFiles(Repository.At("experiments"), "*.md", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(Repository.Root, path)),
        ];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_LeadToFilesAndHeadings(string page)
    {
        string folder = Path.GetDirectoryName(Repository.At(page))!;
        var wrong = new List<string>();
        string[] lines = File.ReadAllLines(Repository.At(page));
        for (int i = 0; i < lines.Length; i++)
        {
            foreach (
                string link in Link()
                    .Matches(lines[i])
                    .Select(match => match.Groups[1].Value)
                    .Where(link => !link.Contains("://", StringComparison.Ordinal))
            )
            {
                string[] parts = link.Split('#');
                string target =
                    parts[0].Length == 0
                        ? Repository.At(page)
                        : Path.GetFullPath(Path.Combine(folder, Uri.UnescapeDataString(parts[0])));
                if (
                    !Path.Exists(target)
                    || (
                        parts.Length > 1
                        && target.EndsWith(".md", StringComparison.Ordinal)
                        && !Anchors(target).Contains(parts[1])
                    )
                )
                {
                    wrong.Add($"{page}:{i + 1}: {link}");
                }
            }
        }

        Assert.True(wrong.Count == 0, "These lead nowhere:\n" + string.Join('\n', wrong));
    }

    // A page says `Folder/File.cs` or `Folder/` for what lies under src, tests, samples or build.
    [Theory]
    [MemberData(nameof(Pages))]
    public void SourceFilesThatAPageNames_AreThere(string page)
    {
        Assert.SkipWhen(
            page.StartsWith("experiments", StringComparison.Ordinal),
            "A record keeps the names of its day."
        );
        string[] wrong =
        [
            .. SourceFile()
                .Matches(File.ReadAllText(Repository.At(page)))
                .Select(match => match.Groups[1].Value)
                .Where(named => !Sources.Any(file => file.EndsWith("/" + named, StringComparison.Ordinal))),
        ];
        Assert.True(wrong.Length == 0, $"{page} names what is not there: {string.Join(", ", wrong)}");
    }

    [Fact]
    public void Index_LeadsToEveryPage()
    {
        string index = File.ReadAllText(Repository.At("docs/README.md"));
        string[] missing =
        [
            .. Directory
                .EnumerateFiles(Repository.At("docs"), "*.md")
                .Select(Path.GetFileName)
                .OfType<string>()
                .Where(page => page != "README.md" && !index.Contains($"]({page}", StringComparison.Ordinal)),
        ];
        Assert.True(missing.Length == 0, $"docs/README.md does not lead to {string.Join(", ", missing)}.");
    }

    // GitHub's rule: lower case, punctuation dropped, blanks to dashes.
    private static HashSet<string> Anchors(string path) =>
        [
            .. File.ReadLines(path)
                .Where(line => line.StartsWith('#'))
                .Select(line => Dropped().Replace(line.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-')),
        ];

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`((?:[A-Za-z.]+/)*[A-Za-z]+\\.cs)`")]
    private static partial Regex SourceFile();

    [GeneratedRegex(@"[^\p{L}\p{N}\- _]")]
    private static partial Regex Dropped();
}
