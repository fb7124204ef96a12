using System.CommandLine;

namespace Saltern.Cli.Commands;

/// <summary>Options of <c>saltern eval</c> that belong to tasks.</summary>
internal sealed record TaskOptions
{
    /// <summary><c>--tasks</c>.</summary>
    public Option<string[]> Tasks { get; } =
        new("--tasks")
        {
            Description =
                "Measure these tasks instead of a data set: names (saltern task list), or files of one's own.",
            AllowMultipleArgumentsPerToken = true,
        };

    /// <summary><c>--data-dir</c>.</summary>
    public Option<string?> DataFolder { get; } =
        new("--data-dir")
        {
            Description = "Folder with the tasks' records: JSON lines or lists, plain or compressed, Parquet, Arrow.",
        };

    /// <summary><c>--shots</c>.</summary>
    public Option<int?> Shots { get; } =
        new("--shots") { Description = "Examples before each item; the task's own number by default." };

    /// <summary><c>--encoding</c>.</summary>
    public Option<string?> Encoding { get; } =
        new("--encoding")
        {
            Description =
                "Encoding of the tasks' JSON without a byte order mark, such as windows-1252; UTF-8 by default.",
        };

    /// <summary><c>--limit</c>.</summary>
    public Option<int?> Limit { get; } = new("--limit") { Description = "Only the first items of each task." };

    /// <summary>What was given; null without tasks.</summary>
    public TaskRequest? Of(ParseResult parsed)
    {
        string[] tasks = parsed.GetValue(Tasks) ?? [];
        string? folder = parsed.GetValue(DataFolder);
        int? shots = parsed.GetValue(Shots);
        int? limit = parsed.GetValue(Limit);
        string? encoding = parsed.GetValue(Encoding);
        if (tasks.Length == 0)
        {
            if (folder is null && shots is null && limit is null && encoding is null)
            {
                return null;
            }

            throw new ConfigurationException(
                "--data-dir, --encoding, --shots and --limit belong to --tasks. Name tasks, as --tasks arc_easy (saltern task list)."
            );
        }

        if (shots is < 0 or > 100 || limit < 1)
        {
            throw new ConfigurationException(
                $"--shots = {shots} must be in [0, 100], and --limit = {limit} at least 1."
            );
        }

        if (encoding is not null && Corpora.TextDecoding.ProblemOf(encoding) is string problem)
        {
            throw new ConfigurationException($"--encoding {problem}");
        }

        return new TaskRequest(tasks, folder, shots, limit, encoding);
    }
}

/// <summary>Tasks to run.</summary>
/// <param name="Files">Task and group files.</param>
/// <param name="DataFolder">Where their data is.</param>
/// <param name="Shots">Examples before each item; null for the tasks' own.</param>
/// <param name="Limit">Most items of each; null for all.</param>
/// <param name="Encoding">Encoding of their JSON; null for what they say, or UTF-8.</param>
internal sealed record TaskRequest(
    IReadOnlyList<string> Files,
    string? DataFolder,
    int? Shots,
    int? Limit,
    string? Encoding
);
