namespace Saltern.Corpora;

/// <summary>Cuts the bytes of a text file into documents, holding no more than one of them.</summary>
internal static class TextPieces
{
    /// <summary>The whole text, or pieces of about <paramref name="pieceBytes"/> bytes that together are the whole text.</summary>
    /// <remarks>A piece ends after a blank line in its second half, else after a line, else between two characters.</remarks>
    /// <param name="pieceBytes">Bytes of a piece; <see langword="null"/> for the whole file.</param>
    /// <param name="maxBytes">Most bytes of a whole file.</param>
    /// <exception cref="UnreadableFileException">It has more.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(Stream text, int? pieceBytes, int maxBytes)
    {
        if (pieceBytes is null)
        {
            yield return Whole(text, maxBytes);
            yield break;
        }

        // One byte more than a piece: it tells whether a cut falls inside a character.
        byte[] window = new byte[pieceBytes.Value + 1];
        int filled = 0;
        while (true)
        {
            int read = text.ReadAtLeast(window.AsSpan(filled), window.Length - filled, throwOnEndOfStream: false);
            filled += read;
            if (filled < window.Length)
            {
                yield return window.AsMemory(0, filled).ToArray();
                yield break;
            }

            int length = PieceLength(window.AsSpan(0, window.Length - 1), window[^1]);
            yield return window.AsMemory(0, length).ToArray();
            window.AsSpan(length).CopyTo(window);
            filled -= length;
        }
    }

    private static byte[] Whole(Stream text, int maxBytes)
    {
        var whole = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        while (text.Read(buffer) is > 0 and int read)
        {
            whole.Write(buffer, 0, read);
            if (whole.Length > maxBytes)
            {
                throw new UnreadableFileException(
                    $"has more than {maxBytes} bytes, too many for one document; cut text files into pieces"
                );
            }
        }

        return whole.ToArray();
    }

    private static int PieceLength(ReadOnlySpan<byte> window, byte next)
    {
        int half = window.Length / 2;
        foreach (
            ReadOnlySpan<byte> end in (ReadOnlySpan<byte[]>)
                [
                    [.. "\n\n"u8],
                    [.. "\n\r\n"u8],
                    [.. "\n"u8],
                ]
        )
        {
            int at = window[half..].LastIndexOf(end);
            if (at >= 0)
            {
                return half + at + end.Length;
            }
        }

        // Continuation bytes are 10xxxxxx; at most three of them follow the first byte of a character.
        int length = window.Length;
        for (int back = 0; back < 3 && (next & 0xC0) == 0x80; back++)
        {
            next = window[--length];
        }

        return length;
    }
}
