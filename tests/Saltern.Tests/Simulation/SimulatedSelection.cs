using Saltern.Files;
using Saltern.Selection;

namespace Saltern.Tests.Simulation;

/// <summary><c>select</c> from a pass that is there: the list, its manifest and the report.</summary>
internal sealed class SimulatedSelection : SimulatedWork
{
    private const string Folder = "selections/half";
    private static readonly Lazy<string> Scores = new(() =>
    {
        string folder = SimulationAssets.Shared.Scratch("scores");
        new SimulatedTeaching().Run(folder, _ => { });
        return Path.Combine(folder, "teach");
    });

    public override string Name => "select";

    public override void Run(string root, Action<string> done)
    {
        SelectionRun.Report(
            Scores.Value,
            SimulationAssets.Shared.DataFolder,
            new SelectionRule
            {
                Share = 0.5,
                Score = new ScoreRule { MinTokens = 2 },
            },
            Path.Combine(root, Folder)
        );
        done("selection");
    }

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        bool isWhole = File.Exists(Path.Combine(root, Folder, SelectionFolder.ManifestFile));
        if (isWhole)
        {
            SelectionFolder.Read(Path.Combine(root, Folder));
            Require(
                root,
                $"{Folder}/{SelectionFolder.ManifestFile}",
                whole[$"{Folder}/{SelectionFolder.ManifestFile}"]
            );
        }

        if (done.Count > 0)
        {
            RequireSame(root, Folder, whole);
        }
    }

    public override bool Counts(string file) => !file.EndsWith(FileLock.Ending, StringComparison.Ordinal);
}
