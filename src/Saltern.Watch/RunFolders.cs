using Saltern.RunFiles;

namespace Saltern.Watch;

/// <summary>Which folders are runs: those that were named, or those inside a folder of runs such as a study's.</summary>
public static class RunFolders
{
    // runs/<study>/<arm>/seed-<n>
    private const int DeepestRun = 3;

    /// <summary>Finds the runs.</summary>
    /// <param name="paths">Run folders, or folders that hold run folders up to three levels down.</param>
    /// <returns>Each folder once, in the given order and by name within a folder.</returns>
    /// <exception cref="ConfigurationException">A path is no folder, or has no run in it.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        List<string> runs = [];
        foreach (string path in paths)
        {
            if (!Directory.Exists(path))
            {
                throw new ConfigurationException(
                    $"{path}: there is no such folder. Name a folder that `saltern train` writes, or one that holds several."
                );
            }

            List<string> found = [.. Inside(path, DeepestRun)];
            if (found.Count == 0)
            {
                throw new ConfigurationException(
                    $"{path}: neither this folder nor those in it have a recipe.yaml or metrics.jsonl. "
                        + "Name a folder that `saltern train` writes, or one that holds several."
                );
            }

            runs.AddRange(found);
        }

        return [.. runs.DistinctBy(Path.GetFullPath)];
    }

    private static IEnumerable<string> Inside(string folder, int levels)
    {
        if (File.Exists(Path.Combine(folder, RunLayout.Metrics)) || File.Exists(Path.Combine(folder, RunLayout.Recipe)))
        {
            return [folder];
        }

        if (levels == 0)
        {
            return [];
        }

        return Directory
            .EnumerateDirectories(folder)
            .Order(StringComparer.Ordinal)
            .SelectMany(inner => Inside(inner, levels - 1));
    }
}
