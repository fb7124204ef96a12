using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>A file of an unfinished data set to which entries of one size are added: what was seen of the documents up to the journal's place.</summary>
/// <param name="folder">The data set's folder.</param>
/// <param name="name">Name of the file in it.</param>
/// <param name="length">Numbers of 64 bits of an entry.</param>
/// <param name="saved">Entries that the journal of an interrupted run counts.</param>
/// <param name="sha256">Their checksum; null where the journal does not say it.</param>
internal sealed class EntryFile(DatasetFolder folder, string name, int length, long saved, string? sha256) : IDisposable
{
    private readonly List<ulong> _new = [];
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _saved = saved;

    /// <summary>SHA-256 of what is on the disk, lower-case hexadecimal.</summary>
    public string Sha256 => Convert.ToHexStringLower(_hash.GetCurrentHash());

    private string FullPath => folder.FullPath(name);

    /// <summary>Notes an entry.</summary>
    public void Add(ReadOnlySpan<ulong> entry) => _new.AddRange(entry);

    /// <summary>The entries of the interrupted run; the file is cut back to them.</summary>
    /// <returns>Each in turn in the same array.</returns>
    /// <exception cref="DataFormatException">There are fewer than the journal says, or others.</exception>
    public IEnumerable<ulong[]> Load()
    {
        using FileStream file = Disk.Current.Open(
            FullPath,
            FileMode.OpenOrCreate,
            FileAccess.ReadWrite,
            FileShare.None,
            1 << 16
        );
        long bytes = _saved * length * sizeof(ulong);
        if (file.Length < bytes)
        {
            throw new DataFormatException(
                $"'{FullPath}' has {file.Length} bytes, expected at least {bytes} of the interrupted run. "
                    + "What is left of it is removed; run the command again to begin anew."
            );
        }

        file.SetLength(bytes);
        ulong[] entry = new ulong[length];
        for (long i = 0; i < _saved; i++)
        {
            file.ReadExactly(MemoryMarshal.AsBytes(entry.AsSpan()));
            _hash.AppendData(MemoryMarshal.AsBytes(entry.AsSpan()));
            yield return entry;
        }

        if (sha256 is not null && Sha256 != sha256)
        {
            throw new DataFormatException(
                $"'{FullPath}' does not have the checksum that {PrepareJournal.FileName} says: it is damaged. "
                    + "What is left of the interrupted run is removed; run the command again to begin anew."
            );
        }
    }

    /// <summary>Brings entries to the disk.</summary>
    /// <param name="upTo">Entries that the journal will count. Reading is ahead of writing: later ones wait for the next time.</param>
    public void Save(long upTo)
    {
        int ready = (int)(upTo - _saved) * length;
        using (FileStream file = Disk.Current.Open(FullPath, FileMode.Append, FileAccess.Write, FileShare.None, 1))
        {
            ReadOnlySpan<byte> entries = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_new)[..ready]);
            file.Write(entries);
            _hash.AppendData(entries);
            file.Flush(flushToDisk: true);
        }

        _new.RemoveRange(0, ready);
        _saved = upTo;
    }

    /// <summary>Lets the running checksum go.</summary>
    public void Dispose() => _hash.Dispose();
}
