using System.Text.Unicode;

namespace Saltern.Corpora;

/// <summary>Reads a text file as one document, cut into pieces, or cut at the marks that end its texts.</summary>
internal sealed class TextFileReader(CorpusPass pass, SpecialMarks marks)
{
    // Read before the file is decided to be full of marks.
    private const int BeginningBytes = 1 << 20;

    private long _number;

    /// <summary>Reads the documents.</summary>
    /// <param name="skip">Pieces that are skipped: an earlier pass has dealt with them.</param>
    public IEnumerable<TextDocument> Read(CorpusFile file, long skip)
    {
        using Stream? text = pass.OpenText(file);
        if (text is null)
        {
            yield break;
        }

        try
        {
            using IEnumerator<ReadOnlyMemory<byte>> pieces = Pieces(text, file, skip, out bool isWhole);
            for (_number = 1; TryMove(pieces, file); _number++)
            {
                if (_number > skip && IsText(pieces.Current.Span, file, isWhole ? null : _number))
                {
                    yield return new TextDocument(pieces.Current, file.Domain, file.Path) { Place = _number };
                }
            }
        }
        finally
        {
            pass.Close();
        }
    }

    private IEnumerator<ReadOnlyMemory<byte>> Pieces(Stream text, CorpusFile file, long skip, out bool isWhole)
    {
        isWhole = false;
        CorpusReaderOptions options = pass.Options;
        PrefixedStream whole;
        try
        {
            whole = PrefixedStream.Peek(text, options.SpecialTokens is null ? BeginningBytes : 0);
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e))
        {
            pass.Report.AddBrokenFile(file.Path, null, CorpusPass.Reason(e));
            return Enumerable.Empty<ReadOnlyMemory<byte>>().GetEnumerator();
        }

        bool isMarked =
            options.SpecialTokens == SpecialTokenText.Split
            || (options.SpecialTokens is null && marks.AreManyIn(whole.Head));
        if (isMarked)
        {
            void Count()
            {
                if (_number > skip)
                {
                    pass.Report.CountSplitMark();
                }
            }

            return MarkedText
                .Cut(whole, marks, options.MaxRecordBytes, Count)
                .SelectMany(part => InPieces(part, options.TextPieceBytes))
                .GetEnumerator();
        }

        isWhole = options.TextPieceBytes is null;
        return TextPieces.Cut(whole, options.TextPieceBytes, options.MaxRecordBytes).GetEnumerator();
    }

    private static IEnumerable<ReadOnlyMemory<byte>> InPieces(ReadOnlyMemory<byte> text, int? pieceBytes)
    {
        if (pieceBytes is null || text.Length <= pieceBytes)
        {
            return [text];
        }

        return TextPieces.Cut(new MemoryStream(text.ToArray()), pieceBytes, int.MaxValue);
    }

    private bool IsText(ReadOnlySpan<byte> text, CorpusFile file, long? number)
    {
        string? problem = null;
        if (!Utf8.IsValid(text))
        {
            problem =
                $"is not valid UTF-8 (at byte {FirstInvalid(text)}); name its encoding, as --encoding windows-1252";
        }
        else if (text.Contains((byte)0))
        {
            problem =
                "holds NUL bytes, as no text does but UTF-16 without a byte order mark; name its encoding, as --encoding utf-16le";
        }

        if (number is { } piece)
        {
            pass.CountRecord(piece, default);
            if (problem is not null)
            {
                pass.Report.AddBrokenRecord(file.Path, piece, "piece " + problem, pass.Options.MaxBrokenShare);
            }
        }
        else if (problem is not null)
        {
            pass.Report.AddBrokenFile(file.Path, null, problem);
        }

        return problem is null;
    }

    private static int FirstInvalid(ReadOnlySpan<byte> text)
    {
        Utf8.ToUtf16(text, new char[text.Length], out int read, out _, replaceInvalidSequences: false);
        return read;
    }

    private bool TryMove(IEnumerator<ReadOnlyMemory<byte>> pieces, CorpusFile file)
    {
        try
        {
            return pieces.MoveNext();
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e))
        {
            pass.Report.AddBrokenFile(file.Path, null, CorpusPass.Reason(e));
            return false;
        }
    }
}
