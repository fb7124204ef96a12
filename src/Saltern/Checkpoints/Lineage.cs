using System.Text.Json;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;

namespace Saltern.Checkpoints;

/// <summary>Where the weights of a model folder came from and what that cost: from its checkpoint's state, or from the <c>lineage.json</c> that import, export and growth write beside a model.</summary>
internal static class Lineage
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "lineage.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>The history of a model, oldest first; its last entry is what made the weights as they are.</summary>
    /// <param name="path">As the user named it, a run folder perhaps.</param>
    /// <param name="folder">Where the model itself is.</param>
    /// <param name="trainedTokens">Tokens that a model of unknown history was trained on; null where nobody knows. Without effect where the history is recorded.</param>
    /// <param name="ignoredKeys">Keys of its config that were ignored; null for none.</param>
    /// <exception cref="CheckpointException">The checkpoint's state is damaged.</exception>
    /// <exception cref="DataFormatException">The file is damaged.</exception>
    public static IReadOnlyList<RunAncestor> Of(
        string path,
        string folder,
        long? trainedTokens = null,
        IReadOnlyList<string>? ignoredKeys = null
    )
    {
        // The average of a run's last weights is the run's own work, under its own fingerprint.
        string parent = Path.GetDirectoryName(Path.GetFullPath(folder)) ?? folder;
        if (
            Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)) == Checkpoint.AverageFolder
            && File.Exists(Path.Combine(parent, Checkpoint.StateFile))
        )
        {
            return InNewWeights(
                [.. OfCheckpoint(parent, parent).Select(each => each.WithTokens(trainedTokens))],
                folder
            );
        }

        IReadOnlyList<RunAncestor> history = File.Exists(Path.Combine(folder, Checkpoint.StateFile))
            ? OfCheckpoint(path, folder)
            : Recorded(folder) ?? [Foreign(path, folder, ignoredKeys)];
        return
        [
            .. history.SkipLast(1).Select(each => each.WithTokens(trainedTokens)),
            history[^1].WithTokens(trainedTokens).WithIgnored(ignoredKeys ?? []),
        ];
    }

    private static RunAncestor Foreign(string path, string folder, IReadOnlyList<string>? ignoredKeys = null) =>
        new()
        {
            Name = NameOf(path),
            Operation = RunAncestor.Foreign,
            Parameters = ModelFlops.Parameters(ModelFolder.LoadConfig(folder, ignoredKeys)),
            Weights = TeacherWeights.Fingerprint(folder),
        };

    /// <summary>The history of a model that was converted: its own where it is recorded, else a model of unknown history, under the new weights' fingerprint.</summary>
    /// <param name="source">Folder that it came from.</param>
    /// <param name="converted">Folder with the new weights.</param>
    /// <param name="trainedTokens">As in <see cref="Of"/>.</param>
    /// <param name="ignoredKeys">Keys of its config that were ignored.</param>
    public static IReadOnlyList<RunAncestor> Imported(
        string source,
        string converted,
        long? trainedTokens,
        IReadOnlyList<string> ignoredKeys
    )
    {
        IReadOnlyList<RunAncestor> history = Recorded(source) ?? [Foreign(source, converted)];
        return InNewWeights(
            [
                .. history.SkipLast(1).Select(each => each.WithTokens(trainedTokens)),
                history[^1].WithTokens(trainedTokens).WithIgnored(ignoredKeys),
            ],
            converted
        );
    }

    /// <summary>The history of a model that was written for other programs, under its weights' new fingerprint.</summary>
    public static IReadOnlyList<RunAncestor> Exported(
        string source,
        string written,
        IReadOnlyList<string> ignoredKeys
    ) => InNewWeights(Of(source, source, ignoredKeys: ignoredKeys), written);

    /// <summary>The same history under the fingerprint of weights that were written anew.</summary>
    public static IReadOnlyList<RunAncestor> InNewWeights(IReadOnlyList<RunAncestor> history, string folder) =>
        [.. history.SkipLast(1), history[^1] with { Weights = TeacherWeights.Fingerprint(folder) }];

    /// <summary>Writes a history beside a model.</summary>
    public static void Write(string folder, IReadOnlyList<RunAncestor> history) =>
        WholeFile.WriteText(Path.Combine(folder, FileName), JsonSerializer.Serialize(history, Json));

    /// <summary>The history in words, for a log; null of fresh weights.</summary>
    public static string? Describe(IReadOnlyList<RunAncestor> history)
    {
        if (history.Count == 0)
        {
            return null;
        }

        string cost = AncestorCost.Of(history).Flops is double flops
            ? FormattableString.Invariant($"{flops:0.00e0} FLOP")
            : "at a cost that nobody recorded";
        return $"{string.Join(", ", history.Select(each => $"{each.Name} ({each.Operation})"))}; {cost}";
    }

    private static IReadOnlyList<RunAncestor> OfCheckpoint(string path, string folder)
    {
        TrainState state = Checkpoint.LoadState(folder);
        RunTeacher? teacher = TeacherOf(state);
        var own = new RunAncestor
        {
            Name = RunNameOf(path, folder),
            Operation = state.IsFineTuning ? "fine-tuned" : "trained",
            Parameters = ModelFlops.Parameters(ModelFolder.LoadConfig(folder)),
            Steps = state.Step,
            Tokens = state.Tokens,
            Flops = state.Flops + (teacher?.PassFlops ?? 0),
            Seconds = state.Seconds + (teacher?.PassSeconds ?? 0),
            Run = state.Run.Length > 0 ? state.Run : state.InitialWeights,
            Weights = TeacherWeights.Fingerprint(folder),
        };
        IEnumerable<RunAncestor> teachers = HistoryOf(teacher).Select(each => each with { AsTeacher = true });
        return [.. AncestorCost.Union(state.Origin ?? OldOrigin(folder), [.. teachers]), own];
    }

    // The small model that helped the run; one that was named with the weight 0 never did.
    private static RunTeacher? TeacherOf(TrainState state) =>
        state.Transition is not null || state.Selection.Length > 0 ? state.Teacher : null;

    private static IReadOnlyList<RunAncestor> HistoryOf(RunTeacher? teacher)
    {
        if (teacher is null || teacher.History.Count > 0)
        {
            return teacher?.History ?? [];
        }

        // Of an older run: its cost alone is known, or not even that.
        return
        [
            new RunAncestor
            {
                Name = teacher.Name,
                Operation = teacher.TrainingFlops is null ? RunAncestor.Foreign : "trained",
                Parameters = teacher.Parameters,
                Flops = teacher.TrainingFlops,
                Seconds = teacher.TrainingSeconds,
                Weights = teacher.Weights,
            },
        ];
    }

    // An older state says nothing of its origin; its recipe says whether there was one.
    private static IReadOnlyList<RunAncestor> OldOrigin(string folder)
    {
        string recipe = Path.GetFullPath(Path.Combine(folder, "..", "..", RunLayout.Recipe));
        if (
            !File.Exists(recipe)
            || !RecipeKeys.Flatten(File.ReadAllText(recipe)).TryGetValue("init_from", out string? from)
        )
        {
            return [];
        }

        return [new RunAncestor { Name = NameOf(from), Operation = RunAncestor.Foreign }];
    }

    // Null where nothing is recorded.
    private static IReadOnlyList<RunAncestor>? Recorded(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (RunLayout.ReadDocument(path) is not string json)
        {
            return null;
        }

        try
        {
            IReadOnlyList<RunAncestor>? history = JsonSerializer.Deserialize<IReadOnlyList<RunAncestor>>(json, Json);
            if (history?.Any(each => each is null) == true)
            {
                throw new JsonException("an entry is null.");
            }

            return history is { Count: > 0 } ? history : null;
        }
        catch (JsonException e)
        {
            throw new DataFormatException(
                $"{path}: not the history of a model: {e.Message} Remove the file; what the model cost is then not known.",
                e
            );
        }
    }

    // A checkpoint's folder says a step; the run's name is two folders above.
    private static string RunNameOf(string path, string folder)
    {
        string run = Path.GetFullPath(Path.Combine(folder, "..", ".."));
        return File.Exists(Path.Combine(run, RunLayout.Recipe)) ? Path.GetFileName(run) : NameOf(path);
    }

    private static string NameOf(string path) =>
        Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
}
