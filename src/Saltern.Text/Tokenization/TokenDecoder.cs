using System.Globalization;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>How entries spelled as text become text again: the "decoder" of a SentencePiece model's tokenizer.json.</summary>
internal sealed record TokenDecoder
{
    /// <summary>Spellings are the text.</summary>
    public static TokenDecoder Plain { get; } = new();

    /// <summary>What is replaced in each spelling, in order: the sign by a blank.</summary>
    public IReadOnlyList<(string Pattern, string Content)> Replacements { get; init; } = [];

    /// <summary>The character that is taken off the front of a whole text, and how often at most.</summary>
    public (string Character, int Most) Strip { get; init; } = ("", 0);

    /// <summary>The sign that vanishes from the first token of a text; null for none.</summary>
    public string? FirstTokenSign { get; init; }

    /// <summary>The byte whose entry is so spelled (&lt;0x0A&gt;); null for other spellings.</summary>
    public static byte? ByteOf(string spelling)
    {
        if (
            spelling is ['<', '0', 'x', _, _, '>']
            && byte.TryParse(
                spelling.AsSpan(3, 2),
                NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture,
                out var value
            )
            && spelling == CharacterSymbols.ByteName(value)
        )
        {
            return value;
        }

        return null;
    }

    /// <summary>The bytes of text that an entry stands for.</summary>
    public byte[] Bytes(string spelling)
    {
        foreach (var (pattern, content) in Replacements)
        {
            spelling = spelling.Replace(pattern, content, StringComparison.Ordinal);
        }

        return Encoding.UTF8.GetBytes(spelling);
    }

    /// <summary>Takes off the front of a text what the tokenizer had put there.</summary>
    /// <param name="text">The tokens' bytes, joined.</param>
    /// <param name="first">Spelling of the first token, and how many bytes it stands for; null where it is an added one.</param>
    public ReadOnlySpan<byte> WithoutFront(ReadOnlySpan<byte> text, (string Spelling, int Length)? first)
    {
        if (FirstTokenSign is { } sign && first is { } token && token.Spelling.Contains(sign, StringComparison.Ordinal))
        {
            byte[] kept = Bytes(token.Spelling.Replace(sign, "", StringComparison.Ordinal));
            return (byte[])[.. kept, .. text[token.Length..]];
        }

        var character = Encoding.UTF8.GetBytes(Strip.Character);
        for (var i = 0; i < Strip.Most && text.StartsWith(character); i++)
        {
            text = text[character.Length..];
        }

        return text;
    }
}
