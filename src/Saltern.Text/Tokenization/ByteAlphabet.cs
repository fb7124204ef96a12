using System.Text;

namespace Saltern.Tokenization;

/// <summary>The printable spelling of bytes in tokenizer.json: one character a byte, GPT-2's "bytes to unicode" table.</summary>
/// <remarks>
/// Printable Latin-1 characters stand for themselves; the other 68 bytes, in order, take U+0100 and up. A space is thus "Ġ".
/// </remarks>
internal static class ByteAlphabet
{
    private const int FirstStandIn = 0x100;

    private static readonly char[] Characters = BuildCharacters();

    private static readonly short[] Bytes = BuildBytes();

    /// <summary>Spells bytes as characters of the alphabet.</summary>
    public static string Spell(ReadOnlySpan<byte> bytes)
    {
        var spelling = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            spelling[i] = Characters[bytes[i]];
        }

        return new string(spelling);
    }

    /// <summary>Reads a spelling back.</summary>
    /// <returns>The bytes; null where a character is not one of the 256.</returns>
    public static byte[]? Read(string spelling)
    {
        var bytes = new byte[spelling.Length];
        for (var i = 0; i < spelling.Length; i++)
        {
            var value = spelling[i] < Bytes.Length ? Bytes[spelling[i]] : (short)-1;
            if (value < 0)
            {
                return null;
            }

            bytes[i] = (byte)value;
        }

        return bytes;
    }

    /// <summary>Spells bytes, as UTF-8.</summary>
    public static byte[] SpellUtf8(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetBytes(Spell(bytes));

    /// <summary>Reads back what <see cref="SpellUtf8"/> spelled.</summary>
    public static byte[] ReadUtf8(ReadOnlySpan<byte> spelling) => Read(Encoding.UTF8.GetString(spelling))!;

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        var next = FirstStandIn;
        for (var b = 0; b < characters.Length; b++)
        {
            var isPrintable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[b] = isPrintable ? (char)b : (char)next++;
        }

        return characters;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var b = 0; b < Characters.Length; b++)
        {
            bytes[Characters[b]] = (short)b;
        }

        return bytes;
    }
}
