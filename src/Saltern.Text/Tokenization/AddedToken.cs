using System.Buffers;
using System.Globalization;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>A token that no merge makes: it is found in the text as a whole, before anything is cut.</summary>
/// <param name="IsSpecial">Control token, found only where the caller allows special tokens; others are always found.</param>
/// <param name="IsNormalized">Whether it is looked for after normalisation rather than before.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized)
{
    /// <summary>Whether it is found only where no letter, digit, mark or underscore stands on either side.</summary>
    public bool IsSingleWord { get; init; }

    /// <summary>Whether white space in front of it becomes part of it.</summary>
    public bool TakesBlanksBefore { get; init; }

    /// <summary>Whether white space behind it becomes part of it.</summary>
    public bool TakesBlanksAfter { get; init; }

    /// <summary>Whether it is found just as it is spelled, wherever it stands.</summary>
    public bool IsPlain => !IsSingleWord && !TakesBlanksBefore && !TakesBlanksAfter;
}

/// <summary>An added token in a text.</summary>
/// <param name="Start">Where it begins, in bytes, white space that it takes included.</param>
/// <param name="SpellingEnd">Where its spelling ends.</param>
/// <param name="End">Where it ends, white space that it takes included.</param>
internal readonly record struct FoundToken(int Id, int Start, int SpellingEnd, int End);

/// <summary>Finds added tokens in text: the leftmost, and of those the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<byte> _firstBytes;
    private readonly ByteTrie _spellings = new();
    private readonly List<AddedToken> _tokens = [];

    /// <summary>Prepares the search; an empty list finds nothing.</summary>
    /// <param name="tokens">The tokens with the bytes that stand for each in the text; of equal bytes the first token holds.</param>
    public AddedTokenMatcher(IEnumerable<(AddedToken Token, byte[] Spelling)> tokens)
    {
        var first = new List<byte>();
        foreach (var (token, spelling) in tokens)
        {
            // Normalisation can leave nothing of a token; nothing is then found nowhere.
            if (spelling.Length > 0 && _spellings.Find(spelling) < 0)
            {
                _spellings.Set(spelling, _tokens.Count);
                _tokens.Add(token);
                first.Add(spelling[0]);
            }
        }

        _firstBytes = SearchValues.Create([.. first]);
    }

    /// <summary>Finds the next token.</summary>
    /// <param name="search">Where to begin, in bytes.</param>
    /// <param name="from">What lies before is taken: a token cannot take its white space.</param>
    public FoundToken? Find(ReadOnlySpan<byte> text, int search, int from)
    {
        var start = search;
        while (start < text.Length)
        {
            var skip = text[start..].IndexOfAny(_firstBytes);
            if (skip < 0)
            {
                break;
            }

            start += skip;
            var (length, index) = _spellings.LongestAt(text[start..]);
            if (index >= 0)
            {
                var token = _tokens[index];
                var end = start + length;
                if (!token.IsSingleWord || StandsAlone(text, start, end))
                {
                    return new FoundToken(
                        token.Id,
                        token.TakesBlanksBefore && start > from ? SkipBlanksBack(text, start, from) : start,
                        end,
                        token.TakesBlanksAfter ? SkipBlanks(text, end) : end
                    );
                }
            }

            // What was found and does not count is skipped as a whole, as in Hugging Face's library.
            start += Math.Max(length, 1);
        }

        return null;
    }

    private static bool StandsAlone(ReadOnlySpan<byte> text, int start, int end) =>
        (Rune.DecodeLastFromUtf8(text[..start], out var before, out _) != OperationStatus.Done || !IsWord(before))
        && (Rune.DecodeFromUtf8(text[end..], out var after, out _) != OperationStatus.Done || !IsWord(after));

    /// <summary>Unicode's \w (UTS #18, annex C): letters, marks, decimal digits, letter numbers, connectors, circled letters and the two joiners.</summary>
    private static bool IsWord(Rune rune) =>
        Rune.GetUnicodeCategory(rune) switch
        {
            <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
            _ => rune.Value
                is 0x200C
                    or 0x200D
                    or (>= 0x24B6 and <= 0x24E9)
                    or (>= 0x1F130 and <= 0x1F149)
                    or (>= 0x1F150 and <= 0x1F169)
                    or (>= 0x1F170 and <= 0x1F189),
        };

    private static int SkipBlanks(ReadOnlySpan<byte> text, int position)
    {
        while (
            Rune.DecodeFromUtf8(text[position..], out var rune, out var length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune)
        )
        {
            position += length;
        }

        return position;
    }

    private static int SkipBlanksBack(ReadOnlySpan<byte> text, int position, int from)
    {
        while (
            position > from
            && Rune.DecodeLastFromUtf8(text[from..position], out var rune, out var length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune)
        )
        {
            position -= length;
        }

        return position;
    }
}
