using System.Text;

namespace Saltern.Corpora;

/// <summary>Hashes of a text's words. A word is a run of letters and digits, in lower case; all between them is the same.</summary>
internal static class WordHashes
{
    // FNV-1a, by character.
    private const ulong Offset = 14_695_981_039_346_656_037;
    private const ulong Prime = 1_099_511_628_211;

    /// <summary>The words' hashes, 64 bits each, in order.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="splitsUnspaced">Whether each character of a script that is written without blanks is a word of its own.</param>
    public static List<ulong> Of(ReadOnlySpan<byte> utf8, bool splitsUnspaced = false)
    {
        List<ulong> words = [];
        ulong word = 0;
        bool inside = false;
        ReadOnlySpan<byte> left = utf8;
        while (!left.IsEmpty)
        {
            Rune.DecodeFromUtf8(left, out Rune rune, out int length);
            left = left[length..];
            bool isWord = Rune.IsLetterOrDigit(rune);
            bool standsAlone = isWord && splitsUnspaced && IsUnspaced(rune.Value);
            if (inside && (!isWord || standsAlone))
            {
                words.Add(Mix(word));
                inside = false;
            }

            if (isWord)
            {
                word = ((inside ? word : Offset) ^ (uint)Rune.ToLowerInvariant(rune).Value) * Prime;
                inside = !standsAlone;
            }

            if (standsAlone)
            {
                words.Add(Mix(word));
            }
        }

        if (inside)
        {
            words.Add(Mix(word));
        }

        return words;
    }

    /// <summary>The last steps of SplitMix64: every bit depends on every bit.</summary>
    public static ulong Mix(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    // Thai, Lao, Tibetan, Burmese and Khmer; Japanese kana; Chinese characters.
    private static bool IsUnspaced(int value) =>
        value
            is (>= 0x0E00 and <= 0x0FFF)
                or (>= 0x1000 and <= 0x109F)
                or (>= 0x1780 and <= 0x17FF)
                or (>= 0x3040 and <= 0x30FF)
                or (>= 0x3400 and <= 0x9FFF)
                or (>= 0xF900 and <= 0xFAFF)
                or (>= 0x20000 and <= 0x3FFFF);
}
