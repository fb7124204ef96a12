using Saltern.Corpora;
using Saltern.Shards;

namespace Saltern.Tests.Simulation;

/// <summary><c>prepare</c>, all of it, over three small files, with a point to resume from every few chunks.</summary>
internal sealed class SimulatedPreparation : SimulatedWork
{
    private const string Folder = "data/set";

    public override string Name => "prepare";

    public override void Run(string root, Action<string> done)
    {
        string folder = Path.Combine(root, Folder);
        if (File.Exists(Path.Combine(folder, DatasetManifest.FileName)))
        {
            throw new AlreadyThere();
        }

        DatasetBuilder.Build(
            new CorpusReader(
                SimulationAssets.Shared.Texts,
                new CorpusReaderOptions { TextPieceBytes = 300, Domains = DomainSource.File }
            ),
            null,
            SimulationAssets.Shared.Tokenizer,
            folder,
            new DatasetBuilderOptions
            {
                ValidPercent = 20,
                Threads = 1,
                CheckpointBytes = 4_000,
                ChunkBytes = 1_000,
                NearDuplicates = true,
            }
        );
        done("data set");
    }

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        string folder = Path.Combine(root, Folder);
        if (!File.Exists(Path.Combine(folder, DatasetManifest.FileName)))
        {
            if (done.Count > 0)
            {
                throw new Violation("the data set was finished, and its manifest is gone");
            }

            return;
        }

        RequireSame(root, Folder, whole);
        TokenDataset.OpenAny(folder, null, verifyAgain: false, userFolder: null, CancellationToken.None).Dispose();
        if (Directory.GetFiles(folder, VerifiedFiles.FileName) is [string memory])
        {
            File.Delete(memory);
        }
    }

    // A command that was killed once all was written has left its journal, which nothing reads beside a manifest.
    public override bool Counts(string file) =>
        !file.EndsWith(".partial", StringComparison.Ordinal)
        && Path.GetFileName(file)
            is not (
                PrepareJournal.FileName
                or PrepareJournal.SeenFileName
                or PrepareJournal.NearFileName
                or "dataset.unfinished"
                or "dataset.lock"
            );
}
