namespace Saltern.Corpora;

/// <summary>Cuts text at the marks that end texts, which are dropped with one line break on either side.</summary>
internal static class MarkedText
{
    /// <summary>The texts between the marks, without those of white space alone.</summary>
    /// <param name="cut">Told of each mark.</param>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(ReadOnlyMemory<byte> text, SpecialMarks marks, Action cut)
    {
        bool isBehindMark = false;
        while (true)
        {
            int at = marks.FirstEndIn(text.Span, out int length);
            ReadOnlyMemory<byte> part = Trimmed(at < 0 ? text : text[..at], isBehindMark, isBeforeMark: at >= 0);
            if (!part.Span.Trim(" \t\r\n"u8).IsEmpty)
            {
                yield return part;
            }

            if (at < 0)
            {
                yield break;
            }

            cut();
            (text, isBehindMark) = (text[(at + length)..], true);
        }
    }

    /// <summary>The same of a stream, holding one text.</summary>
    /// <param name="maxBytes">Most bytes of a text.</param>
    /// <param name="cut">Told of each mark.</param>
    /// <exception cref="UnreadableFileException">A text is longer.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Cut(Stream stream, SpecialMarks marks, int maxBytes, Action cut)
    {
        byte[] buffer = new byte[1 << 16];
        int filled = 0;
        int searched = 0;
        int longest = marks.Ends.Max(mark => mark.Length);
        bool isBehindMark = false;
        while (true)
        {
            int at = marks.FirstEndIn(buffer.AsSpan(searched, filled - searched), out int length);
            bool ends = false;
            if (at < 0)
            {
                searched = Math.Max(searched, filled - longest + 1);
                buffer = WithRoom(buffer, filled, maxBytes);
                int read = stream.Read(buffer.AsSpan(filled));
                filled += read;
                if (read > 0)
                {
                    continue;
                }

                (ends, at, length) = (true, filled - searched, 0);
            }
            else
            {
                cut();
            }

            at += searched;
            RequireWithin(maxBytes, at);
            ReadOnlyMemory<byte> part = Trimmed(buffer.AsMemory(0, at), isBehindMark, isBeforeMark: !ends);
            if (!part.Span.Trim(" \t\r\n"u8).IsEmpty)
            {
                yield return part.ToArray();
            }

            if (ends)
            {
                yield break;
            }

            buffer.AsSpan(at + length, filled - at - length).CopyTo(buffer);
            (filled, searched, isBehindMark) = (filled - at - length, 0, true);
        }
    }

    private static byte[] WithRoom(byte[] buffer, int filled, int maxBytes)
    {
        if (filled < buffer.Length)
        {
            return buffer;
        }

        RequireWithin(maxBytes, filled);
        Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, Math.Max(maxBytes, buffer.Length + 1L)));
        return buffer;
    }

    private static void RequireWithin(int maxBytes, int length)
    {
        if (length > maxBytes)
        {
            throw new UnreadableFileException(
                $"has a text of more than {maxBytes} bytes between two end-of-text marks"
            );
        }
    }

    private static ReadOnlyMemory<byte> Trimmed(ReadOnlyMemory<byte> text, bool isBehindMark, bool isBeforeMark)
    {
        if (isBehindMark)
        {
            int length = LineBreakAtStart(text.Span);
            text = text[length..];
        }

        if (isBeforeMark && text.Span.EndsWith("\n"u8))
        {
            text = text[..(text.Span.EndsWith("\r\n"u8) ? ^2 : ^1)];
        }

        return text;
    }

    private static int LineBreakAtStart(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("\r\n"u8))
        {
            return 2;
        }

        return text.StartsWith("\n"u8) ? 1 : 0;
    }
}
