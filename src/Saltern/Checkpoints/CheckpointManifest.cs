using System.Security.Cryptography;
using System.Text.Json;
using Saltern.Files;

namespace Saltern.Checkpoints;

/// <summary>One file of a checkpoint.</summary>
internal sealed record ManifestFile(long Bytes, string Sha256);

/// <summary><c>manifest.json</c>: what a whole checkpoint consists of; written last.</summary>
/// <param name="Files">Every other file, by its path inside the checkpoint.</param>
internal sealed record CheckpointManifest(string Schema, IReadOnlyDictionary<string, ManifestFile> Files)
{
    /// <summary>The schema that this version writes and reads.</summary>
    public const string CurrentSchema = "saltern.checkpoint/1";

    /// <summary>Name of the file.</summary>
    public const string FileName = "manifest.json";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>Lists and hashes the files of a folder and writes the manifest beside them.</summary>
    public static void Write(string folder)
    {
        var files = new SortedDictionary<string, ManifestFile>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            files[Path.GetRelativePath(folder, path).Replace('\\', '/')] = Describe(path);
        }

        WholeFile.WriteText(
            Path.Combine(folder, FileName),
            SelfChecksum.Add(JsonSerializer.Serialize(new CheckpointManifest(CurrentSchema, files), Json))
        );
    }

    /// <summary>What is wrong with a checkpoint; null where everything is there and has its checksum.</summary>
    public static string? Problem(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return $"it has no {FileName}: it was never finished";
        }

        CheckpointManifest? manifest;
        try
        {
            // Only what it says is trusted, and only once it is known to be whole.
            byte[] file = Disk.Current.ReadAllBytes(path);
            if (SelfChecksum.Problem(file) is string problem)
            {
                return $"its {FileName} {problem}";
            }

            manifest = JsonSerializer.Deserialize<CheckpointManifest>(file, Json);
        }
        catch (JsonException e)
        {
            return $"its {FileName} is damaged ({e.Message})";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"its {FileName} cannot be read ({e.Message})";
        }

        if (manifest?.Files is not { Count: > 0 } || manifest.Schema != CurrentSchema)
        {
            return $"its {FileName} has the schema '{manifest?.Schema}' and {manifest?.Files?.Count ?? 0} files, "
                + $"expected '{CurrentSchema}' and at least one";
        }

        try
        {
            return FirstProblem(folder, manifest.Files);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"it cannot be read ({e.Message})";
        }
    }

    private static string? FirstProblem(string folder, IReadOnlyDictionary<string, ManifestFile> files)
    {
        foreach ((string name, ManifestFile? expected) in files)
        {
            if (expected is null)
            {
                return $"its {FileName} says nothing of {name}";
            }

            string file = Path.Combine(folder, name);
            if (!IsInside(name) || !File.Exists(file))
            {
                return $"{name} is missing";
            }

            if (new FileInfo(file).Length is var length && length != expected.Bytes)
            {
                return $"{name} has {length} bytes, expected {expected.Bytes}";
            }

            if (Describe(file).Sha256 != expected.Sha256)
            {
                return $"{name} does not have the checksum that {FileName} says";
            }
        }

        return null;
    }

    // A file of the checkpoint, or of its average's folder; nothing else can be meant.
    private static bool IsInside(string name) =>
        name == Path.GetFileName(name) || name == $"{Checkpoint.AverageFolder}/{Path.GetFileName(name)}";

    private static ManifestFile Describe(string path)
    {
        using FileStream file = Disk.Current.OpenRead(path);
        return new ManifestFile(file.Length, Convert.ToHexStringLower(SHA256.HashData(file)));
    }
}
