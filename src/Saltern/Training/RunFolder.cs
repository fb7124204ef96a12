using Saltern.Checkpoints;
using Saltern.Configuration;

namespace Saltern.Training;

/// <summary>Everything a run leaves behind: recipe, metrics, events, checkpoints, evaluation, result.</summary>
public sealed class RunFolder
{
    /// <summary>The resolved recipe.</summary>
    public const string RecipeFile = "recipe.yaml";

    /// <summary>Figures, one JSON object a line.</summary>
    public const string MetricsFile = "metrics.jsonl";

    /// <summary>What a finished run wrote about itself.</summary>
    public const string ResultFile = "result.json";

    private RunFolder(string path, int? resumeStep)
    {
        Path = path;
        Checkpoints = new CheckpointStore(path);
        ResumeStep = resumeStep;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Its checkpoints.</summary>
    public CheckpointStore Checkpoints { get; }

    /// <summary>Step of the checkpoint to go on from; null to start at step 1.</summary>
    public int? ResumeStep { get; }

    /// <summary>Whether the run has ended.</summary>
    public bool IsFinished => File.Exists(PathOf(ResultFile));

    /// <summary>Opens a folder for a run, new or to be resumed, and writes the resolved recipe into it.</summary>
    /// <param name="path">Run folder.</param>
    /// <param name="config">The recipe, with overrides.</param>
    /// <param name="resume">Whether to go on from the newest good checkpoint.</param>
    /// <param name="overrides">What <c>--set</c> gave: these keys may differ from the folder's recipe.</param>
    /// <param name="log">Told what was passed over or changed.</param>
    /// <exception cref="ConfigurationException">The folder holds something and nothing says to resume, or the recipe changed.</exception>
    public static RunFolder Open(string path, RunConfig config, bool resume, IReadOnlyCollection<RecipeOverride> overrides, Action<string> log)
    {
        if (!resume)
        {
            if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            {
                throw new ConfigurationException($"The run folder {path} already holds something. Go on with --resume, or choose another folder with --out.");
            }

            return Create(path, config, null);
        }

        string recipe = System.IO.Path.Combine(path, RecipeFile);
        if (!File.Exists(recipe))
        {
            log($"{path} has nothing to resume; the run starts at step 1.");
            return Create(path, config, null);
        }

        CheckChanges(recipe, config, overrides, log);
        var store = new CheckpointStore(path);
        if (Directory.Exists(store.Folder))
        {
            DurableFolder.RemoveLeftovers(store.Folder);
        }

        (int? step, IReadOnlyList<string> skipped) = store.NewestGood();
        foreach (string line in skipped)
        {
            log(line);
        }

        log(step is null ? $"{path} has no whole checkpoint; the run starts at step 1." : $"Resuming {path} after step {step}.");
        return Create(path, config, step);
    }

    /// <summary>Path of a file in the folder.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    private static RunFolder Create(string path, RunConfig config, int? resumeStep)
    {
        Directory.CreateDirectory(path);
        var folder = new RunFolder(path, resumeStep);
        DurableFolder.WriteText(folder.PathOf(RecipeFile), RecipeWriter.Write(config));
        return folder;
    }

    private static void CheckChanges(string recipe, RunConfig config, IReadOnlyCollection<RecipeOverride> overrides, Action<string> log)
    {
        RunConfig before = RecipeReader.Read<RunConfig>(recipe, []);
        var problems = new List<string>();
        if (before.Training.Steps != config.Training.Steps)
        {
            problems.Add($"training.steps was {before.Training.Steps} and is now {config.Training.Steps}: schedules depend on it, so it may not change on resume. Start a new run, with init_from to keep the weights.");
        }

        foreach (RecipeChange change in RecipeDiff.Compare(before, config).Where(change => change.Path != "training.steps"))
        {
            bool overridden = overrides.Any(given => given.Covers(change.Path));
            bool isAutoConstant = before.Distillation?.Transition == Losses.TransitionKind.Auto && change.Path.StartsWith("distillation.", StringComparison.Ordinal);
            if (change.AltersNumbers && isAutoConstant)
            {
                problems.Add($"{change.Path} was {change.Before} and is now {change.After}: the constants of 'auto' may not change on resume.");
            }
            else if (change.AltersNumbers && !overridden)
            {
                problems.Add($"{change.Path} was {change.Before} in {recipe} and is now {change.After}. Give it by --set {change.Path}=… if the run is to go on with the new value.");
            }
            else
            {
                log($"Changed on resume: {change.Path} from {change.Before} to {change.After}.");
            }
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
