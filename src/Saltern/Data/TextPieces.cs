namespace Saltern.Data;

/// <summary>Cuts the bytes of a text file into documents.</summary>
internal static class TextPieces
{
    /// <summary>The whole text without a byte order mark, or pieces of about <paramref name="pieceBytes"/> bytes that together are the whole text.</summary>
    /// <remarks>A piece ends after a blank line in its second half, else after a line, else between two characters.</remarks>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(byte[] bytes, int? pieceBytes)
    {
        ReadOnlyMemory<byte> rest = bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsMemory(3) : bytes;
        while (pieceBytes is { } limit && rest.Length > limit)
        {
            int length = PieceLength(rest.Span[..limit], rest.Span[limit]);
            yield return rest[..length];
            rest = rest[length..];
        }

        yield return rest;
    }

    private static int PieceLength(ReadOnlySpan<byte> window, byte next)
    {
        int half = window.Length / 2;
        foreach (ReadOnlySpan<byte> end in (ReadOnlySpan<byte[]>)[[.. "\n\n"u8], [.. "\n\r\n"u8], [.. "\n"u8]])
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
