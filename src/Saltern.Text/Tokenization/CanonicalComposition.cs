using System.Buffers;
using System.IO.Compression;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>Unicode's normalisation form C (UAX #15) over UTF-8.</summary>
/// <remarks>
/// Own code, because string.Normalize returns its input unchanged where .NET runs without ICU (InvariantGlobalization, as this
/// program does), and ids must not depend on that.
/// </remarks>
internal static class CanonicalComposition
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

    private static readonly Dictionary<int, int> CombiningClasses = [];

    static CanonicalComposition() => Unpack();

    /// <summary>A quick yes: code points below U+0300 neither change nor combine.</summary>
    public static bool IsSurelyComposed(ReadOnlySpan<byte> text) => text.IndexOfAnyInRange((byte)0xCC, (byte)0xFF) < 0;

    /// <summary>The text in form C; bytes that are not UTF-8 stay, and nothing combines across them.</summary>
    public static byte[] Compose(ReadOnlySpan<byte> text)
    {
        var output = new ArrayBufferWriter<byte>(text.Length);
        var points = new List<int>();
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(text, out var rune, out var length) == OperationStatus.Done)
            {
                Decompose(rune.Value, points);
                text = text[length..];
            }
            else
            {
                Flush(points, output);
                output.Write(text[..1]);
                text = text[1..];
            }
        }

        Flush(points, output);
        return output.WrittenSpan.ToArray();
    }

    private static void Decompose(int point, List<int> points)
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
            Decompose(parts.First, points);
            if (parts.Second != 0)
            {
                Decompose(parts.Second, points);
            }
        }
        else
        {
            points.Add(point);
        }
    }

    private static void Flush(List<int> points, ArrayBufferWriter<byte> output)
    {
        OrderMarks(points);
        ComposeInPlace(points);
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
        using var packed = new MemoryStream(Convert.FromBase64String(CanonicalCompositionData.Packed));
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
            CombiningClasses.Add(point, reader.Read7BitEncodedInt());
        }
    }
}
