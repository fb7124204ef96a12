namespace Saltern.Corpora;

/// <summary>Reads a text file as one document, or cut into pieces; its bytes are kept as they are, valid UTF-8 or not.</summary>
internal sealed class TextFileReader(CorpusPass pass)
{
    /// <summary>Reads the documents.</summary>
    /// <param name="skip">Pieces that are skipped: an earlier pass has dealt with them.</param>
    public IEnumerable<TextDocument> Read(CorpusFile file, long skip)
    {
        using FileStream? stored = pass.Open(file);
        if (stored is null)
        {
            yield break;
        }

        int? pieceBytes = pass.Options.TextPieceBytes;
        if (pieceBytes is null && stored.Length > pass.Options.MaxRecordBytes)
        {
            pass.Report.AddBrokenFile(
                file.Path,
                null,
                $"has {stored.Length} bytes, too many for one document of at most {pass.Options.MaxRecordBytes}; cut text files into pieces"
            );
            yield break;
        }

        pass.Follow(stored);
        try
        {
            using IEnumerator<ReadOnlyMemory<byte>> pieces = TextPieces.Cut(stored, pieceBytes).GetEnumerator();
            for (long number = 0; TryMove(pieces, file); number++)
            {
                if (number >= skip)
                {
                    yield return new TextDocument(pieces.Current, file.Domain, file.Path);
                }
            }
        }
        finally
        {
            pass.Close();
        }
    }

    private bool TryMove(IEnumerator<ReadOnlyMemory<byte>> pieces, CorpusFile file)
    {
        try
        {
            return pieces.MoveNext();
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e))
        {
            pass.Report.AddBrokenFile(file.Path, null, $"cannot be read ({e.Message})");
            return false;
        }
    }
}
