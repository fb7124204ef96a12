using System.Globalization;
using Saltern.Files;
using Saltern.RunFiles;

namespace Saltern.Checkpoints;

/// <summary>The checkpoints of a run: <c>checkpoints/step-00001000</c>, …</summary>
internal sealed class CheckpointStore
{
    private const string Prefix = "step-";

    /// <summary>Opens the store of a run; the folder appears with the first checkpoint.</summary>
    public CheckpointStore(string runFolder) => Folder = Path.Combine(runFolder, RunLayout.CheckpointsFolder);

    /// <summary>The store's folder.</summary>
    public string Folder { get; }

    /// <summary>Folder of a step's checkpoint, whether it exists or not.</summary>
    public string PathOf(int step) => Path.Combine(Folder, Prefix + step.ToString("D8", CultureInfo.InvariantCulture));

    /// <summary>Steps that have a checkpoint, ascending; unfinished writes are not among them.</summary>
    public IReadOnlyList<int> Steps()
    {
        if (!Directory.Exists(Folder))
        {
            return [];
        }

        return
        [
            .. Directory
                .EnumerateDirectories(Folder, Prefix + "*")
                .Select(path =>
                    int.TryParse(
                        Path.GetFileName(path)[Prefix.Length..],
                        NumberStyles.None,
                        CultureInfo.InvariantCulture,
                        out int step
                    )
                        ? step
                        : -1
                )
                .Where(step => step >= 0)
                .Order(),
        ];
    }

    /// <summary>The newest checkpoint that verifies, and what was skipped on the way and why.</summary>
    public (int? Step, IReadOnlyList<string> Skipped) NewestGood()
    {
        var skipped = new List<string>();
        foreach (int step in Steps().Reverse())
        {
            string? problem = Checkpoint.Problem(PathOf(step));
            if (problem is null)
            {
                return (step, skipped);
            }

            skipped.Add($"{PathOf(step)} is passed over: {problem}.");
        }

        return (null, skipped);
    }

    /// <summary>Renames a damaged checkpoint, so that it neither counts nor is lost.</summary>
    public void SetAside(int step)
    {
        string aside = Path.Combine(Folder, $"damaged-{Path.GetFileName(PathOf(step))}");
        if (Directory.Exists(aside))
        {
            Disk.Current.DeleteFolder(aside);
        }

        Disk.Current.RenameFolder(PathOf(step), aside);
    }

    /// <summary>Removes what need not be kept: all but the newest two, the steps asked for and the multiples asked for.</summary>
    public void Retain(IReadOnlyCollection<int> keepSteps, int? keepEvery)
    {
        IReadOnlyList<int> steps = Steps();
        foreach (
            int step in steps
                .SkipLast(2)
                .Where(step => !keepSteps.Contains(step) && !(keepEvery is int every && step % every == 0))
        )
        {
            DurableFolder.Remove(PathOf(step));
        }
    }
}
