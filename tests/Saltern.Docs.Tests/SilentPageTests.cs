using System.Text.RegularExpressions;

namespace Saltern.Docs.Tests;

// docs/silent.md lists what is left out, cut or taken otherwise, with the test that reads the line which says so: each of them is there.
public partial class SilentPageTests
{
    private const string Page = "docs/silent.md";

    [Fact]
    public void EveryRow_NamesATestThatIsThere()
    {
        string[] rows =
        [
            .. File.ReadAllLines(Repository.At(Page))
                .Where(line =>
                    line.StartsWith("| ", StringComparison.Ordinal)
                    && !line.StartsWith("| ---", StringComparison.Ordinal)
                ),
        ];
        Dictionary<string, string> sources = Directory
            .EnumerateFiles(Repository.At("tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj"))
            .ToDictionary(path => Path.GetFileNameWithoutExtension(path) + " " + path, File.ReadAllText);
        Assert.True(rows.Length > 30, $"{Page} has {rows.Length} rows.");
        string[] wrong =
        [
            .. rows.Where(row => !row.EndsWith("| test |", StringComparison.Ordinal))
                .Where(row => !TestName().Matches(row).Any(name => IsThere(sources, name)))
                .Select(row => row),
        ];
        Assert.True(wrong.Length == 0, $"{Page} has rows whose test is not there:\n" + string.Join('\n', wrong));
    }

    [Fact]
    public void ATestThatIsNot_IsFound() =>
        Assert.False(IsThere([], TestName().Match("`SilentPageTests.NoSuchThing_Is`")));

    private static bool IsThere(Dictionary<string, string> sources, Match name) =>
        sources.Any(source =>
            source.Key.StartsWith(name.Groups["class"].Value + " ", StringComparison.Ordinal)
            && source.Value.Contains($" {name.Groups["method"].Value}(", StringComparison.Ordinal)
        );

    [GeneratedRegex(@"`(?<class>\w+Tests)\.(?<method>\w+)`")]
    private static partial Regex TestName();
}
