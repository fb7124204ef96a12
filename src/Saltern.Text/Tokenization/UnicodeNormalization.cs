using System.Buffers;
using System.IO.Compression;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>Unicode's normalisation forms (UAX #15).</summary>
internal enum UnicodeForm
{
    /// <summary>Canonically decomposed, then composed.</summary>
    NFC,

    /// <summary>Canonically decomposed.</summary>
    NFD,

    /// <summary>Decomposed, compatibility mappings included, then composed.</summary>
    NFKC,

    /// <summary>Decomposed, compatibility mappings included.</summary>
    NFKD,
}

/// <summary>Brings UTF-8 into a normalisation form, by the data of Unicode 9.0 as Hugging Face's library has them.</summary>
/// <remarks>
/// Own code, because string.Normalize returns its input unchanged where .NET runs without ICU (InvariantGlobalization, as this
/// program does), because it knows characters that the library does not, and ids must depend on neither.
/// </remarks>
internal static class UnicodeNormalization
{
    // Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
    private const int SyllableBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TailBase = 0x11A7;
    private const int LeadCount = 19;
    private const int VowelCount = 21;
    private const int TailCount = 28;
    private const int SyllableCount = LeadCount * VowelCount * TailCount;

    private static readonly Dictionary<int, (int First, int Second)> Decompositions = [];

    private static readonly Dictionary<(int First, int Second), int> Compositions = [];

    private static readonly Dictionary<int, int[]> CompatibilityMappings = [];

    private static readonly Dictionary<int, int> CombiningClasses = [];

    private static readonly HashSet<int> Marks = [];

    static UnicodeNormalization() => Unpack();

    /// <summary>Whether the code point is a mark (category M).</summary>
    public static bool IsMark(int point) => Marks.Contains(point);

    /// <summary>A quick yes: ASCII never changes, and below U+0300 nothing changes in form C.</summary>
    public static bool IsSurely(UnicodeForm form, ReadOnlySpan<byte> text) =>
        text.IndexOfAnyInRange(form == UnicodeForm.NFC ? (byte)0xCC : (byte)0x80, (byte)0xFF) < 0;

    /// <summary>The text in a form; bytes that are not UTF-8 stay, and nothing combines across them.</summary>
    public static byte[] Normalize(UnicodeForm form, ReadOnlySpan<byte> text)
    {
        var output = new ArrayBufferWriter<byte>(text.Length);
        var points = new List<int>();
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(text, out var rune, out var length) == OperationStatus.Done)
            {
                Decompose(rune.Value, form is UnicodeForm.NFKC or UnicodeForm.NFKD, points);
                text = text[length..];
            }
            else
            {
                Flush(form, points, output);
                output.Write(text[..1]);
                text = text[1..];
            }
        }

        Flush(form, points, output);
        return output.WrittenSpan.ToArray();
    }

    private static void Decompose(int point, bool isCompatible, List<int> points)
    {
        var syllable = point - SyllableBase;
        if (syllable is >= 0 and < SyllableCount)
        {
            points.Add(LeadBase + (syllable / (VowelCount * TailCount)));
            points.Add(VowelBase + (syllable / TailCount % VowelCount));
            if (syllable % TailCount > 0)
            {
                points.Add(TailBase + (syllable % TailCount));
            }
        }
        else if (Decompositions.TryGetValue(point, out var parts))
        {
            Decompose(parts.First, isCompatible, points);
            if (parts.Second != 0)
            {
                Decompose(parts.Second, isCompatible, points);
            }
        }
        else if (isCompatible && CompatibilityMappings.TryGetValue(point, out var mapped))
        {
            foreach (var part in mapped)
            {
                Decompose(part, isCompatible, points);
            }
        }
        else
        {
            points.Add(point);
        }
    }

    private static void Flush(UnicodeForm form, List<int> points, ArrayBufferWriter<byte> output)
    {
        OrderMarks(points);
        if (form is UnicodeForm.NFC or UnicodeForm.NFKC)
        {
            ComposeInPlace(points);
        }

        foreach (var point in points)
        {
            output.Advance(new Rune(point).EncodeToUtf8(output.GetSpan(4)));
        }

        points.Clear();
    }

    /// <summary>Sorts each run of marks by class, marks of one class keeping their order.</summary>
    private static void OrderMarks(List<int> points)
    {
        for (var start = 0; start < points.Count; start++)
        {
            var end = start;
            while (end < points.Count && Class(points[end]) > 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                var sorted = points.GetRange(start, end - start).OrderBy(Class).ToList(); // a stable sort
                for (var i = 0; i < sorted.Count; i++)
                {
                    points[start + i] = sorted[i];
                }
            }

            start = end;
        }
    }

    private static void ComposeInPlace(List<int> points)
    {
        var (starter, length, lastClass) = (-1, 0, 0);
        for (var i = 0; i < points.Count; i++)
        {
            var point = points[i];
            var kind = Class(point);

            // A mark combines unless one of its own class, or a starter, stands between it and the starter.
            var isBlocked = starter != length - 1 && (lastClass >= kind || kind == 0);
            if (starter >= 0 && !isBlocked && TryCompose(points[starter], point, out var composed))
            {
                points[starter] = composed;
                continue;
            }

            if (kind == 0)
            {
                starter = length;
            }

            lastClass = kind;
            points[length++] = point;
        }

        points.RemoveRange(length, points.Count - length);
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        var (lead, vowel, syllable, tail) = (
            first - LeadBase,
            second - VowelBase,
            first - SyllableBase,
            second - TailBase
        );
        if (lead is >= 0 and < LeadCount && vowel is >= 0 and < VowelCount)
        {
            composed = SyllableBase + (((lead * VowelCount) + vowel) * TailCount);
            return true;
        }

        if (syllable is >= 0 and < SyllableCount && syllable % TailCount == 0 && tail is > 0 and < TailCount)
        {
            composed = first + tail;
            return true;
        }

        return Compositions.TryGetValue((first, second), out composed);
    }

    private static int Class(int point) => CombiningClasses.GetValueOrDefault(point);

    private static void Unpack()
    {
        using var packed = new MemoryStream(Convert.FromBase64String(UnicodeNormalizationData.Packed));
        using var reader = new BinaryReader(new DeflateStream(packed, CompressionMode.Decompress));
        var point = 0;
        for (var count = reader.Read7BitEncodedInt(); count > 0; count--)
        {
            var step = reader.Read7BitEncodedInt();
            point += step >> 1;
            var parts = (reader.Read7BitEncodedInt(), reader.Read7BitEncodedInt());
            Decompositions.Add(point, parts);
            if ((step & 1) == 1)
            {
                Compositions.Add(parts, point);
            }
        }

        point = 0;
        for (var count = reader.Read7BitEncodedInt(); count > 0; count--)
        {
            point += reader.Read7BitEncodedInt();
            var parts = new int[reader.Read7BitEncodedInt()];
            for (var i = 0; i < parts.Length; i++)
            {
                parts[i] = reader.Read7BitEncodedInt();
            }

            CompatibilityMappings.Add(point, parts);
        }

        point = 0;
        for (var count = reader.Read7BitEncodedInt(); count > 0; count--)
        {
            point += reader.Read7BitEncodedInt();
            CombiningClasses.Add(point, reader.Read7BitEncodedInt());
        }

        point = 0;
        for (var count = reader.Read7BitEncodedInt(); count > 0; count--)
        {
            point += reader.Read7BitEncodedInt();
            Marks.Add(point);
        }
    }
}
