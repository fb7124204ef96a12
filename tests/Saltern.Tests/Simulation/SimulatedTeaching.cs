using Saltern.Batches;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;

namespace Saltern.Tests.Simulation;

/// <summary>A teacher pass by a real, tiny teacher over 12 samples in three files.</summary>
internal sealed class SimulatedTeaching : SimulatedWork
{
    private const string Folder = "teach";
    private const int Samples = 12;

    [ThreadStatic]
    private static LiveTeacher? ThreadTeacher;

    private static readonly Lazy<TeachPlan> Plan = new(() => PlanOf(SimulationAssets.Shared.Reader));
    private static readonly ValidationSet Valid = ValidationSet.Create(
        [.. SimulationAssets.Shared.Data.Domains.Select(domain => domain.Valid)],
        16,
        200,
        true,
        SimulationAssets.Shared.Tokenizer.EndOfTextId
    );

    private static LiveTeacher Teacher =>
        ThreadTeacher ??= new LiveTeacher(
            ModelFolder.Load(SimulationAssets.Shared.ModelFolderPath, trainable: false),
            temperature: 1.0
        );

    public override string Name => "teach";

    public override void Run(string root, Action<string> done)
    {
        SampleReader reader = SimulationAssets.Shared.Reader;
        string folder = Path.Combine(root, Folder);
        DurableFolder.Create(folder);
        using FileLock? held = FileLock.TryTake(Path.Combine(folder, "teach.lock"), out _);
        string plan = Path.Combine(folder, TeachPlan.FileName);
        if (!File.Exists(plan))
        {
            TeachJson.Write(plan, Plan.Value);
        }

        if (TeachJson.Read<TeachPlan>(plan).Text() != Plan.Value.Text())
        {
            throw new Violation("another plan stands there");
        }

        var pass = new TeacherPass(folder, Plan.Value, reader, Keys(reader));
        pass.Run(Teacher, 1, _ => { }, null, null, CancellationToken.None);
        done("shards");
        float[] losses = [.. Enumerable.Range(0, Valid.Labels.Length).Select(i => (float)i)];
        new TeacherLosses(losses, losses).Save(folder, Valid);
        pass.Finish(
            new RunTeacher { Name = "teacher" },
            ModelFlops.ForwardPerToken(SimulationAssets.Shared.Shape, 16),
            SimulationAssets.Shared.DataConfig,
            null
        );
        done("manifest");
    }

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        string folder = Path.Combine(root, Folder);
        bool isWhole = File.Exists(Path.Combine(folder, TeachManifest.FileName));
        if (isWhole)
        {
            using TeacherCache cache = TeacherCache.Open(folder, verify: true);
            _ = cache.ReadAll().Count();
        }
        else if (done.Contains("manifest"))
        {
            throw new Violation("the pass was finished, and its manifest is gone");
        }

        foreach ((string file, byte[] bytes) in whole)
        {
            if (
                isWhole
                || done.Contains("shards") && file.EndsWith(".teach", StringComparison.Ordinal)
                || File.Exists(Path.Combine(root, file))
            )
            {
                Require(root, file, bytes);
            }
        }
    }

    public override bool Counts(string file) => !file.EndsWith(FileLock.Ending, StringComparison.Ordinal);

    private static IReadOnlyList<(int Domain, long Index)> Keys(SampleReader reader) =>
        [.. new SampleKeys(reader.Sizes).Take(Samples)];

    private static TeachPlan PlanOf(SampleReader reader)
    {
        SimulationAssets assets = SimulationAssets.Shared;
        IReadOnlyList<(int Domain, long Index)> keys = Keys(reader);
        return new TeachPlan
        {
            Samples = SampleSpace.Of(assets.Data.Fingerprint, assets.DataConfig, null),
            Tokenizer = assets.Tokenizer.Fingerprint,
            VocabularySize = assets.Tokenizer.VocabularySize,
            TeacherWeights = "sha256:0",
            Temperature = 1.0,
            Mode = CacheMode.TopK,
            Kept = 4,
            Coverage = new TeachCoverage(keys.Count, keys.Count, SampleKeys.Fingerprint(keys), null, keys.Count),
            ShardSamples = 4,
        };
    }
}
