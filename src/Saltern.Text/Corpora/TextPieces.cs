namespace Saltern.Corpora;

/// <summary>Cuts the bytes of a text file into documents, holding no more than one of them.</summary>
internal static class TextPieces
{
    /// <summary>The whole text without a byte order mark, or pieces of about <paramref name="pieceBytes"/> bytes that together are the whole text.</summary>
    /// <remarks>A piece ends after a blank line in its second half, else after a line, else between two characters.</remarks>
    /// <param name="pieceBytes">Bytes of a piece; <see langword="null"/> for the whole file, which the caller has found small enough.</param>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(Stream text, int? pieceBytes)
    {
        // One byte more than a piece: it tells whether a cut falls inside a character.
        byte[] window = new byte[(pieceBytes ?? checked((int)text.Length)) + 1];
        int filled = 0;
        bool isFirst = true;
        while (true)
        {
            int read = text.ReadAtLeast(window.AsSpan(filled), window.Length - filled, throwOnEndOfStream: false);
            filled += read;
            int mark = isFirst && window.AsSpan(0, filled).StartsWith("\uFEFF"u8) ? 3 : 0;
            if (mark > 0)
            {
                filled -= mark;
                window.AsSpan(mark, filled).CopyTo(window);
                filled += text.ReadAtLeast(window.AsSpan(filled), mark, throwOnEndOfStream: false);
            }

            isFirst = false;
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
