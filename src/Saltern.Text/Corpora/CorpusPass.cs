namespace Saltern.Corpora;

/// <summary>One pass over a corpus: what it counts, and how far it is in the file that is open.</summary>
internal sealed class CorpusPass(CorpusReaderOptions options, CorpusReadReport report)
{
    private FileStream? _open;
    private long _consumed;

    /// <summary>How to read.</summary>
    public CorpusReaderOptions Options { get; } = options;

    /// <summary>Counts and first problems.</summary>
    public CorpusReadReport Report { get; } = report;

    /// <summary>Bytes of text or JSON after which a file is taken to end; null where all of it is read.</summary>
    public int? BeginningBytes { get; init; }

    /// <summary>Records of the open file that an earlier pass has counted; the last of them may be read again, for what it had not given out.</summary>
    public long CountedRecords { get; set; }

    /// <summary>Stored bytes of the open file that were consumed; may be read from another thread.</summary>
    public long ConsumedBytes
    {
        get
        {
            try
            {
                return Volatile.Read(ref _open)?.Position ?? Interlocked.Read(ref _consumed);
            }
            catch (ObjectDisposedException)
            {
                // The file was finished between the two reads; its bytes show up in the next call.
                return 0;
            }
        }
    }

    /// <summary>Whether an exception means that a file cannot be read, rather than a defect here.</summary>
    public static bool IsReadFailure(Exception e) =>
        e is IOException or UnauthorizedAccessException or InvalidDataException;

    /// <summary>Opens a file; null, and a broken file in the report, where that fails.</summary>
    public FileStream? Open(CorpusFile file)
    {
        try
        {
            return new FileStream(
                file.Path,
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read,
                1 << 17,
                FileOptions.SequentialScan
            );
        }
        catch (Exception e) when (IsReadFailure(e))
        {
            Report.AddBrokenFile(file.Path, null, $"cannot be opened ({e.Message})");
            return null;
        }
    }

    /// <summary>Opens a file of text or JSON as UTF-8, whatever compresses and encodes it, and follows it; null, and a broken file in the report, where that fails.</summary>
    public Stream? OpenText(CorpusFile file)
    {
        FileStream? stored = Open(file);
        if (stored is null)
        {
            return null;
        }

        try
        {
            Stream text = TextDecoding.Open(ArchiveStream.Open(stored, Options.MaxExpansion), Options.Encoding);
            Follow(stored);
            return BeginningBytes is { } bytes ? new BeginningStream(text, bytes) : text;
        }
        catch (Exception e) when (IsReadFailure(e))
        {
            stored.Dispose();
            Report.AddBrokenFile(file.Path, null, Reason(e));
            return null;
        }
    }

    /// <summary>Why a file could not be read to its end.</summary>
    public static string Reason(Exception e) =>
        e is UnreadableFileException ? e.Message : $"the file breaks off or is damaged after this place ({e.Message})";

    /// <summary>Counts a record, unless an earlier pass has.</summary>
    /// <param name="number">Its line or number in the file, from 1.</param>
    public void CountRecord(long number, RecordFields fields)
    {
        if (number > CountedRecords)
        {
            Report.CountRecord(fields);
        }
    }

    /// <summary>Follows a file that is read from front to back.</summary>
    public void Follow(FileStream stored) => Volatile.Write(ref _open, stored);

    /// <summary>Says how much of a file was consumed that is not read from front to back.</summary>
    public void Advance(long consumed) => Interlocked.Exchange(ref _consumed, consumed);

    /// <summary>The open file is done.</summary>
    public void Close()
    {
        Volatile.Write(ref _open, null);
        Advance(0);
    }
}
