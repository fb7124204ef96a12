using System.IO.Compression;
using System.Text.Json;
using System.Text.RegularExpressions;
using Saltern.Cli.Commands;
using Saltern.Configuration;
using Saltern.Evaluation;
using Saltern.FineTuning;
using Saltern.ModelFiles;
using Saltern.Planning;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Selection;
using Saltern.Studies;
using Saltern.Verdicts;

namespace Saltern.Docs.Tests;

// The tables of the format pages are what the code reads and writes.
public partial class FormatPageTests
{
    [Fact]
    public void Recipe_HasEveryKey() =>
        GeneratedPart.Check(
            "docs/recipe-format.md",
            "recipe",
            RecipeTable.Of(RecipeSchema.Of<RunConfig>("recipe"), level: 3)
        );

    [Fact]
    public void Models_HasEveryFamily() => GeneratedPart.Check("docs/models.md", "families", FamilyTable.Make());

    [Fact]
    public void RecipeOfFineTuning_HasEveryKey() =>
        GeneratedPart.Check(
            "docs/recipe-format.md",
            "finetune",
            RecipeTable.Of(RecipeSchema.Of<FineTuneConfig>("fine-tuning"), level: 3)
        );

    [Fact]
    public void Study_HasEveryKey() =>
        GeneratedPart.Check("docs/study-format.md", "study", RecipeTable.Of(RecipeSchema.Of<StudyConfig>("study")));

    [Fact]
    public void Cluster_HasEveryKey() =>
        GeneratedPart.Check(
            "docs/cluster-file-format.md",
            "cluster",
            RecipeTable.Of(RecipeSchema.Of<ClusterConfig>("cluster"))
        );

    public static TheoryData<string> Kinds => [.. ShippedSchema.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void TheSchemaThatShips_HasEveryKey(string kind) =>
        GeneratedPart.CheckFile(
            $"recipes/schema/{ShippedSchema.FileName(kind)}",
            ShippedSchema.Of(kind).TrimEnd('\n') + "\n"
        );

    [Fact]
    public void Task_HasEveryKey() =>
        GeneratedPart.Check(
            "docs/task-format.md",
            "task",
            RecipeTable.Of(RecipeSchema.Of<TaskDefinition>("task"), level: 3)
        );

    [Fact]
    public void GroupOfTasks_HasEveryKey() =>
        GeneratedPart.Check(
            "docs/task-format.md",
            "group",
            RecipeTable.Of(RecipeSchema.Of<TaskGroup>("group"), level: 3)
        );

    [Fact]
    public void Result_HasEveryMember() =>
        GeneratedPart.Check("docs/run-format.md", "result", MemberTable.Of<RunResult>());

    [Fact]
    public void Selection_HasEveryMember() =>
        GeneratedPart.Check("docs/selection-format.md", "selection", MemberTable.Of<SelectionManifest>());

    [Fact]
    public void Verdict_HasEveryMember() =>
        GeneratedPart.Check("docs/verdict-format.md", "verdict", MemberTable.Of<Verdict>());

    [Fact]
    public void ConfigKeysOfModels_AreThoseOfTheCode() =>
        GeneratedPart.Check(
            "docs/models.md",
            "config keys",
            "| about | keys | values that pass |\n| --- | --- | --- |\n"
                + string.Concat(
                    ConfigKeyRules.All.Select(rule =>
                        $"| {rule.Says} | {string.Join(", ", rule.Keys.Select(key => $"`{key}`"))} | {rule.Neutral} |\n"
                    )
                )
        );

    [Theory]
    [InlineData("docs/verdict-format.md", "experiments/2026-11-25-dotnet-docs-study/verdict.json")]
    [InlineData(
        "docs/run-format.md",
        "experiments/2026-11-25-dotnet-docs-study/results.zip/SALT-auto/seed-1/result.json"
    )]
    public void MembersOfARealFile_AreOnItsPage(string page, string file)
    {
        string text = File.ReadAllText(Repository.At(page));
        using var json = JsonDocument.Parse(Content(file));
        string[] missing =
        [
            .. Names(json.RootElement, "")
                .Distinct()
                .Where(name => !text.Contains($"`{name}`", StringComparison.Ordinal)),
        ];
        Assert.True(missing.Length == 0, $"{page} does not name {string.Join(", ", missing)}, which {file} has.");
    }

    [Fact]
    public void NamesOfRealMetrics_AreOnTheirPage()
    {
        string[] patterns =
        [
            .. Regex
                .Matches(
                    File.ReadAllText(Repository.At("docs/run-format.md")),
                    "^\\| `([^`]+)` \\|",
                    RegexOptions.Multiline
                )
                .Select(match => "^" + Placeholder().Replace(Regex.Escape(match.Groups[1].Value), "[^/]+") + "$"),
        ];
        string[] found =
        [
            .. Directory
                .EnumerateFiles(Repository.At("experiments"), "results.zip", SearchOption.AllDirectories)
                .SelectMany(MetricsLines)
                .SelectMany(line =>
                    JsonDocument.Parse(line).RootElement.EnumerateObject().Select(figure => figure.Name)
                )
                .Distinct(),
        ];
        Assert.Contains("train/gap_share", found);
        string[] missing = [.. found.Where(name => !patterns.Any(pattern => Regex.IsMatch(name, pattern)))];
        Assert.True(
            missing.Length == 0,
            $"docs/run-format.md does not name {string.Join(", ", missing)}, which runs in experiments/ have."
        );
    }

    [Fact]
    public void KindsOfTasks_HaveTheMetricsThatThePageSays()
    {
        string[] lines = File.ReadAllLines(Repository.At("docs/task-format.md"));
        foreach (TaskKind kind in Enum.GetValues<TaskKind>())
        {
            string name =
                kind == TaskKind.LastWord ? "lastword" : JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());
            string row = Assert.Single(lines, line => line.StartsWith($"| `{name}` |", StringComparison.Ordinal));
            Assert.EndsWith(
                $"| {string.Join(", ", TaskMetrics.Of(kind).Select(metric => $"`{TaskMetrics.NameOf(metric)}`"))} |",
                row,
                StringComparison.Ordinal
            );
        }
    }

    // A file, or one in an archive.
    private static string Content(string file)
    {
        string[] parts = file.Split(".zip/");
        if (parts.Length == 1)
        {
            return File.ReadAllText(Repository.At(file));
        }

        using ZipArchive archive = ZipFile.OpenRead(Repository.At(parts[0] + ".zip"));
        return Text(archive.GetEntry(parts[1])!);
    }

    private static string[] MetricsLines(string archive)
    {
        using ZipArchive zip = ZipFile.OpenRead(archive);
        return
        [
            .. zip
                .Entries.Where(entry => entry.Name == "metrics.jsonl")
                .SelectMany(entry => Text(entry).Split('\n', StringSplitOptions.RemoveEmptyEntries)),
        ];
    }

    private static string Text(ZipArchiveEntry entry)
    {
        using var reader = new StreamReader(entry.Open());
        return reader.ReadToEnd();
    }

    // Names under free ones (domains, versions, tasks) are not the format's.
    private static IEnumerable<string> Names(JsonElement value, string under) =>
        value.ValueKind switch
        {
            JsonValueKind.Object => value
                .EnumerateObject()
                .SelectMany(member =>
                    Names(member.Value, member.Name)
                        .Concat(under is "domains" or "versions" or "tasks" ? [] : [member.Name])
                ),
            JsonValueKind.Array => value.EnumerateArray().SelectMany(item => Names(item, "")),
            _ => [],
        };

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Placeholder();
}
