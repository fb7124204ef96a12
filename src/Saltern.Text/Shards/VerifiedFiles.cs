using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>Remembers which files of a data set were read whole and found right, so that it happens once per file and not at every start.</summary>
/// <remarks>
/// The memory is the file <c>dataset.verified.json</c> of a prepared data set, or, where that cannot be written or other programs wrote the data, a file in
/// the user's folder for application data, named by a hash of the data's path. An entry holds for the file's full path, so that a copy is verified
/// anew, and as long as its size and time stay the same. Where nothing can be read or written everything is simply verified.
/// </remarks>
internal sealed class VerifiedFiles
{
    /// <summary>Name of the file in a prepared data set's folder.</summary>
    public const string FileName = "dataset.verified.json";

    private readonly string[] _memories;
    private readonly Dictionary<string, Entry> _entries;
    private readonly bool _trusts;
    private bool _changed;

    private VerifiedFiles(string[] memories, Dictionary<string, Entry> entries, bool trusts) =>
        (_memories, _entries, _trusts) = (memories, entries, trusts);

    /// <summary>Verifies everything and remembers nothing.</summary>
    public static VerifiedFiles None => new([], [], trusts: false);

    /// <summary>Where memories lie that cannot lie beside the data; null where the user has no such folder.</summary>
    public static string? UserFolder
    {
        get
        {
            string user = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
            if (user.Length > 0)
            {
                return Path.Combine(user, "saltern", "verified");
            }

            return null;
        }
    }

    /// <summary>The memory of a data set.</summary>
    /// <param name="again">Whether to verify everything once more; the outcome is remembered all the same.</param>
    public static VerifiedFiles Of(string data, bool again, string? userFolder)
    {
        List<string> memories = [];
        if (File.Exists(Path.Combine(data, DatasetManifest.FileName)))
        {
            memories.Add(Path.Combine(data, FileName));
        }

        if (userFolder is not null)
        {
            memories.Add(
                Path.Combine(
                    userFolder,
                    Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(data))))[..32]
                        + ".json"
                )
            );
        }

        return new VerifiedFiles([.. memories], Read(memories), trusts: !again);
    }

    private static Dictionary<string, Entry> Read(IEnumerable<string> memories)
    {
        Dictionary<string, Entry> entries = [];
        foreach (string memory in memories.Where(File.Exists))
        {
            try
            {
                byte[] json = File.ReadAllBytes(memory);
                foreach (
                    (string path, Entry entry) in JsonSerializer.Deserialize<Dictionary<string, Entry>>(json) ?? []
                )
                {
                    entries[path] = entry;
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
            {
                // No memory is no harm.
            }
        }

        return entries;
    }

    /// <summary>Whether a file was found to be what is claimed of it, and has not been touched since.</summary>
    public bool IsKnown(string path, string claim) =>
        _trusts && _entries.TryGetValue(Path.GetFullPath(path), out Entry? entry) && entry == Entry.Of(path, claim);

    /// <summary>Notes that a file is what is claimed of it.</summary>
    public void Remember(string path, string claim)
    {
        _entries[Path.GetFullPath(path)] = Entry.Of(path, claim);
        _changed = true;
    }

    /// <summary>Writes the memory to the first place that takes it.</summary>
    public void Save()
    {
        if (!_changed)
        {
            return;
        }

        // Runs that share a data set may save at the same time.
        string ownEnding = $".{Environment.ProcessId}{TokenShardWriter.PartialEnding}";
        foreach (string memory in _memories)
        {
            try
            {
                DurableFolder.Create(Path.GetDirectoryName(memory)!);
                WholeFile.Write(memory, file => JsonSerializer.Serialize(file, _entries), ownEnding);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The next place, or none: the next start verifies again.
            }
        }
    }

    private sealed record Entry(long Bytes, DateTime Modified, string Claim)
    {
        public static Entry Of(string path, string claim) =>
            new(new FileInfo(path).Length, File.GetLastWriteTimeUtc(path), claim);
    }
}
