namespace Saltern.Corpora;

/// <summary>Streams the documents of one file of JSON lines, stored plain or compressed; one line is held at a time.</summary>
internal sealed class JsonLinesReader(CorpusPass pass)
{
    private readonly JsonRecordParser _parser = new(pass.Options);

    /// <summary>Reads the documents.</summary>
    /// <param name="skip">Lines that are skipped and not counted: an earlier pass has dealt with them.</param>
    public IEnumerable<TextDocument> Read(CorpusFile file, long skip)
    {
        FileStream? stored = pass.Open(file);
        if (stored is null)
        {
            yield break;
        }

        if (file is { Format: CorpusFormat.JsonLinesGzip or CorpusFormat.JsonLinesZstandard, Bytes: 0 })
        {
            stored.Dispose();
            pass.Report.AddBrokenFile(file.Path, null, "is empty, not even an archive of nothing");
            yield break;
        }

        using Stream stream = ArchiveStream.Open(stored, file.Format, pass.Options.MaxExpansion, out byte[]? endLine);
        pass.Follow(stored);
        try
        {
            BoundedLineReader lines = new(stream, pass.Options.MaxRecordBytes);
            while (TryReadRecord(file, lines, endLine, skip, out TextDocument? document))
            {
                if (document is not null)
                {
                    yield return document;
                }
            }
        }
        finally
        {
            pass.Close();
        }
    }

    // False at the end of the file; a null document is a line that gave none.
    // Apart from the loop, because an iterator cannot yield inside a catch.
    private bool TryReadRecord(
        CorpusFile file,
        BoundedLineReader lines,
        byte[]? endLine,
        long skip,
        out TextDocument? document
    )
    {
        document = null;
        LineResult result;
        ReadOnlySpan<byte> line;
        try
        {
            result = lines.Read(out line);
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e))
        {
            pass.Report.AddBrokenFile(
                file.Path,
                lines.LineNumber,
                $"the file breaks off or is damaged after this line ({e.Message})"
            );
            return false;
        }

        if (result == LineResult.End)
        {
            if (endLine is not null)
            {
                pass.Report.AddBrokenFile(file.Path, lines.LineNumber, "the archive is cut short after this line");
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

        if (lines.LineNumber <= skip || (result == LineResult.Line && line.Trim(" \t\r"u8).IsEmpty))
        {
            return true;
        }

        string? problem = $"is longer than {pass.Options.MaxRecordBytes} bytes";
        ReadOnlyMemory<byte> text = default;
        string? domain = null;
        if (result == LineResult.Line)
        {
            problem = _parser.Parse(line, out text, out domain);
        }

        pass.Report.CountRecord(domain is not null);
        if (problem is null)
        {
            document = new TextDocument(text, domain ?? file.Domain, file.Path, lines.LineNumber);
        }
        else
        {
            pass.Report.AddBrokenRecord(file.Path, lines.LineNumber, problem, pass.Options.MaxBrokenShare);
        }

        return true;
    }
}
