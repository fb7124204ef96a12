using System.Buffers.Binary;
using System.Security.Cryptography;
using Saltern.Batches;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.RunFiles;

namespace Saltern.Selection;

/// <summary>What a selection says of itself: <c>selection.json</c>, written last.</summary>
internal sealed record SelectionManifest
{
    /// <summary>The only schema there is so far.</summary>
    public const string CurrentSchema = "saltern.selection/1";

    /// <summary>Name and version of the format.</summary>
    public string Schema { get; init; } = CurrentSchema;

    /// <summary>What a sample is.</summary>
    public required SampleSpace Samples { get; init; }

    /// <summary>Fingerprint of the teacher pass that scored.</summary>
    public required string Scores { get; init; }

    /// <summary>The model that scored, with what its pass cost.</summary>
    public required RunTeacher Teacher { get; init; }

    /// <summary>How it was chosen.</summary>
    public required SelectionRule Rule { get; init; }

    /// <summary>Name of a score of somebody's own that was used in place of the rule's; null for the rule's.</summary>
    public string? OwnScore { get; init; }

    /// <summary>Names of the domains, in the order of the samples' domain numbers.</summary>
    public required IReadOnlyList<string> Domains { get; init; }

    /// <summary>Samples that were scored.</summary>
    public required long Scored { get; init; }

    /// <summary>Samples with too few counted tokens; never chosen.</summary>
    public required long Unscored { get; init; }

    /// <summary>Samples chosen.</summary>
    public required long Chosen { get; init; }

    /// <summary>Chosen samples with the score 0.</summary>
    public required long ChosenZeros { get; init; }

    /// <summary>SHA-256 of the file of samples, lower-case hexadecimal.</summary>
    public required string Sha256 { get; init; }
}

/// <summary>The list of chosen samples on disk.</summary>
internal static class SelectionFolder
{
    /// <summary>Name of the manifest.</summary>
    public const string ManifestFile = "selection.json";

    /// <summary>Name of the list: magic, count i64, then domain i32 and index i64 of each sample, ascending, little-endian.</summary>
    public const string SamplesFile = "samples.bin";

    private const int HeadBytes = 16;
    private const int KeyBytes = 12;

    private static ReadOnlySpan<byte> Magic => "SALTSEL1"u8;

    /// <summary>Writes the list, then the manifest.</summary>
    /// <param name="scores">The teacher pass that it was chosen from.</param>
    /// <param name="domains">Names of the data set's domains.</param>
    /// <param name="ownScore">Name of the score where it is not the rule's.</param>
    public static SelectionManifest Write(
        string folder,
        SampleSelection selection,
        TeacherCache scores,
        SelectionRule rule,
        IReadOnlyList<string> domains,
        string? ownScore = null
    )
    {
        DurableFolder.Create(folder);
        (int Domain, long Index)[] keys = [.. selection.Chosen.Order()];
        byte[] bytes = new byte[HeadBytes + (keys.Length * (long)KeyBytes)];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), keys.Length);
        for (int i = 0; i < keys.Length; i++)
        {
            Span<byte> at = bytes.AsSpan(HeadBytes + (i * KeyBytes), KeyBytes);
            BinaryPrimitives.WriteInt32LittleEndian(at, keys[i].Domain);
            BinaryPrimitives.WriteInt64LittleEndian(at[4..], keys[i].Index);
        }

        var manifest = new SelectionManifest
        {
            Samples = scores.Plan.Samples,
            Scores = scores.Manifest.Fingerprint(),
            Teacher = scores.Manifest.Teacher,
            Rule = rule,
            OwnScore = ownScore,
            Domains = domains,
            Scored = selection.Ranked.Count,
            Unscored = selection.Samples.Count - selection.Ranked.Count,
            Chosen = keys.Length,
            ChosenZeros = selection.ChosenZeros,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)),
        };
        byte[] json = TeachJson.ToBytes(manifest);
        if (!IsThere(folder, json, bytes))
        {
            Replace(folder, json, bytes);
        }

        return manifest;
    }

    // The same command again leaves what stands there alone: it cannot be lost on the way.
    private static bool IsThere(string folder, byte[] manifest, byte[] samples)
    {
        string path = Path.Combine(folder, ManifestFile);
        string list = Path.Combine(folder, SamplesFile);
        return File.Exists(path)
            && File.Exists(list)
            && Disk.Current.ReadAllBytes(path).AsSpan().SequenceEqual(manifest)
            && Disk.Current.ReadAllBytes(list).AsSpan().SequenceEqual(samples);
    }

    // Both are on the disk before the old ones are touched; from then on there is nothing to write, only names to change.
    private static void Replace(string folder, byte[] manifest, byte[] samples)
    {
        string path = Path.Combine(folder, ManifestFile);
        string list = Path.Combine(folder, SamplesFile);
        WholeFile.WriteFlushed(list + WholeFile.TemporaryEnding, file => file.Write(samples));
        WholeFile.WriteFlushed(path + WholeFile.TemporaryEnding, file => file.Write(manifest));
        if (File.Exists(path))
        {
            Disk.Current.Delete(path);
            DurableFolder.FlushParent(path); // an old manifest must not come back beside a new list
        }

        WholeFile.Publish(list + WholeFile.TemporaryEnding, list);
        WholeFile.Publish(path + WholeFile.TemporaryEnding, path);
    }

    /// <summary>Reads a selection back; checksum, order and every number are checked.</summary>
    /// <exception cref="DataFormatException">The folder is not that of a selection, or damaged.</exception>
    public static (SelectionManifest Manifest, SampleSubset Samples) Read(string folder)
    {
        string manifestPath = Path.Combine(folder, ManifestFile);
        string path = Path.Combine(folder, SamplesFile);
        if (new[] { manifestPath, path }.FirstOrDefault(file => !File.Exists(file)) is string lacking)
        {
            throw new DataFormatException(
                $"'{folder}' is not a selection: it lacks {Path.GetFileName(lacking)}. Make it with 'saltern select'."
            );
        }

        SelectionManifest manifest = TeachJson.Read<SelectionManifest>(manifestPath);
        long length = new FileInfo(path).Length;
        long expected = HeadBytes + (manifest.Chosen * KeyBytes);
        if (
            manifest.Schema != SelectionManifest.CurrentSchema
            || manifest.Chosen < 1
            || length != expected
            || length > Array.MaxLength
        )
        {
            throw new DataFormatException(
                $"'{path}' has {length} bytes of {manifest.Chosen} samples and {ManifestFile} the schema "
                    + $"'{manifest.Schema}', expected {expected} and {SelectionManifest.CurrentSchema}. Select again."
            );
        }

        byte[] bytes = Disk.Current.ReadAllBytes(path);
        string found = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (!bytes.AsSpan().StartsWith(Magic) || found != manifest.Sha256)
        {
            throw new DataFormatException(
                $"'{path}' has SHA-256 {found}, expected {manifest.Sha256}. The file is damaged; select again."
            );
        }

        var indices = manifest.Domains.Select(_ => new List<long>()).ToArray();
        for (long at = HeadBytes; at < length; at += KeyBytes)
        {
            int domain = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan((int)at));
            long index = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan((int)at + 4));
            if (
                (uint)domain >= (uint)indices.Length
                || index < 0
                || (indices[domain] is [.., var last] && index <= last)
            )
            {
                throw new DataFormatException(
                    $"'{path}' has sample {index} of domain {domain} of {indices.Length} out of order. Select again."
                );
            }

            indices[domain].Add(index);
        }

        return (manifest, new SampleSubset(indices));
    }
}
