using System.Text.RegularExpressions;
using Saltern.Runs;

namespace Saltern.Docs.Tests;

// What is public is shown: in a sample, on a page, or as an extension point, and docs/library.md says where.
public partial class LibraryPageTests
{
    private const string Page = "docs/library.md";

    [Fact]
    public void EveryPublicType_IsOnThePage_AndEveryTypeOfThePageIsPublic()
    {
        HashSet<string> types =
        [
            .. new[] { typeof(SalternException), typeof(TrainingRun) }
                .SelectMany(type => type.Assembly.GetExportedTypes())
                .Where(type => !type.IsNested)
                .Select(type => type.Name),
        ];
        string text = File.ReadAllText(Repository.At(Page));
        HashSet<string> named = [.. TypeName().Matches(text).Select(match => match.Groups[1].Value)];
        Assert.Equal([], types.Except(named));

        // 'StageGuidance' stands there as what is internal.
        Assert.Equal(["StageGuidance"], named.Except(types));
    }

    [Fact]
    public void AnExtensionPoint_IsUsedInTheSampleThatIsNamed()
    {
        // | a teacher | `TrainingRunOptions.Teacher`; derive from `Teacher` … | [OwnTeacher.cs](../samples/…) |
        string[][] rows =
        [
            .. File.ReadLines(Repository.At(Page))
                .SkipWhile(line => !line.StartsWith("## Extension points", StringComparison.Ordinal))
                .Where(line => line.StartsWith("| a ", StringComparison.Ordinal))
                .Select(line => line.Split('|')),
        ];
        Assert.Equal(4, rows.Length);
        Assert.All(
            rows,
            row =>
            {
                string sample = File.ReadAllText(
                    Path.Combine(Repository.At("docs"), SampleLink().Match(row[3]).Groups[1].Value)
                );
                Assert.Contains(
                    TypeName().Matches(row[2]).Select(match => match.Groups[1].Value),
                    type => Regex.IsMatch(sample, $@"(: |new ){type}\b")
                );
            }
        );
    }

    [GeneratedRegex(@"\]\(([^)]+\.cs)\)")]
    private static partial Regex SampleLink();

    // `Name`, `Name`s or `Name.Member`; an assembly's name has a point and no member of that form.
    [GeneratedRegex(@"`(?!Saltern\.)([A-Z]\w+)(?:\.\w+)?`")]
    private static partial Regex TypeName();
}
