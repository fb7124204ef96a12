using System.Buffers;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>A token that no merge makes: it is found in the text as a whole, before anything is cut.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">Control token, found only where the caller allows special tokens; others are always found.</param>
/// <param name="IsNormalized">Whether it is looked for after normalisation rather than before.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized);

/// <summary>Finds added tokens in text: the leftmost, and of those the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<byte> _firstBytes;
    private readonly (byte[] Content, int Id)[] _tokens;

    /// <summary>Prepares the search; an empty list finds nothing.</summary>
    public AddedTokenMatcher(IEnumerable<AddedToken> tokens)
    {
        _tokens = [.. tokens.Select(token => (Encoding.UTF8.GetBytes(token.Content), token.Id)).OrderByDescending(token => token.Item1.Length)];
        _firstBytes = SearchValues.Create([.. _tokens.Select(token => token.Content[0])]);
    }

    /// <summary>Finds the first token.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="length">Bytes of the token found.</param>
    /// <param name="id">Id of the token found.</param>
    /// <returns>Where the token starts, in bytes; −1 if there is none.</returns>
    public int Find(ReadOnlySpan<byte> text, out int length, out int id)
    {
        for (var start = 0; start < text.Length; start++)
        {
            var skip = text[start..].IndexOfAny(_firstBytes);
            if (skip < 0)
            {
                break;
            }

            start += skip;
            foreach (var (content, tokenId) in _tokens)
            {
                if (text[start..].StartsWith(content))
                {
                    (length, id) = (content.Length, tokenId);
                    return start;
                }
            }
        }

        (length, id) = (0, -1);
        return -1;
    }
}
