using Saltern.ModelFiles;

namespace Saltern.Checkpoints;

/// <summary>Finds the model behind a path that a user gives as MODEL.</summary>
public static class ModelLocation
{
    /// <summary>As the other, with a choice between a run's own weights and their average over its last steps.</summary>
    /// <param name="path">A run folder, a checkpoint folder or a model folder.</param>
    /// <param name="average">Whether it is the average that is wanted.</param>
    /// <exception cref="CheckpointException">There is no model at the path, or no average beside it.</exception>
    public static string Resolve(string path, bool average)
    {
        string folder = Resolve(path);
        if (!average)
        {
            return folder;
        }

        string beside = Path.Combine(folder, Checkpoint.AverageFolder);
        if (Directory.Exists(beside))
        {
            return Resolve(beside);
        }

        throw new CheckpointException(
            $"{folder} has no average of its weights ({Checkpoint.AverageFolder}). Recipes with a section averaging make one, "
                + "from the first of the last steps that it names; take the raw weights, or a checkpoint that is further on."
        );
    }

    /// <summary>Folder with config.json: of a run the newest good checkpoint, otherwise the folder itself.</summary>
    /// <exception cref="CheckpointException">There is no model at the path; the message says what was looked for.</exception>
    public static string Resolve(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new CheckpointException(
                $"{path} does not exist. Give a run folder, a checkpoint folder or a Hugging Face folder."
            );
        }

        if (File.Exists(Path.Combine(path, ModelFolder.ConfigFile)))
        {
            if (
                File.Exists(Path.Combine(path, Checkpoint.StateFile))
                && CheckpointManifest.Problem(path) is string problem
            )
            {
                throw new CheckpointException($"The checkpoint {path} is not whole: {problem}.");
            }

            return path;
        }

        var store = new CheckpointStore(path);
        (int? step, IReadOnlyList<string> skipped) = store.NewestGood();
        string seen = skipped.Count > 0 ? " " + string.Join(" ", skipped) : "";
        if (step is int found)
        {
            return store.PathOf(found);
        }

        throw new CheckpointException(
            $"{path} has neither a {ModelFolder.ConfigFile} nor a whole checkpoint. "
                + $"Give a run folder, a checkpoint folder or a Hugging Face folder.{seen}"
        );
    }
}
