using System.Buffers;
using System.Globalization;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>What the split patterns tell apart.</summary>
internal enum CharacterClass : byte
{
    /// <summary>Anything else: punctuation, symbols, marks, controls, bytes that are not UTF-8.</summary>
    Other,

    /// <summary>\p{L}.</summary>
    Letter,

    /// <summary>\p{N}.</summary>
    Number,

    /// <summary>\s without \r and \n.</summary>
    Blank,

    /// <summary>\r or \n.</summary>
    LineBreak,
}

/// <summary>Reads the class of one code point from UTF-8.</summary>
/// <remarks>
/// Classes are those of whole code points, as in the Rust library: .NET's Regex sees surrogate halves instead and takes
/// letters beyond U+FFFF for symbols.
/// </remarks>
internal static class CharacterClasses
{
    private static readonly CharacterClass[] BasicPlane = BuildBasicPlane();

    /// <summary>Reads the code point at <paramref name="position"/>.</summary>
    /// <param name="text">UTF-8; a byte that does not belong to valid UTF-8 counts as one <see cref="CharacterClass.Other"/>.</param>
    /// <param name="position">Index of a byte inside the text.</param>
    /// <param name="length">Bytes that the code point takes, 1 to 4.</param>
    public static CharacterClass Read(ReadOnlySpan<byte> text, int position, out int length)
    {
        var first = text[position];
        if (first < 0x80)
        {
            length = 1;
            return BasicPlane[first];
        }

        return ReadMultiByte(text[position..], out length);
    }

    private static CharacterClass ReadMultiByte(ReadOnlySpan<byte> text, out int length)
    {
        if (Rune.DecodeFromUtf8(text, out var rune, out length) != OperationStatus.Done)
        {
            // One byte at a time, however many the decoder would skip: the cuts then depend on nothing but the bytes.
            length = 1;
            return CharacterClass.Other;
        }

        if (rune.IsBmp)
        {
            return BasicPlane[rune.Value];
        }

        return Of(CharUnicodeInfo.GetUnicodeCategory(rune.Value));
    }

    private static CharacterClass[] BuildBasicPlane()
    {
        var classes = new CharacterClass[0x10000];
        for (var c = 0; c < classes.Length; c++)
        {
            classes[c] = (char)c switch
            {
                '\r' or '\n' => CharacterClass.LineBreak,
                var blank when char.IsWhiteSpace(blank) => CharacterClass.Blank,
                var other => Of(CharUnicodeInfo.GetUnicodeCategory(other)),
            };
        }

        return classes;
    }

    private static CharacterClass Of(UnicodeCategory category) =>
        category switch
        {
            >= UnicodeCategory.UppercaseLetter and <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
            >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber => CharacterClass.Number,
            _ => CharacterClass.Other,
        };
}
