using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Batches;
using Saltern.Files;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Shards;

namespace Saltern.Guidance;

/// <summary>What a teacher pass stores of its distributions.</summary>
public enum CacheMode
{
    /// <summary>Draws from q_τ: an unbiased estimate.</summary>
    Sampled,

    /// <summary>The most likely tokens with their probabilities; the rest is one tail outcome.</summary>
    TopK,

    /// <summary>No soft labels, only the score material: loss and rank of each token.</summary>
    Scores,
}

/// <summary>Everything that decides what a teacher pass writes: <c>plan.json</c>, written first, so that an interrupted teacher pass is resumed with the same plan.</summary>
internal sealed record TeachPlan
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "plan.json";

    /// <summary>The only schema there is so far.</summary>
    public const string CurrentSchema = "saltern.teach/1";

    /// <summary>Name and version of the format.</summary>
    public string Schema { get; init; } = CurrentSchema;

    /// <summary>What a sample is.</summary>
    public required SampleSpace Samples { get; init; }

    /// <summary>Fingerprint of the tokenizer.</summary>
    public required string Tokenizer { get; init; }

    /// <summary>V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Fingerprint of the teacher's weights file.</summary>
    public required string TeacherWeights { get; init; }

    /// <summary>τ.</summary>
    public required double Temperature { get; init; }

    /// <summary>What is stored of the distributions.</summary>
    public required CacheMode Mode { get; init; }

    /// <summary>n_d, draws of each position (sampled); 0 otherwise.</summary>
    public int Draws { get; init; }

    /// <summary>How they are drawn.</summary>
    public DrawKind Sampling { get; init; }

    /// <summary>Seed of the draws.</summary>
    public long DrawSeed { get; init; }

    /// <summary>k, tokens kept of each position (top_k); 0 otherwise.</summary>
    public int Kept { get; init; }

    /// <summary>Type of the teacher's products where it is not fp32; null there, which leaves the text of older plans as it was.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ComputePrecision? Precision { get; init; }

    /// <summary>Which samples, and how many.</summary>
    public required TeachCoverage Coverage { get; init; }

    /// <summary>Samples of a shard; the last one has what is left.</summary>
    public required int ShardSamples { get; init; }

    /// <summary>SHA-256 of the plan's text: every shard carries it.</summary>
    public byte[] Hash() => SHA256.HashData(Encoding.UTF8.GetBytes(Text()));

    /// <summary>The plan's text.</summary>
    public string Text() => JsonSerializer.Serialize(this, TeachJson.Options);

    /// <summary>Bytes of a token id in the records.</summary>
    public int IdBytes => TokenTypes.NarrowestFor(VocabularySize).Size();

    /// <summary>What <see cref="TeacherWeights"/> begins with where the teacher was served: its weights are not known.</summary>
    public const string ServedMark = "endpoint:";

    /// <summary>Whether the teacher was served, which names its likeliest tokens alone: entropies are lower bounds, ranks end at <see cref="Kept"/> + 1.</summary>
    public bool IsServed => TeacherWeights.StartsWith(ServedMark, StringComparison.Ordinal);

    /// <summary>Bytes of an entry of a record: id and count, or id and probability.</summary>
    public int EntryBytes => IdBytes + (Mode == CacheMode.TopK ? 2 : 1);
}

/// <summary>Which samples a teacher pass went over.</summary>
/// <param name="OfAll">Samples of the data set.</param>
/// <param name="Fingerprint">SHA-256 of their keys, in order.</param>
/// <param name="Order">Fingerprint of the order whose first samples they are; null where they are all.</param>
/// <param name="Drawn">How many draws of that order they cover.</param>
internal sealed record TeachCoverage(long Count, long OfAll, string Fingerprint, string? Order, long Drawn)
{
    /// <summary>Whether every sample of the data set is covered.</summary>
    public bool IsWhole => Count == OfAll;
}

/// <summary>What a finished pass says of itself: <c>manifest.json</c>, written last, so that a folder without it is unfinished.</summary>
internal sealed record TeachManifest
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "manifest.json";

    /// <summary>What decided the contents.</summary>
    public required TeachPlan Plan { get; init; }

    /// <summary>The teacher, with what this pass cost.</summary>
    public required RunTeacher Teacher { get; init; }

    /// <summary>Where the data set was when the teacher pass was made; the plan has its fingerprint.</summary>
    public required string DataPath { get; init; }

    /// <summary>Tokenizer of the recipe, where the tokens are another program's; null for a prepared data set.</summary>
    public string? DataTokenizer { get; init; }

    /// <summary>The objective mix; null for causal samples.</summary>
    public ObjectiveConfig? Objective { get; init; }

    /// <summary>Bounds of easy, medium and hard.</summary>
    public required DifficultyBuckets Buckets { get; init; }

    /// <summary>Counted positions.</summary>
    public required long Positions { get; init; }

    /// <summary>Bytes of all shards.</summary>
    public required long Bytes { get; init; }

    /// <summary>The shards, in the order of their samples.</summary>
    public required IReadOnlyList<TeachShard> Shards { get; init; }

    /// <summary>Bytes for each counted position, tables included.</summary>
    public double BytesPerPosition => Bytes / (double)Math.Max(1, Positions);

    /// <summary>Stands for the teacher pass as a whole.</summary>
    public Fingerprint Fingerprint() =>
        Files.Fingerprint.Of(Plan.Text() + string.Concat(Shards.Select(shard => shard.Sha256)));

    /// <summary>Reads the manifest of a folder.</summary>
    /// <exception cref="DataFormatException">The folder is not that of a finished pass, or its manifest is damaged.</exception>
    public static TeachManifest Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            throw new DataFormatException($"'{folder}' {WhatIsThere(folder)}");
        }

        TeachManifest manifest = TeachJson.Read<TeachManifest>(path);
        if (manifest.Problem() is string problem)
        {
            throw new DataFormatException($"'{path}' {problem}. Restore it, or make the pass again with this version.");
        }

        return manifest;
    }

    private static string WhatIsThere(string folder)
    {
        if (File.Exists(Path.Combine(folder, TeachPlan.FileName)))
        {
            return "holds an unfinished pass of a teacher. Run the same 'saltern teach' again: it goes on where it ended.";
        }

        if (Directory.Exists(folder))
        {
            return $"is not a folder of 'saltern teach': it has no {FileName}.";
        }

        return "does not exist. Make it with 'saltern teach'.";
    }

    // What a damaged or foreign manifest could say that the reader relies on.
    private string? Problem()
    {
        if (Plan.Schema != TeachPlan.CurrentSchema)
        {
            return $"has the schema '{Plan.Schema}', expected {TeachPlan.CurrentSchema}";
        }

        if (
            Plan.VocabularySize < 1
            || Plan.ShardSamples < 1
            || (Plan.Mode == CacheMode.Sampled && Plan.Draws is < 1 or > TargetDraws.Most)
            || (Plan.Mode == CacheMode.TopK && Plan.Kept < 1)
        )
        {
            return $"has a vocabulary of {Plan.VocabularySize}, {Plan.ShardSamples} samples a file, "
                + $"{Plan.Draws} draws, {Plan.Kept} kept tokens";
        }

        if (Buckets.TokenBounds.Count != 2 || Buckets.SequenceBounds.Count != 2)
        {
            return $"has {Buckets.TokenBounds.Count} and {Buckets.SequenceBounds.Count} bounds of difficulty, expected 2 and 2";
        }

        bool ascending = Shards
            .Zip(Shards.Skip(1))
            .All(pair =>
                (pair.First.FirstDomain, pair.First.FirstIndex).CompareTo(
                    (pair.Second.FirstDomain, pair.Second.FirstIndex)
                ) < 0
            );
        if (Shards.Count == 0 || !ascending)
        {
            return $"has {Shards.Count} files that are not in the order of their samples";
        }

        return null;
    }
}

/// <summary>One file of a teacher pass.</summary>
/// <param name="File">Name in the folder <c>shards</c>.</param>
/// <param name="FirstDomain">Domain of its first sample.</param>
/// <param name="FirstIndex">Index of its first sample.</param>
/// <param name="Sha256">SHA-256 of the file, lower-case hexadecimal.</param>
internal sealed record TeachShard(
    string File,
    int FirstDomain,
    long FirstIndex,
    int Samples,
    long Bytes,
    string Sha256
);

/// <summary>How plan and manifest are written as JSON.</summary>
internal static class TeachJson
{
    // Shards of a corpus of a trillion tokens take some ten megabytes of manifest.
    private const long MaxFileBytes = 256 << 20;

    public static JsonSerializerOptions Options { get; } = new(ReportJson.Options) { IgnoreReadOnlyProperties = true };

    public static T Read<T>(string path)
    {
        try
        {
            long length = new FileInfo(path).Length;
            if (length > MaxFileBytes)
            {
                throw new DataFormatException($"'{path}' has {length} bytes, expected at most {MaxFileBytes}.");
            }

            byte[] file = Disk.Current.ReadAllBytes(path);
            SelfChecksum.Require(file, path, "Restore it, or make it again.");
            return JsonSerializer.Deserialize<T>(file, Options)
                ?? throw new DataFormatException($"'{path}' holds null, expected an object.");
        }
        catch (JsonException e)
        {
            throw new DataFormatException(
                $"'{path}' is damaged or of another kind: {e.Message} Restore it, or make it again.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    public static void Write<T>(string path, T value) => WholeFile.Write(path, file => file.Write(ToBytes(value)));

    /// <summary>The bytes that <see cref="Write"/> writes.</summary>
    public static byte[] ToBytes<T>(T value) =>
        Encoding.UTF8.GetBytes(SelfChecksum.Add(JsonSerializer.Serialize(value, Options)));
}
