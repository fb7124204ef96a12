using Saltern.Export;
using Saltern.Files;
using Saltern.ModelFiles;

namespace Saltern.Tests.Simulation;

/// <summary><c>import</c> and <c>export</c>: a model folder, or one file.</summary>
/// <param name="form">What is made.</param>
internal sealed class SimulatedModelWork(string form) : SimulatedWork
{
    private const string Target = "models/made";

    public override string Name => form;

    public override void Run(string root, Action<string> done)
    {
        string target = Path.Combine(root, Target);
        if (Path.Exists(target))
        {
            throw new AlreadyThere();
        }

        string source = SimulationAssets.Shared.ModelFolderPath;
        switch (form)
        {
            case "import":
                ModelImport.Run(source, target);
                break;
            case "export":
                ModelExport.Run(
                    source,
                    target,
                    new ExportOptions { Format = ExportFormat.HuggingFace, ShardBytes = 4_000 }
                );
                break;
            default:
                ModelExport.Run(source, target, new ExportOptions { Format = ExportFormat.Gguf });
                break;
        }

        done(Target);
    }

    // A rename that was half done when the power went has left both names.
    public override bool Counts(string file) =>
        !file.Contains(".writing", StringComparison.Ordinal)
        && !file.EndsWith(FileLock.Ending, StringComparison.Ordinal);

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        if (done.Count > 0 || Path.Exists(Path.Combine(root, Target)))
        {
            foreach ((string file, byte[] bytes) in whole)
            {
                Require(root, file, bytes);
            }
        }
    }
}
