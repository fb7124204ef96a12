using Saltern.ModelFiles;

namespace Saltern.Checkpoints;

/// <summary>Finds the model behind a path that a user gives as MODEL.</summary>
public static class ModelLocation
{
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
