using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Saltern.Cli.Tests;

// experiments/ is a record: small, listed in its log, and every report can be made again by the command that stands beside it.
public sealed class RecordTests : IDisposable
{
    private const int MostFiles = 250;

    // Not kept then: the losses by document, from which a standard error comes; and metrics with more than six decimals.
    private static readonly string[] FromDocuments = ["final_loss_difference_se", "tokens_needed"];
    private const double SixDecimals = 1e-5;

    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-record-").FullName;

    public static TheoryData<string> Experiments =>
        [
            .. Directory
                .EnumerateDirectories(At(""))
                .Select(folder => Path.GetFileName(folder)!)
                .Order(StringComparer.Ordinal),
        ];

    public static TheoryData<string> Reports =>
        [.. Experiments.Select(row => row.Data).Where(name => Commands(name).Length > 0)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Experiments))]
    public void EveryExperiment_HasAReadMe_AndAnEntryInTheLog(string experiment)
    {
        Assert.True(File.Exists(At(experiment, "README.md")), $"experiments/{experiment} has no README.md");
        string[] headings = [.. File.ReadLines(At("LOG.md")).Where(line => line.StartsWith('#'))];
        Assert.True(
            headings.Count(line => line.Contains($"]({experiment})", StringComparison.Ordinal)) == 1,
            $"experiments/LOG.md has no entry whose heading links to {experiment}"
        );

        // A single run has nothing to be compared with.
        Assert.True(
            Commands(experiment).Length > 0
                || !File.Exists(At(experiment, "results.zip"))
                || KeptResults.Of(experiment).Count < 3,
            $"experiments/{experiment}/README.md does not say how its report is made again"
        );
    }

    [Fact]
    public void TheLog_IsNewestFirst()
    {
        string[] dates =
        [
            .. File.ReadLines(At("LOG.md"))
                .Where(line => line.StartsWith("## ", StringComparison.Ordinal))
                .Select(line => line.Split(']')[1][1..11]),
        ];
        Assert.Equal(dates.OrderDescending(StringComparer.Ordinal), dates);
    }

    [Fact]
    public void TheRecord_IsSmall_AndHoldsNoPages()
    {
        Assert.SkipUnless(Path.Exists(Path.Combine(RecipeTests.Root(), ".git")), "This is no git checkout.");
        using Process git = Process.Start(
            new ProcessStartInfo("git", ["-C", RecipeTests.Root(), "ls-files", "experiments"])
            {
                RedirectStandardOutput = true,
            }
        )!;
        string[] files = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.InRange(files.Length, Experiments.Count, MostFiles);
        Assert.DoesNotContain(files, file => file.EndsWith(".html", StringComparison.Ordinal));
        Assert.DoesNotContain(files, file => file.EndsWith("result.json", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Reports))]
    public void TheReport_IsMadeAgain_WithTheSameFigures(string experiment)
    {
        string copy = Path.Combine(_folder, "experiments", experiment);
        Directory.CreateDirectory(copy);
        foreach (
            string file in Directory
                .EnumerateFiles(At(experiment))
                .Where(file => Path.GetFileName(file) is "results.zip" or "step-times.json")
        )
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        foreach (string[] command in Commands(experiment))
        {
            using JsonDocument verdict = JsonDocument.Parse(Run([.. command, "--json"]));
            Assert.NotEmpty(verdict.RootElement.GetProperty("runs").EnumerateArray());
            if (command[0] == "study")
            {
                foreach (
                    string file in new[] { "verdict.json", "finetune.json" }.Where(name =>
                        File.Exists(At(experiment, name))
                    )
                )
                {
                    Assert.Equal(Figures(At(experiment, file)), Figures(Path.Combine(copy, file)));
                }
            }
            else if (File.Exists(At(experiment, "verdict.json")) && !command.Contains("--baseline"))
            {
                using JsonDocument kept = JsonDocument.Parse(File.ReadAllText(At(experiment, "verdict.json")));
                RequireSame(kept.RootElement, verdict.RootElement, "");
            }
        }

        Assert.All(Directory.GetFiles(copy, "*.html"), page => Assert.True(new FileInfo(page).Length > 10_000, page));
        Assert.NotEmpty(Directory.GetFiles(copy, "*.html"));
    }

    [Fact]
    public void TheLeaderboard_IsWhatTheVerdictsCarry()
    {
        string copy = Path.Combine(_folder, "experiments");
        foreach (string verdict in Experiments.Select(row => At(row.Data, "verdict.json")).Where(File.Exists))
        {
            string folder = Path.Combine(copy, Path.GetFileName(Path.GetDirectoryName(verdict)!));
            Directory.CreateDirectory(folder);
            foreach (string name in new[] { "verdict.json", "results.zip" })
            {
                File.Copy(Path.Combine(Path.GetDirectoryName(verdict)!, name), Path.Combine(folder, name));
            }
        }

        string told = Run(["judge", copy, "--leaderboard", Path.Combine(copy, "LEADERBOARD.md")]);
        Assert.Equal(File.ReadAllText(At("LEADERBOARD.md")), File.ReadAllText(Path.Combine(copy, "LEADERBOARD.md")));
        Assert.Contains("A finding wants 5 paired seeds", told, StringComparison.Ordinal);

        using JsonDocument tracks = JsonDocument.Parse(Run(["judge", copy, "--json"]));
        JsonElement demo = tracks
            .RootElement.EnumerateArray()
            .Single(track => track.GetProperty("name").GetString() == "2026-11-23-demo-seeds");
        JsonElement loss = demo.GetProperty("judgement")
            .GetProperty("claims")
            .EnumerateArray()
            .Single(claim => claim.GetProperty("measure").GetString() == "final_loss");
        Assert.Equal("finding", loss.GetProperty("standing").GetString());
        Assert.Equal((5, 1), (loss.GetProperty("seeds").GetInt32(), loss.GetProperty("small_models").GetInt32()));
        Assert.True(loss.GetProperty("adjusted_p").GetDouble() < 0.01);
    }

    // All but the sentences: those say the same figures in the words of the day.
    private static string Figures(string file)
    {
        JsonNode all = JsonNode.Parse(File.ReadAllText(file))!;
        foreach (JsonNode? run in (all as JsonObject)?["runs"]?.AsArray() ?? [])
        {
            Array.ForEach(SameFigures.Sentences, name => run!.AsObject().Remove(name));
        }

        return all.ToJsonString();
    }

    // What an earlier version wrote down, member for member; a later one may say more.
    private static void RequireSame(JsonElement kept, JsonElement now, string place)
    {
        switch (kept.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (
                    JsonProperty member in kept.EnumerateObject()
                        .Where(member =>
                            !FromDocuments.Concat(SameFigures.Sentences).Append("warnings").Contains(member.Name)
                        )
                )
                {
                    Assert.True(
                        now.TryGetProperty(member.Name, out JsonElement there),
                        $"{place}/{member.Name} is gone"
                    );
                    RequireSame(member.Value, there, $"{place}/{member.Name}");
                }

                break;
            case JsonValueKind.Array:
                Assert.Equal(kept.GetArrayLength(), now.GetArrayLength());
                foreach ((JsonElement before, JsonElement after) in kept.EnumerateArray().Zip(now.EnumerateArray()))
                {
                    RequireSame(before, after, place);
                }

                break;
            case JsonValueKind.Number:
                Assert.True(
                    Math.Abs(kept.GetDouble() - now.GetDouble())
                        <= SixDecimals * Math.Max(1, Math.Abs(kept.GetDouble())),
                    $"{place} was {kept} and is {now}"
                );
                break;
            default:
                Assert.True(kept.ToString() == now.ToString(), $"{place} was {kept} and is {now}");
                break;
        }
    }

    private string Run(string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [SalternProcess.Program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"saltern {string.Join(' ', arguments)}: {error.Result}");
        return output;
    }

    // Calls over what is kept, a line each: they name their own folder.
    private static string[][] Commands(string experiment) =>
        [
            .. File.ReadLines(At(experiment, "README.md"))
                .Where(line =>
                    line.StartsWith("saltern ", StringComparison.Ordinal)
                    && line.Contains($"experiments/{experiment}", StringComparison.Ordinal)
                )
                .Select(line => line.Split(' ')[1..]),
        ];

    private static string At(params string[] parts) => Path.Combine([RecipeTests.Root(), "experiments", .. parts]);
}
