using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Files;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>Everything a run leaves behind: recipe, metrics, events, checkpoints, evaluation, result.</summary>
/// <remarks><see cref="Inspect"/> takes the folder for this run, then looks; <see cref="Claim"/> writes into it once everything else is known to be right.</remarks>
public sealed class RunFolder : IDisposable
{
    private readonly string _recipe;
    private readonly IReadOnlyList<RecipeChange> _changes;
    private readonly IReadOnlyList<int> _damaged;
    private FileLock? _lock;

    private RunFolder(
        string path,
        string recipe,
        int? resumeStep,
        TrainState? resumeState,
        IReadOnlyList<RecipeChange> changes,
        IReadOnlyList<int> damaged
    )
    {
        Path = path;
        _recipe = recipe;
        Checkpoints = new CheckpointStore(path);
        (ResumeStep, ResumeState, _changes, _damaged) = (resumeStep, resumeState, changes, damaged);
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Its checkpoints.</summary>
    internal CheckpointStore Checkpoints { get; }

    /// <summary>Step of the checkpoint to resume from; null to start at step 1.</summary>
    public int? ResumeStep { get; }

    /// <summary>State at that step; null to start at step 1.</summary>
    internal TrainState? ResumeState { get; }

    /// <summary>The result of a run that had made all its steps when it was resumed: nothing is written any more. Null for one that goes on.</summary>
    internal RunResult? Finished { get; private set; }

    /// <summary>Takes a folder for this run, then looks whether the run can start or be resumed in it; changes nothing.</summary>
    /// <typeparam name="T">Root of the recipe.</typeparam>
    /// <param name="config">The recipe, with overrides.</param>
    /// <param name="leads">Whether this process is the run's only one or its rank 0: the one that writes, and holds the folder.</param>
    /// <param name="resume">Whether to resume from the newest good checkpoint.</param>
    /// <param name="overrides">What <c>--set</c> gave: these keys may differ from the folder's recipe.</param>
    /// <param name="log">Told what is skipped or changed.</param>
    /// <exception cref="ConfigurationException">Another run is writing into the folder, it holds something and nothing says to resume, or the recipe changed.</exception>
    internal static RunFolder Inspect<T>(
        string path,
        T config,
        bool leads,
        bool resume,
        IReadOnlyCollection<RecipeOverride> overrides,
        Action<string> log
    )
        where T : class, IRunRecipe
    {
        FileLock? held = leads
            ? FileLock.Take(
                System.IO.Path.Combine(path, RunLayout.Lock),
                $"Another run is writing into {path}",
                "Wait for it, or choose another folder with --out."
            )
            : null;
        try
        {
            if (held?.Remark is string remark)
            {
                log(remark);
            }

            RunFolder folder = Look(path, config, resume, overrides, log);
            folder._lock = held;
            return folder;
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    private static RunFolder Look<T>(
        string path,
        T config,
        bool resume,
        IReadOnlyCollection<RecipeOverride> overrides,
        Action<string> log
    )
        where T : class, IRunRecipe
    {
        bool filled =
            Directory.Exists(path)
            && Directory
                .EnumerateFileSystemEntries(path)
                .Any(entry => !IsLeftByStart(System.IO.Path.GetFileName(entry)));
        string recipe = System.IO.Path.Combine(path, RunLayout.Recipe);
        if (filled && !resume)
        {
            throw new ConfigurationException(
                $"The run folder {path} already holds something. Go on with --resume, or choose another folder with --out."
            );
        }

        if (filled && !File.Exists(recipe))
        {
            throw new ConfigurationException(
                $"{path} holds something but no {RunLayout.Recipe}, so it is not a run folder to resume. Choose another folder with --out."
            );
        }

        if (!filled)
        {
            if (resume)
            {
                log($"{path} has nothing to resume; the run starts at step 1.");
            }

            return new RunFolder(path, RecipeWriter.Write(config), null, null, [], []);
        }

        var store = new CheckpointStore(path);
        (int? step, IReadOnlyList<string> skipped) = store.NewestGood();
        IReadOnlyList<RecipeChange> changes = CheckChanges(recipe, config, overrides, step ?? 0);
        foreach (RecipeChange change in changes)
        {
            log("Changed on resume: " + Sentence(change));
        }

        foreach (string line in skipped)
        {
            log(line);
        }

        log(
            step is null
                ? $"{path} has no whole checkpoint; the run starts at step 1."
                : $"Resuming {path} after step {step}."
        );
        TrainState? state = step is int found ? Checkpoint.LoadState(store.PathOf(found)) : null;
        return new RunFolder(
            path,
            RecipeWriter.Write(config),
            step,
            state,
            changes,
            [.. store.Steps().Where(damaged => damaged > (step ?? -1))]
        );
    }

    /// <summary>Begins to write into the folder: removes what was never finished, sets damaged checkpoints aside, writes the resolved recipe. A finished run stays as it is.</summary>
    /// <param name="steps">Steps that the run is planned for.</param>
    /// <param name="log">Told what is removed.</param>
    /// <exception cref="ConfigurationException">All steps are made, and keys that decided their numbers are to change.</exception>
    internal void Claim(int steps, Action<string> log)
    {
        if (ResumeStep >= steps)
        {
            RefuseChangesAfterTheEnd();
            Finished = ReadResult();
        }

        if (Finished is not null)
        {
            // Its end may be of a life that was killed before the names were on the disk.
            DurableFolder.FlushParent(PathOf(RunLayout.Result));
            FlushCheckpoints();
            string ignored = _changes.Count == 0 ? "" : $" Not taken: {string.Join(' ', _changes.Select(Sentence))}";
            log($"The run is finished after step {ResumeStep}; its record stays as it is.{ignored}");
            return;
        }

        DurableFolder.Create(Path);
        foreach (string leftover in DurableFolder.RemoveLeftovers(Checkpoints.Folder))
        {
            log($"Removed {leftover}, which was never finished.");
        }

        FlushCheckpoints();
        foreach (int step in _damaged)
        {
            Checkpoints.SetAside(step);
        }

        if (ResumeState is null || ResumeState.Step < steps)
        {
            // What an earlier, shorter life of this run concluded holds no longer.
            Disk.Current.Delete(PathOf(RunLayout.Result));
            if (Directory.Exists(PathOf(RunLayout.EvaluationFolder)))
            {
                Disk.Current.Delete(PathOf(RunLayout.Documents));
            }
        }

        if (_changes.Count > 0)
        {
            NoteChanges();
        }

        WholeFile.WriteText(PathOf(RunLayout.Recipe), SelfChecksum.AddLine(_recipe));
    }

    // What a run leaves that is killed before it has written its recipe.
    private static bool IsLeftByStart(string name) =>
        name is RunLayout.Lock or RunLayout.Recipe + WholeFile.TemporaryEnding;

    // The checkpoint that this run goes on from may be of one that was killed before its name was on the disk.
    private void FlushCheckpoints()
    {
        if (Directory.Exists(Checkpoints.Folder))
        {
            Disk.Current.FlushFolder(Checkpoints.Folder);
        }
    }

    // Once: a run that was killed before it had written its new recipe finds the same changes again.
    private void NoteChanges()
    {
        string path = PathOf(RunLayout.Changes);
        string[] noted = File.Exists(path) ? [.. Disk.Current.ReadAllText(path).Split('\n')[..^1]] : [];
        string[] now = [.. _changes.Select(change => $"after step {ResumeStep ?? 0}: {Sentence(change)}")];
        if (!noted.TakeLast(now.Length).SequenceEqual(now))
        {
            WholeFile.WriteText(path, string.Concat(noted.Concat(now).Select(line => line + "\n")));
        }
    }

    // Seed, rates, teacher …: the record would say what the run was not.
    private void RefuseChangesAfterTheEnd()
    {
        RecipeChange[] late = [.. _changes.Where(change => change.AltersNumbers)];
        if (late.Length > 0)
        {
            throw new ConfigurationException([
                $"The run in {Path} has made all its {ResumeStep} steps, so these keys could change nothing but its record:",
                .. late.Select(change => "  " + Sentence(change)),
                "Leave them out of --set, extend the run with --set training.steps=…, or start a new one with --out.",
            ]);
        }
    }

    // Null where the run was stopped before it could say its result, or the file is damaged: then it says it again.
    private RunResult? ReadResult()
    {
        string path = PathOf(RunLayout.Result);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            RunResult result = RunResult.Read(path);
            return result.Truncated || result.Steps != ResumeStep ? null : result;
        }
        catch (DataFormatException)
        {
            return null;
        }
    }

    /// <summary>Where to resume from, as a sentence.</summary>
    internal string LastGood()
    {
        if (Checkpoints.NewestGood().Step is int step)
        {
            return $"The last good checkpoint is {Checkpoints.PathOf(step)}.";
        }

        return "There is no checkpoint yet.";
    }

    /// <summary>Writes into the folder while the run goes; where the disk refuses, the error says what the run can be resumed from.</summary>
    /// <param name="what">What is written, with its path, as the beginning of a sentence: "The checkpoint …".</param>
    /// <exception cref="CheckpointException">It cannot be written; the last good checkpoint is intact.</exception>
    internal void Write(string what, Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            throw new CheckpointException(
                $"{what} cannot be written: {SystemLimits.Reason(e)} {LastGood()} "
                    + "Make room or change the permissions, then go on with --resume.",
                e
            );
        }
    }

    /// <summary>Writes a text file of the folder whole; its own folder is made.</summary>
    /// <param name="name">As <see cref="RunLayout"/> has it.</param>
    /// <exception cref="CheckpointException">It cannot be written; the last good checkpoint is intact.</exception>
    internal void WriteText(string name, string text)
    {
        string path = PathOf(name);
        Write(
            path,
            () =>
            {
                DurableFolder.Create(System.IO.Path.GetDirectoryName(path)!);
                WholeFile.WriteText(path, text);
            }
        );
    }

    /// <summary>Path of a file in the folder.</summary>
    internal string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Lets another run have the folder.</summary>
    public void Dispose()
    {
        _lock?.Dispose();
        _lock = null;
    }

    private static string Sentence(RecipeChange change) => $"{change.Path} from {change.Before} to {change.After}.";

    private static List<RecipeChange> CheckChanges<T>(
        string recipe,
        T config,
        IReadOnlyCollection<RecipeOverride> overrides,
        int doneSteps
    )
        where T : class, IRunRecipe
    {
        T before = RecipeReader.Read<T>(recipe, []);
        List<string> problems = [];
        List<RecipeChange> allowed = [];
        foreach (RecipeChange change in RecipeDiff.Compare(before, config))
        {
            if (change.AltersNumbers && before.FixedBecause(change.Path, config, doneSteps) is string reason)
            {
                problems.Add($"{change.Path} was {change.Before} and is now {change.After}: {reason}");
            }
            else if (change.AltersNumbers && !overrides.Any(given => given.Covers(change.Path)))
            {
                problems.Add(
                    $"{change.Path} was {change.Before} in {recipe} and is now {change.After}. "
                        + $"Give it by --set {change.Path}=… if the run is to go on with the new value."
                );
            }
            else
            {
                allowed.Add(change);
            }
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }

        return allowed;
    }
}
