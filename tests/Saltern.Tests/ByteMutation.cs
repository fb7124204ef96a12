using System.Text;

namespace Saltern.Tests;

/// <summary>Changes a file in one to four places: bits, bytes, pieces left out, put in or said twice, words that formats go wrong with.</summary>
internal static class ByteMutation
{
    // What JSON and its numbers go wrong with.
    private static readonly byte[][] Words =
    [
        .. new[]
        {
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "null",
            "true",
            "0",
            "-1",
            "1e999",
            "1.5",
            "9223372036854775807",
            "18446744073709551616",
            "4294967296",
            "2147483648",
            "[[[[[[[[[[",
            "{\"a\":{\"a\":{\"a\":",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "\\",
            "../",
            "/etc/passwd",
            "__metadata__",
            "\"F32\"",
            "\"dtype\":\"F16\"",
            "{}",
            "[]",
            "\"\"",
            "NaN",
        }.Select(Encoding.UTF8.GetBytes),
        [0],
        [0xFF],
        [0xC0, 0x80],
        [0xED, 0xA0, 0x80],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    ];

    /// <summary>A changed copy.</summary>
    public static byte[] Change(byte[] sample, Random random)
    {
        List<byte> file = [.. sample];
        for (int changes = 1 + random.Next(4); changes > 0; changes--)
        {
            int at = random.Next(file.Count + 1);
            int length = Math.Min(file.Count - at, 1 + random.Next(1 << random.Next(9)));
            switch (random.Next(8))
            {
                case 0 when at < file.Count:
                    file[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < file.Count:
                    file[at] = (byte)random.Next(256);
                    break;
                case 2:
                    file.RemoveRange(at, length);
                    break;
                case 3:
                    file.InsertRange(random.Next(file.Count + 1), file.GetRange(at, length));
                    break;
                case 4:
                    file.InsertRange(at, Words[random.Next(Words.Length)]);
                    break;
                case 5:
                    byte[] word = Words[random.Next(Words.Length)];
                    file.RemoveRange(at, Math.Min(word.Length, file.Count - at));
                    file.InsertRange(at, word);
                    break;
                case 6 when random.Next(4) == 0:
                    file.RemoveRange(at, file.Count - at);
                    break;
                case 7 when file.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9') is var digit and >= 0:
                    file[digit] = (byte)('0' + random.Next(10));
                    break;
                default:
                    break;
            }
        }

        return [.. file];
    }
}
