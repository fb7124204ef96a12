using System.Text;

namespace Saltern.Corpora;

/// <summary>Special tokens as a text may spell them out.</summary>
internal sealed class SpecialMarks
{
    /// <summary>What most corpora write where a text ends, since GPT-2's.</summary>
    public const string UsualEnd = "<|endoftext|>";

    // By their first two bytes, because they share them and a search for few bytes is fast.
    private readonly ILookup<(byte, byte), byte[]> _byBeginning;

    /// <summary>Takes names.</summary>
    /// <param name="endOfText">The name that ends a text; <c>&lt;|endoftext|&gt;</c> does so too, whatever the tokenizer.</param>
    /// <param name="all">All names, that one included.</param>
    public SpecialMarks(string endOfText, IEnumerable<string> all)
    {
        Ends = [.. new[] { endOfText, UsualEnd }.Distinct().Select(Encoding.UTF8.GetBytes)];
        _byBeginning = all.Append(endOfText)
            .Append(UsualEnd)
            .Distinct()
            .Select(Encoding.UTF8.GetBytes)
            .Where(name => name.Length >= 2)
            .ToLookup(name => (name[0], name[1]));
    }

    /// <summary>Where no tokenizer is known.</summary>
    public static SpecialMarks Usual { get; } = new(UsualEnd, []);

    /// <summary>Marks that end a text, in UTF-8.</summary>
    public IReadOnlyList<byte[]> Ends { get; }

    /// <summary>The first special token that a text spells out; null where there is none.</summary>
    public string? FirstIn(ReadOnlySpan<byte> text)
    {
        foreach (IGrouping<(byte First, byte Second), byte[]> group in _byBeginning)
        {
            ReadOnlySpan<byte> rest = text;
            ReadOnlySpan<byte> beginning = [group.Key.First, group.Key.Second];
            while (rest.IndexOf(beginning) is >= 0 and int at)
            {
                rest = rest[at..];
                foreach (byte[] name in group)
                {
                    if (rest.StartsWith(name))
                    {
                        return Encoding.UTF8.GetString(name);
                    }
                }

                rest = rest[2..];
            }
        }

        return null;
    }

    /// <summary>The first end of text in some bytes, the longest one where two begin alike; -1 where there is none.</summary>
    public int FirstEndIn(ReadOnlySpan<byte> text, out int length)
    {
        (int first, length) = (-1, 0);
        foreach (byte[] mark in Ends)
        {
            int at = text.IndexOf(mark);
            if (at >= 0 && (first < 0 || at < first || (at == first && mark.Length > length)))
            {
                (first, length) = (at, mark.Length);
            }
        }

        return first;
    }

    /// <summary>Whether the beginning of a text file shows that marks end its texts: two of them, or one beside a line break.</summary>
    public bool AreManyIn(ReadOnlySpan<byte> beginning)
    {
        int found = 0;
        while (FirstEndIn(beginning, out int length) is >= 0 and int at)
        {
            ReadOnlySpan<byte> behind = beginning[(at + length)..];
            bool endsLine = behind.Length > 0 && behind[0] is (byte)'\n' or (byte)'\r';
            found++;
            if (endsLine || found > 1)
            {
                return true;
            }

            beginning = behind;
        }

        return false;
    }
}
