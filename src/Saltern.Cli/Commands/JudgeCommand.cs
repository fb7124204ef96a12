using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Cli.Terminal;
using Saltern.Files;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern judge PATH…</c>: what verdicts carry by the strict rules, and a leaderboard of them.</summary>
internal static class JudgeCommand
{
    private const int CommitDigits = 10;

    private static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var paths = new Argument<string[]>("PATH")
        {
            Description = "verdict.json of a study or comparison, a study's folder, or a folder of such folders.",
            Arity = ArgumentArity.OneOrMore,
        };
        var leaderboard = new Option<string?>("--leaderboard")
        {
            Description = "Markdown page to write, with every verdict as a track.",
        };
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "judge",
            "Say which claims of a verdict are findings: seeds, p after correction, smallest effect that could be seen.",
            [
                "saltern judge studies/dotnet-docs-study",
                "saltern judge experiments --leaderboard experiments/LEADERBOARD.md",
            ]
        )
        {
            paths,
            leaderboard,
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, _) =>
                {
                    string[] files = [.. parsed.GetRequiredValue(paths).SelectMany(Find).Distinct()];
                    string? page = parsed.GetValue(leaderboard);
                    string from = Path.GetDirectoryName(Path.GetFullPath(page ?? "LEADERBOARD.md"))!;
                    LeaderboardTrack[] tracks = [.. files.Select(file => Track(file, from))];
                    foreach (LeaderboardTrack track in tracks)
                    {
                        console.Line(track.Name);
                        console.Lines.Write(JudgementText.Write(track.Judgement));
                        console.Line();
                    }

                    if (page is not null)
                    {
                        WholeFile.WriteText(page, JudgementText.Leaderboard(tracks));
                        console.Line($"leaderboard  {page}, {tracks.Length} tracks");
                    }

                    if (console.IsJson)
                    {
                        Output.Json(JsonSerializer.Serialize(tracks, JsonFormat));
                        return ExitCode.Done;
                    }

                    console.Next(
                        "docs/judging.md has the rules; more seeds come by 'seeds' in the study's file and --resume"
                    );
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    // Newest first, as folders of experiments are named by their day.
    private static IEnumerable<string> Find(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        string own = Path.Combine(path, VerdictFiles.Verdict);
        if (File.Exists(own))
        {
            return [own];
        }

        string[] inside = [];
        if (Directory.Exists(path))
        {
            inside =
            [
                .. Directory
                    .EnumerateDirectories(path)
                    .OrderDescending(StringComparer.Ordinal)
                    .Select(folder => Path.Combine(folder, VerdictFiles.Verdict))
                    .Where(File.Exists),
            ];
        }

        if (inside.Length > 0)
        {
            return inside;
        }

        throw new ConfigurationException(
            $"{path} is no verdict, and no folder with a {VerdictFiles.Verdict} in it or in a folder of it. "
                + "'saltern study' writes one; of runs 'saltern compare RUN… --json > verdict.json' does."
        );
    }

    private static LeaderboardTrack Track(string file, string from)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        JsonDocument verdict;
        try
        {
            verdict = JsonDocument.Parse(File.ReadAllText(file));
        }
        catch (JsonException e)
        {
            throw new DataFormatException($"{file} is no JSON: {e.Message}");
        }

        using (verdict)
        {
            return new LeaderboardTrack(
                Path.GetFileName(folder),
                Path.GetRelativePath(from, folder).Replace('\\', '/'),
                Commits(Path.Combine(folder, ResultsArchive.FileName)),
                Judgement.Of(verdict.RootElement, file)
            );
        }
    }

    // As 0.1.0+b761f8403997…: the part behind the plus.
    private static string[] Commits(string archive)
    {
        if (!File.Exists(archive))
        {
            return [];
        }

        return
        [
            .. NamedRuns
                .Of(archive)
                .Select(run => RunResult.Read(run.Bytes(RunLayout.Result), run.At(RunLayout.Result)))
                .Select(result => result.Versions.GetValueOrDefault("saltern") ?? "")
                .Select(version => version.Split('+') is [_, { Length: >= CommitDigits } commit] ? commit : "")
                .Where(commit => commit.Length > 0)
                .Select(commit => commit[..CommitDigits])
                .Distinct()
                .Order(StringComparer.Ordinal),
        ];
    }
}
