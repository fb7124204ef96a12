namespace Saltern.Data;

/// <summary>Streams the documents of text files, folders and globs, in a fixed order and in bounded memory.</summary>
/// <remarks>
/// Reads <c>.jsonl</c>, <c>.jsonl.gz</c>, <c>.txt</c> and <c>.md</c>. A JSON record without a domain belongs to the domain named like its file up to
/// the first dot (<c>books.train.jsonl.gz</c>: <c>books</c>), a text file to the first folder below the one given, or to <c>text</c>.
/// Broken lines and files are counted and skipped; over <see cref="CorpusReaderOptions.MaxBrokenShare"/> the pass fails at its end.
/// One line is held at a time (plus one whole file for <c>.txt</c> and <c>.md</c>).
/// </remarks>
public sealed class CorpusReader
{
    private readonly CorpusReaderOptions _options;
    private readonly JsonRecordParser _parser;
    private long _finishedFileBytes;
    private FileStream? _open;

    /// <summary>Finds the files; none is opened yet.</summary>
    /// <param name="paths">Files, folders (with everything below them) and globs with <c>*</c>, <c>?</c> and <c>**</c>.</param>
    /// <param name="options">How to read; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ConfigurationException">A path leads nowhere or to nothing that can be read, or an option is wrong; all are listed.</exception>
    public CorpusReader(IEnumerable<string> paths, CorpusReaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        _options = options ?? new CorpusReaderOptions();
        _options.Validate();
        _parser = new JsonRecordParser(_options);
        Files = CorpusPaths.Resolve(paths);
        TotalFileBytes = Files.Sum(file => file.Bytes);
    }

    /// <summary>The files, in reading order.</summary>
    public IReadOnlyList<CorpusFile> Files { get; }

    /// <summary>Size of all files as stored, in bytes.</summary>
    public long TotalFileBytes { get; }

    /// <summary>Bytes of the files consumed by the running pass, for a share of the work done; may be read from another thread.</summary>
    public long FileBytesRead
    {
        get
        {
            long position = 0;
            try
            {
                position = Volatile.Read(ref _open)?.Position ?? 0;
            }
            catch (ObjectDisposedException)
            {
                // The file was finished between the two reads; its bytes show up in the next call.
            }

            return Interlocked.Read(ref _finishedFileBytes) + position;
        }
    }

    /// <summary>Counts and first problems of the pass that runs or ran last.</summary>
    public CorpusReadReport Report { get; private set; } = new();

    /// <summary>Reads every document once; can be called again for another pass, one pass at a time.</summary>
    /// <param name="cancellation">Ends the pass with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="DataFormatException">At the end of the pass: more than the allowed share was broken.</exception>
    public IEnumerable<TextDocument> ReadDocuments(CancellationToken cancellation = default)
    {
        CorpusReadReport report = Report = new CorpusReadReport();
        Interlocked.Exchange(ref _finishedFileBytes, 0);
        foreach (CorpusFile file in Files)
        {
            report.CountFile();
            IEnumerable<TextDocument> documents = file.Format == CorpusFormat.Text ? ReadText(file, report) : ReadJsonLines(file, report);
            foreach (TextDocument document in documents)
            {
                cancellation.ThrowIfCancellationRequested();
                report.CountDocument();
                yield return document;
            }

            Interlocked.Add(ref _finishedFileBytes, file.Bytes);
        }

        report.Finish(_options.MaxBrokenShare);
    }

    private static bool IsReadFailure(Exception e) => e is IOException or UnauthorizedAccessException or InvalidDataException;

    private IEnumerable<TextDocument> ReadJsonLines(CorpusFile file, CorpusReadReport report)
    {
        FileStream? stored = Open(file, report);
        if (stored is null)
        {
            yield break;
        }

        if (file is { Format: CorpusFormat.JsonLinesGzip, Bytes: 0 })
        {
            report.AddBrokenFile(file.Path, null, "is empty, not even an archive of nothing");
        }

        byte[]? endLine = null;
        using Stream stream = file.Format == CorpusFormat.JsonLinesGzip ? GzipWithEnd.Open(stored, out endLine) : stored;
        Volatile.Write(ref _open, stored);
        try
        {
            BoundedLineReader lines = new(stream, _options.MaxLineBytes);
            while (TryReadRecord(file, lines, endLine, report, out TextDocument? document))
            {
                if (document is not null)
                {
                    yield return document;
                }
            }
        }
        finally
        {
            Volatile.Write(ref _open, null);
        }
    }

    // False at the end of the file; a null document is a line that gave none. Apart from the loop, because an iterator cannot yield inside a catch.
    private bool TryReadRecord(CorpusFile file, BoundedLineReader lines, byte[]? endLine, CorpusReadReport report, out TextDocument? document)
    {
        document = null;
        LineResult result;
        ReadOnlySpan<byte> line;
        try
        {
            result = lines.Read(out line);
        }
        catch (Exception e) when (IsReadFailure(e))
        {
            report.AddBrokenFile(file.Path, lines.LineNumber, $"the file breaks off or is damaged after this line ({e.Message})");
            return false;
        }

        if (result == LineResult.End)
        {
            if (endLine is not null)
            {
                report.AddBrokenFile(file.Path, lines.LineNumber, "the archive is cut short after this line");
            }

            return false;
        }

        if (endLine is not null && line.SequenceEqual(endLine))
        {
            return false;
        }

        if (lines.LineNumber == 1 && line.StartsWith("\uFEFF"u8))
        {
            line = line[3..];
        }

        if (result == LineResult.Line && line.Trim(" \t\r"u8).IsEmpty)
        {
            return true;
        }

        report.CountLine();
        string? problem = $"is longer than {_options.MaxLineBytes} bytes";
        ReadOnlyMemory<byte> text = default;
        string? domain = null;
        if (result == LineResult.Line)
        {
            problem = _parser.Parse(line, out text, out domain);
        }

        if (problem is null)
        {
            document = new TextDocument(text, domain ?? file.Domain, file.Path, lines.LineNumber);
        }
        else
        {
            report.AddBrokenLine(file.Path, lines.LineNumber, problem, _options.MaxBrokenShare);
        }

        return true;
    }

    private IEnumerable<TextDocument> ReadText(CorpusFile file, CorpusReadReport report)
    {
        byte[]? bytes = null;
        try
        {
            bytes = File.ReadAllBytes(file.Path);
        }
        catch (Exception e) when (IsReadFailure(e))
        {
            report.AddBrokenFile(file.Path, null, $"cannot be read ({e.Message})");
        }

        return bytes is null ? [] : TextPieces.Cut(bytes, _options.TextPieceBytes).Select(piece => new TextDocument(piece, file.Domain, file.Path));
    }

    private static FileStream? Open(CorpusFile file, CorpusReadReport report)
    {
        try
        {
            return new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 17, FileOptions.SequentialScan);
        }
        catch (Exception e) when (IsReadFailure(e))
        {
            report.AddBrokenFile(file.Path, null, $"cannot be opened ({e.Message})");
            return null;
        }
    }
}
