using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>Keeps the journal of a run that can be resumed, and the hashes of the documents it has seen.</summary>
internal sealed class ResumePoint : IDisposable
{
    private readonly DatasetFolder _folder;
    private readonly PrepareJob _job;
    private readonly List<UInt128> _newHashes = [];
    private readonly IncrementalHash _seenHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _savedHashes;

    /// <summary>Begins a journal, or resumes the folder's.</summary>
    public ResumePoint(DatasetFolder folder, PrepareJob job)
    {
        (_folder, _job) = (folder, job);
        Exists = folder.Resumed is not null;
        _savedHashes = folder.Resumed is { } journal ? Count(journal.Reading.Split) : 0;
    }

    /// <summary>Whether there is a journal on disk.</summary>
    public bool Exists { get; private set; }

    /// <summary>Notes a new document.</summary>
    public void Remember(UInt128 hash) => _newHashes.Add(hash);

    /// <summary>The hashes of the interrupted run; the file is cut back to them.</summary>
    /// <exception cref="DataFormatException">There are fewer than the journal says.</exception>
    public IEnumerable<UInt128> LoadHashes()
    {
        string path = _folder.FullPath(PrepareJournal.SeenFileName);
        using FileStream file = Disk.Current.Open(
            path,
            FileMode.OpenOrCreate,
            FileAccess.ReadWrite,
            FileShare.None,
            1 << 16
        );
        long bytes = _savedHashes * 16;
        if (file.Length < bytes)
        {
            throw new DataFormatException(
                $"'{path}' has {file.Length} bytes, expected at least {bytes} of the interrupted run. "
                    + "What is left of it is removed; run the command again to begin anew."
            );
        }

        file.SetLength(bytes);
        byte[] hash = new byte[16];
        for (long i = 0; i < _savedHashes; i++)
        {
            file.ReadExactly(hash);
            _seenHash.AppendData(hash);
            yield return MemoryMarshal.Read<UInt128>(hash);
        }

        if (
            _folder.Resumed?.SeenSha256 is string expected
            && Convert.ToHexStringLower(_seenHash.GetCurrentHash()) != expected
        )
        {
            throw new DataFormatException(
                $"'{path}' does not have the checksum that {PrepareJournal.FileName} says: it is damaged. "
                    + "What is left of the interrupted run is removed; run the command again to begin anew."
            );
        }
    }

    /// <summary>Brings all to the disk, the journal last.</summary>
    /// <param name="reading">How far reading had come behind the documents that were written last.</param>
    public void Save(ReadingState reading, PrepareProgress done, ShardSet shards)
    {
        List<ShardState> states = shards.Flush();

        // Reading is ahead of writing: hashes of documents that are not written yet wait for the next time.
        int ready = (int)(Count(reading.Split) - _savedHashes);
        using (
            FileStream seen = Disk.Current.Open(
                _folder.FullPath(PrepareJournal.SeenFileName),
                FileMode.Append,
                FileAccess.Write,
                FileShare.None,
                1
            )
        )
        {
            ReadOnlySpan<byte> hashes = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_newHashes)[..ready]);
            seen.Write(hashes);
            _seenHash.AppendData(hashes);
            seen.Flush(flushToDisk: true);
        }

        if (!Exists)
        {
            // Before the journal, which names it: the two names may come to the disk in any order.
            DurableFolder.FlushParent(_folder.FullPath(PrepareJournal.SeenFileName));
        }

        _newHashes.RemoveRange(0, ready);
        _savedHashes += ready;
        var journal = new PrepareJournal
        {
            Job = _job,
            Reading = reading,
            Done = done,
            Shards = states,
            SeenSha256 = Convert.ToHexStringLower(_seenHash.GetCurrentHash()),
        };
        _folder.WriteWhole(PrepareJournal.FileName, stream => stream.Write(journal.ToJson()));
        Exists = true;
    }

    /// <summary>Lets the running checksum go.</summary>
    public void Dispose() => _seenHash.Dispose();

    private static long Count(SplitCounts counts) => counts.ValidSeen + counts.TrainSeen;
}
