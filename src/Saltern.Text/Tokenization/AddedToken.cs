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

/// <summary>Finds added tokens in text: the leftmost, and of those the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<byte> _firstBytes;
    private readonly (byte[] Content, AddedToken Token)[] _tokens;

    /// <summary>Prepares the search; an empty list finds nothing.</summary>
    public AddedTokenMatcher(IEnumerable<AddedToken> tokens)
    {
        _tokens =
        [
            .. tokens
                .Select(token => (Encoding.UTF8.GetBytes(token.Content), token))
                .OrderByDescending(token => token.Item1.Length),
        ];
        _firstBytes = SearchValues.Create([.. _tokens.Select(token => token.Content[0])]);
    }

    /// <summary>Finds the next token.</summary>
    /// <param name="from">Where to begin, in bytes; what lies before counts as neighbour only.</param>
    /// <param name="end">Where the token ends, white space that it takes included.</param>
    /// <param name="id">Id of the token.</param>
    /// <returns>Where the token starts, in bytes; −1 if there is none.</returns>
    public int Find(ReadOnlySpan<byte> text, int from, out int end, out int id)
    {
        var start = from;
        while (start < text.Length)
        {
            var skip = text[start..].IndexOfAny(_firstBytes);
            if (skip < 0)
            {
                break;
            }

            start += skip;
            var (length, token) = LongestAt(text[start..]);
            if (token is not null && (!token.IsSingleWord || StandsAlone(text, start, start + length)))
            {
                end = token.TakesBlanksAfter ? SkipBlanks(text, start + length) : start + length;
                id = token.Id;
                return token.TakesBlanksBefore ? SkipBlanksBack(text, start, from) : start;
            }

            // What was found and does not count is skipped as a whole, as in Hugging Face's library.
            start += Math.Max(length, 1);
        }

        (end, id) = (0, -1);
        return -1;
    }

    private (int Length, AddedToken? Token) LongestAt(ReadOnlySpan<byte> text)
    {
        foreach (var (content, token) in _tokens)
        {
            if (text.StartsWith(content))
            {
                return (content.Length, token);
            }
        }

        return (0, null);
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
