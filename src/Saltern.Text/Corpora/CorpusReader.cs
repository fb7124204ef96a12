using Saltern.Distributed;

namespace Saltern.Corpora;

/// <summary>Streams the documents of text files, folders and globs, in a fixed order and in bounded memory.</summary>
/// <remarks>
/// Reads <c>.jsonl</c>, <c>.jsonl.gz</c>, <c>.jsonl.zst</c>, <c>.parquet</c>, <c>.txt</c> and <c>.md</c>. A record without a domain belongs to the domain
/// named like its file up to the first dot (<c>books.train.jsonl.gz</c>: <c>books</c>), a text file to the first folder below the one given, or to <c>text</c>.
/// Broken records and files are counted and skipped; over <see cref="CorpusReaderOptions.MaxBrokenShare"/> the pass fails at its end.
/// One record is held at a time; of a Parquet file one row group.
/// </remarks>
public sealed class CorpusReader
{
    private long _finishedFileBytes;
    private CorpusPass? _pass;

    /// <summary>Finds the files; none is opened yet.</summary>
    /// <param name="paths">Files, folders (with everything below them) and globs with <c>*</c>, <c>?</c> and <c>**</c>.</param>
    /// <param name="options">How to read; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ConfigurationException">A path leads nowhere or to nothing that can be read, or an option is wrong; all are listed.</exception>
    public CorpusReader(IEnumerable<string> paths, CorpusReaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        Options = options ?? new CorpusReaderOptions();
        Options.Validate();
        Files = CorpusPaths.Resolve(paths);
        TotalFileBytes = Files.Sum(file => file.Bytes);
    }

    /// <summary>How the files are read.</summary>
    internal CorpusReaderOptions Options { get; }

    /// <summary>The files, in reading order.</summary>
    internal IReadOnlyList<CorpusFile> Files { get; }

    /// <summary>Size of all files as stored, in bytes.</summary>
    internal long TotalFileBytes { get; }

    /// <summary>Bytes of the files consumed by the running pass, for a share of the work done; may be read from another thread.</summary>
    internal long FileBytesRead =>
        Interlocked.Read(ref _finishedFileBytes) + (Volatile.Read(ref _pass)?.ConsumedBytes ?? 0);

    /// <summary>Counts and first problems of the pass that runs or ran last.</summary>
    public CorpusReadReport Report { get; private set; } = new();

    /// <summary>The place behind the document that was given out last.</summary>
    internal CorpusPosition Position { get; private set; }

    /// <summary>The place, and what was counted up to it.</summary>
    internal ReaderState State => new(Position, Report.Counts);

    /// <summary>Reads every document once; can be called again for another pass, one pass at a time.</summary>
    /// <param name="cancellation">Ends the pass with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="DataFormatException">At the end of the pass: more than the allowed share was broken.</exception>
    public IEnumerable<TextDocument> ReadDocuments(CancellationToken cancellation = default) =>
        ReadDocuments(default, new CorpusReadReport(), cancellation);

    /// <summary>Resumes where an earlier pass over the same files ended.</summary>
    /// <param name="from">The place; documents before it are not given out and not counted again.</param>
    /// <param name="report">What the earlier pass had counted up to there; this pass adds to it.</param>
    internal IEnumerable<TextDocument> ReadDocuments(
        CorpusPosition from,
        CorpusReadReport report,
        CancellationToken cancellation
    )
    {
        // At once, not with the first document: the state may be asked for before.
        (Report, Position) = (report, from);
        return Pass(from, report, cancellation);
    }

    private static IEnumerable<TextDocument> Read(CorpusFile file, long skip, CorpusPass pass) =>
        file.Format switch
        {
            CorpusFormat.Text => new TextFileReader(pass).Read(file, skip),
            CorpusFormat.Parquet => new ParquetFileReader(pass).Read(file, skip),
            _ => new JsonLinesReader(pass).Read(file, skip),
        };

    private IEnumerable<TextDocument> Pass(CorpusPosition from, CorpusReadReport report, CancellationToken cancellation)
    {
        (Report, Position) = (report, from);
        var pass = new CorpusPass(Options, report);
        Volatile.Write(ref _pass, pass);
        Interlocked.Exchange(ref _finishedFileBytes, Files.Take(from.File).Sum(file => file.Bytes));
        for (int index = from.File; index < Files.Count; index++)
        {
            CorpusFile file = Files[index];
            long skip = 0;
            if (index == from.File)
            {
                skip = from.Record;
            }

            if (skip == 0)
            {
                report.CountFile();
            }

            long given = skip;
            foreach (TextDocument document in Read(file, skip, pass))
            {
                cancellation.ThrowIfCancellationRequested();
                given++;
                Position = new CorpusPosition(index, document.Line ?? given);
                report.CountDocument();
                yield return document;
            }

            Interlocked.Add(ref _finishedFileBytes, file.Bytes);
        }

        // The end has a place of its own: what follows the last document must not be counted twice.
        Position = new CorpusPosition(Files.Count, 0);
        report.Finish(Options);
    }
}

/// <summary>How far one reader had come.</summary>
/// <param name="Position">The place in its files.</param>
/// <param name="Counts">What it had counted.</param>
internal sealed record ReaderState(CorpusPosition Position, ReportCounts Counts);
