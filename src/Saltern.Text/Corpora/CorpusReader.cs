using Saltern.Distributed;

namespace Saltern.Corpora;

/// <summary>Streams the documents of text files, folders and globs, in a fixed order and in bounded memory.</summary>
/// <remarks>
/// Reads JSON lines and lists (<c>.jsonl</c>, <c>.ndjson</c>, <c>.jsonlines</c>, <c>.json</c>) and text (<c>.txt</c>, <c>.md</c>), plain or as <c>.gz</c>, <c>.zst</c>,
/// <c>.bz2</c>, <c>.xz</c>, and <c>.parquet</c> and <c>.arrow</c>. A record without a domain belongs to the domain named like its file up to the first dot, without
/// the number of a shard (<c>books-00000-of-00041.jsonl.gz</c>: <c>books</c>), a text file to the first folder below the one given, or to <c>text</c>.
/// Broken records and files are counted and skipped; over <see cref="CorpusReaderOptions.MaxBrokenShare"/> the pass fails at its end.
/// One record is held at a time; of a Parquet file one row group, of an Arrow file one batch.
/// </remarks>
public sealed class CorpusReader
{
    private long _finishedFileBytes;
    private CorpusPass? _pass;
    private DomainDecision? _domains;

    /// <summary>Finds the files; none is opened yet.</summary>
    /// <param name="paths">Files, folders (with everything below them) and globs with <c>*</c>, <c>?</c> and <c>**</c>.</param>
    /// <param name="options">How to read; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ConfigurationException">A path leads nowhere or to nothing that can be read, or an option is wrong; all are listed.</exception>
    public CorpusReader(IEnumerable<string> paths, CorpusReaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        Options = options ?? new CorpusReaderOptions();
        Options.Validate();
        CorpusFiles found = CorpusPaths.Resolve(paths);
        (Files, LeftOut) = (found.Files, found.LeftOut);
        if (Options.Domains == DomainSource.None)
        {
            Files = [.. Files.Select(file => file with { Domain = CorpusFile.PlainTextDomain })];
        }

        TotalFileBytes = Files.Sum(file => file.Bytes);
    }

    /// <summary>How the files are read.</summary>
    internal CorpusReaderOptions Options { get; }

    /// <summary>The files, in reading order.</summary>
    internal IReadOnlyList<CorpusFile> Files { get; }

    /// <summary>Files of the folders and globs given that are not read: of other kinds, hidden, or behind links to folders.</summary>
    public IReadOnlyList<string> LeftOut { get; }

    /// <summary>Files whose names say that they are kept for measuring, among others whose names do not; empty where all of them are: then they were meant.</summary>
    /// <param name="valid">What is read as validation text; its files are left out of the training text anyway.</param>
    internal IReadOnlyList<CorpusFile> HeldOut(CorpusReader? valid = null)
    {
        CorpusFile[] named = [.. Files.Where(file => file.IsHeldOut)];
        if (named.Length == Files.Count)
        {
            return [];
        }

        HashSet<string> known = [.. (valid?.Files ?? []).Select(file => Path.GetFullPath(file.Path))];
        return [.. named.Where(file => !known.Contains(Path.GetFullPath(file.Path)))];
    }

    /// <summary>Special tokens that are looked for in the text.</summary>
    internal SpecialMarks Marks { get; set; } = SpecialMarks.Usual;

    /// <summary>What is taken for the domain; settled by the first records where no option says it.</summary>
    internal DomainDecision Domains
    {
        get => _domains ??= DomainDecision.Of(this);
        set => _domains = value;
    }

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

    /// <summary>Documents of one file, as its records hold them.</summary>
    internal IEnumerable<TextDocument> Read(CorpusFile file, long skip, CorpusPass pass) =>
        file.Format switch
        {
            CorpusFormat.Text => new TextFileReader(pass, Marks).Read(file, skip),
            CorpusFormat.Parquet => new ParquetFileReader(pass).Read(file, skip),
            CorpusFormat.Arrow => new ArrowReader(pass).Read(file, skip),
            _ => new JsonFileReader(pass).Read(file, skip),
        };

    // A record whose text is split gives several documents; all others give one, or none where its special tokens are refused.
    private IReadOnlyList<ReadOnlyMemory<byte>> Parts(TextDocument document, CorpusReadReport report, bool isNew)
    {
        string? special = Marks.FirstIn(document.Utf8.Span);
        if (special is null)
        {
            return [document.Utf8];
        }

        switch (Options.SpecialTokens)
        {
            case SpecialTokenText.Refuse when document.Line is { } line:
                report.AddBrokenRecord(document.Source, line, $"spells out {special}", Options.MaxBrokenShare);
                return [];
            case SpecialTokenText.Refuse:
                report.AddBrokenFile(document.Source, null, $"spells out {special}");
                return [];
            case SpecialTokenText.Split when Marks.FirstEndIn(document.Utf8.Span, out _) >= 0:
                // A record that an earlier pass was in the middle of has been counted.
                Action cut = isNew ? report.CountSplitMark : () => { };
                return [.. MarkedText.Cut(document.Utf8, Marks, cut)];
            default:
                report.CountSpecialToken(special);
                return [document.Utf8];
        }
    }

    private IEnumerable<TextDocument> Pass(CorpusPosition from, CorpusReadReport report, CancellationToken cancellation)
    {
        (Report, Position) = (report, from);
        var pass = new CorpusPass(Domains.Options, report);
        Volatile.Write(ref _pass, pass);
        Interlocked.Exchange(ref _finishedFileBytes, Files.Take(from.File).Sum(file => file.Bytes));
        for (int index = from.File; index < Files.Count; index++)
        {
            CorpusFile file = Files[index];
            long skip = 0;
            if (index == from.File)
            {
                skip = from.Part > 0 ? from.Record - 1 : from.Record;
                pass.CountedRecords = from.Record;
            }
            else
            {
                pass.CountedRecords = 0;
            }

            if (pass.CountedRecords == 0)
            {
                report.CountFile();
            }

            int given = index == from.File ? from.Part : 0;
            foreach (TextDocument document in Read(file, skip, pass))
            {
                cancellation.ThrowIfCancellationRequested();
                CorpusPosition behind = new(index, document.Place ?? document.Line!.Value);
                IReadOnlyList<ReadOnlyMemory<byte>> parts = Parts(document, report, isNew: given == 0);
                for (int part = given; part < parts.Count; part++)
                {
                    Position = part < parts.Count - 1 ? behind with { Part = part + 1 } : behind;
                    report.CountDocument();
                    yield return document with
                    {
                        Utf8 = parts[part],
                    };
                }

                given = 0;
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
