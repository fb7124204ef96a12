namespace Saltern.Tokenization;

/// <summary>Where the tokens of an encoded text end in it: the number of its bytes that must be known before each token is complete.</summary>
/// <remarks>
/// The bytes of byte-level tokens, joined, are the text, so their lengths add up to the ends. A tokenizer that composes characters (NFC) or puts a blank in front changes some
/// bytes; a newline it leaves alone. So a line that was changed ends all its tokens where it ends: never too early, which is what "not a later one" asks for.
/// </remarks>
internal static class TokenEnds
{
    private const byte Newline = (byte)'\n';
    private const byte Blank = (byte)' ';

    /// <summary>Appends the end of each token.</summary>
    /// <param name="text">The text that was encoded.</param>
    /// <param name="joined">The tokens' bytes, joined.</param>
    /// <param name="lengths">Bytes of each token.</param>
    /// <param name="ends">Receives offsets into <paramref name="text"/>, one past the last byte; they never fall.</param>
    public static void Append(
        ReadOnlySpan<byte> text,
        ReadOnlySpan<byte> joined,
        ReadOnlySpan<int> lengths,
        List<int> ends
    )
    {
        bool blankInFront = Blanks(joined) == Blanks(text) + 1;
        int before = blankInFront ? 1 : 0;
        int end = -before;
        if (joined[before..].SequenceEqual(text))
        {
            foreach (int length in lengths)
            {
                end += length;
                ends.Add(Math.Max(0, end));
            }

            return;
        }

        joined = joined[before..];
        bool sameLines = joined.Count(Newline) == text.Count(Newline);
        Line line = sameLines ? Line.First(text, joined) : new Line(0, text.Length, 0, joined.Length, Changed: true);
        foreach (int length in lengths)
        {
            end += length;
            while (end > line.JoinedEnd)
            {
                line = line.Next(text, joined);
            }

            ends.Add(EndIn(line, end));
        }
    }

    private static int Blanks(ReadOnlySpan<byte> bytes)
    {
        int count = bytes.IndexOfAnyExcept(Blank);
        return count < 0 ? bytes.Length : count;
    }

    private static int EndIn(Line line, int joinedEnd)
    {
        if (joinedEnd <= 0)
        {
            return 0;
        }

        return line.Changed ? line.End : line.Start + (joinedEnd - line.JoinedStart);
    }

    // The same line in the text and in the joined tokens, its newline included.
    private readonly record struct Line(int Start, int End, int JoinedStart, int JoinedEnd, bool Changed)
    {
        public static Line First(ReadOnlySpan<byte> text, ReadOnlySpan<byte> joined) => From(0, 0, text, joined);

        public Line Next(ReadOnlySpan<byte> text, ReadOnlySpan<byte> joined) => From(End, JoinedEnd, text, joined);

        private static Line From(int start, int joinedStart, ReadOnlySpan<byte> text, ReadOnlySpan<byte> joined)
        {
            int end = EndOf(text, start);
            int joinedEnd = EndOf(joined, joinedStart);
            return new Line(
                start,
                end,
                joinedStart,
                joinedEnd,
                !text[start..end].SequenceEqual(joined[joinedStart..joinedEnd])
            );
        }

        private static int EndOf(ReadOnlySpan<byte> bytes, int start)
        {
            if (bytes[start..].IndexOf(Newline) is >= 0 and int at)
            {
                return start + at + 1;
            }

            return bytes.Length;
        }
    }
}
