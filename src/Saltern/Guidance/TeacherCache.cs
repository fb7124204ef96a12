using System.Security.Cryptography;
using Saltern.Files;
using Saltern.Losses;

namespace Saltern.Guidance;

/// <summary>A finished teacher pass, opened for reading: soft labels, scores and difficulty by sample.</summary>
/// <remarks>Opening looks at manifest and file sizes. A file's header and table are checked when it is first used, a sample's checksum whenever it is read.</remarks>
internal sealed class TeacherCache : IDisposable
{
    /// <summary>Folder of the files below that of the teacher pass.</summary>
    public const string ShardFolder = "shards";

    private readonly CacheShard?[] _shards;
    private readonly Lock _lock = new();

    private TeacherCache(string folder, TeachManifest manifest)
    {
        (Folder, Manifest) = (folder, manifest);
        _shards = new CacheShard?[manifest.Shards.Count];
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>What the teacher pass says of itself.</summary>
    public TeachManifest Manifest { get; }

    /// <summary>What decided the contents.</summary>
    public TeachPlan Plan => Manifest.Plan;

    /// <summary>Opens a finished pass.</summary>
    /// <param name="folder">What <c>saltern teach</c> wrote.</param>
    /// <param name="verify">Also reads every file and compares its SHA-256.</param>
    /// <exception cref="DataFormatException">The folder is not that of a finished pass, or files are missing or changed; the message names the first.</exception>
    public static TeacherCache Open(string folder, bool verify = false)
    {
        TeachManifest manifest = TeachManifest.Load(folder);
        foreach (TeachShard shard in manifest.Shards)
        {
            // A name with a path in it would leave the folder.
            string path = Path.Combine(folder, ShardFolder, Path.GetFileName(shard.File));
            long? bytes = File.Exists(path) ? new FileInfo(path).Length : null;
            if (bytes != shard.Bytes)
            {
                throw new DataFormatException(
                    $"'{path}' {(bytes is null ? "is missing" : $"has {bytes} bytes")}, "
                        + $"expected {shard.Bytes} as in {TeachManifest.FileName}. "
                        + "Run the same 'saltern teach' again, which makes it anew."
                );
            }

            if (verify && Sha256(path) is string found && found != shard.Sha256)
            {
                throw new DataFormatException(
                    $"'{path}' has SHA-256 {found}, expected {shard.Sha256}. "
                        + "Remove it and run the same 'saltern teach' again, which makes it anew."
                );
            }
        }

        return new TeacherCache(folder, manifest);
    }

    /// <summary>Whether the teacher pass went over a sample.</summary>
    public bool Has(int domain, long index) => Find(domain, index) is not null;

    /// <summary>What is stored of a sample.</summary>
    /// <exception cref="DataFormatException">The teacher pass did not go over it, or its bytes are damaged.</exception>
    public SampleLabels Read(int domain, long index)
    {
        if (Find(domain, index) is (CacheShard shard, int row))
        {
            return shard.Read(row);
        }

        throw new DataFormatException(
            $"'{Folder}' has nothing on sample {index} of domain {domain}: the pass did not go over it. Make a pass for this recipe."
        );
    }

    /// <summary>Every sample with what is stored of it, in the order of domain and index.</summary>
    public IEnumerable<(int Domain, long Index, SampleLabels Labels)> ReadAll()
    {
        for (int number = 0; number < _shards.Length; number++)
        {
            CacheShard shard = Shard(number);
            for (int row = 0; row < shard.Count; row++)
            {
                (int domain, long index) = shard.Key(row);
                yield return (domain, index, shard.Read(row));
            }
        }
    }

    /// <summary>Why a recipe's gate cannot work from what is stored; null where it can.</summary>
    public string? GateProblem(GateKind gate) =>
        gate switch
        {
            GateKind.TopProbability when Plan.Mode != CacheMode.TopK || Plan.Temperature != 1 =>
                "distillation.gate = top_probability needs the teacher's largest probability, "
                    + "which only a cache of mode top_k at temperature 1 holds. "
                    + "Run the teacher live, or make such a cache.",
            GateKind.Entropy when Plan.IsServed => "distillation.gate = entropy needs the teacher's entropy, "
                + $"but the cache was made from a served model, which names {Plan.Kept} tokens of a position. "
                + "Run the teacher live, or make the cache from its folder.",
            GateKind.Entropy when Plan.Temperature != 1 =>
                "distillation.gate = entropy needs the teacher's entropy at temperature 1, "
                    + $"but the cache was made at {Plan.Temperature}. "
                    + "Run the teacher live, or make a cache at temperature 1.",
            _ => null,
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CacheShard? shard in _shards)
        {
            shard?.Dispose();
        }
    }

    /// <summary>SHA-256 of a file, lower-case hexadecimal.</summary>
    internal static string Sha256(string path)
    {
        using FileStream file = Disk.Current.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private (CacheShard Shard, int Row)? Find(int domain, long index)
    {
        int low = 0;
        int high = _shards.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            TeachShard first = Manifest.Shards[middle];
            (low, high) =
                (first.FirstDomain, first.FirstIndex).CompareTo((domain, index)) <= 0
                    ? (middle, high)
                    : (low, middle - 1);
        }

        CacheShard shard = Shard(low);
        int row = shard.Find(domain, index);
        return row < 0 ? null : (shard, row);
    }

    private CacheShard Shard(int number)
    {
        lock (_lock)
        {
            return _shards[number] ??= CacheShard.Open(
                Path.Combine(Folder, ShardFolder, Path.GetFileName(Manifest.Shards[number].File)),
                Plan
            );
        }
    }
}
