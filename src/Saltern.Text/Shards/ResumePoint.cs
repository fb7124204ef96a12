using System.Runtime.InteropServices;
using Saltern.Corpora;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>Keeps the journal of a run that can be resumed, and what it has seen of the documents.</summary>
internal sealed class ResumePoint : IDisposable
{
    private readonly DatasetFolder _folder;
    private readonly PrepareJob _job;
    private readonly EntryFile _seen;
    private readonly EntryFile? _near;

    /// <summary>Begins a journal, or resumes the folder's.</summary>
    public ResumePoint(DatasetFolder folder, PrepareJob job)
    {
        (_folder, _job) = (folder, job);
        PrepareJournal? resumed = folder.Resumed;
        SplitCounts? counts = resumed?.Reading.Split;
        Exists = resumed is not null;
        _seen = new EntryFile(
            folder,
            PrepareJournal.SeenFileName,
            length: 2,
            counts is null ? 0 : Seen(counts),
            resumed?.SeenSha256
        );
        if (job.NearDuplicates is not null)
        {
            _near = new EntryFile(
                folder,
                PrepareJournal.NearFileName,
                NearDuplicates.RecordLength,
                counts?.NearSeen ?? 0,
                resumed?.NearSha256
            );
        }
    }

    /// <summary>Whether there is a journal on disk.</summary>
    public bool Exists { get; private set; }

    /// <summary>Notes a new document.</summary>
    public void Remember(UInt128 hash) =>
        _seen.Add(MemoryMarshal.Cast<UInt128, ulong>(new ReadOnlySpan<UInt128>(in hash)));

    /// <summary>Notes what later documents are compared with.</summary>
    /// <param name="record">From <see cref="NearDuplicates.Add"/>.</param>
    public void RememberNear(ulong[] record) => _near!.Add(record);

    /// <summary>The hashes of the interrupted run; the file is cut back to them.</summary>
    /// <exception cref="DataFormatException">There are fewer than the journal says, or others.</exception>
    public IEnumerable<UInt128> LoadHashes() =>
        _seen.Load().Select(entry => MemoryMarshal.Read<UInt128>(MemoryMarshal.AsBytes(entry.AsSpan())));

    /// <summary>What documents are compared with, likewise; each in turn in the same array.</summary>
    /// <exception cref="DataFormatException">There are fewer than the journal says, or others.</exception>
    public IEnumerable<ulong[]> LoadNear() => _near?.Load() ?? [];

    /// <summary>Brings all to the disk, the journal last.</summary>
    /// <param name="reading">How far reading had come behind the documents that were written last.</param>
    public void Save(ReadingState reading, PrepareProgress done, ShardSet shards)
    {
        List<ShardState> states = shards.Flush();
        _seen.Save(Seen(reading.Split));
        _near?.Save(reading.Split.NearSeen);
        if (!Exists)
        {
            // Before the journal, which names them: the names may come to the disk in any order.
            DurableFolder.FlushParent(_folder.FullPath(PrepareJournal.SeenFileName));
        }

        var journal = new PrepareJournal
        {
            Job = _job,
            Reading = reading,
            Done = done,
            Shards = states,
            SeenSha256 = _seen.Sha256,
            NearSha256 = _near?.Sha256,
        };
        _folder.WriteWhole(PrepareJournal.FileName, stream => stream.Write(journal.ToJson()));
        Exists = true;
    }

    /// <summary>Lets the running checksums go.</summary>
    public void Dispose()
    {
        _seen.Dispose();
        _near?.Dispose();
    }

    private static long Seen(SplitCounts counts) => counts.ValidSeen + counts.TrainSeen;
}
