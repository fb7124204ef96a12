// Every document that a later run relies on has a checksum of its own, JSON at its end and a recipe in its first line:
// without it a flipped digit would be as good as the right one.
using System.Security.Cryptography;
using System.Text;

namespace Saltern.Files;

/// <summary>Documents that hold the SHA-256 of themselves.</summary>
/// <remarks>
/// A JSON object ends in <c>"checksum": "sha256:…"</c>, 64 lower-case hexadecimal digits; the hash is that of all bytes of the file with zeros in place of the digits. A resolved recipe, which
/// would still be a recipe if its end were cut off, begins with a comment that holds the hash of all that follows. Files without a checksum, of earlier versions or written by hand, are read as they are.
/// </remarks>
internal static class SelfChecksum
{
    private const int Digits = 64;

    // A flip changes one byte, a burst a few; a file that never had a checksum differs nearly everywhere:
    // one in this many of the bytes around it is taken for damage.
    private const int DamagedShare = 5;

    private static ReadOnlySpan<byte> Before => ",\n  \"checksum\": \"sha256:"u8;

    private static ReadOnlySpan<byte> After => "\"\n}\n"u8;

    private static ReadOnlySpan<byte> LineBefore => "# written by a run; sha256 of what follows: "u8;

    private static int TailLength => Before.Length + Digits + After.Length;

    /// <summary>Adds the member to an object.</summary>
    /// <param name="json">Text of a JSON object with at least one member.</param>
    /// <returns>The text with the member, ended by a line feed.</returns>
    public static string Add(string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        string body = json.TrimEnd()[..^1].TrimEnd();
        string before = body + Encoding.UTF8.GetString(Before);
        string after = Encoding.UTF8.GetString(After);
        return before + Hash(before + new string('0', Digits) + after) + after;
    }

    /// <summary>Puts a comment line in front of YAML; an older one is replaced.</summary>
    /// <param name="yaml">Text of a recipe.</param>
    public static string AddLine(string yaml)
    {
        ArgumentNullException.ThrowIfNull(yaml);
        string before = Encoding.UTF8.GetString(LineBefore);
        string body = yaml;
        if (yaml.StartsWith(before, StringComparison.Ordinal))
        {
            body = yaml[(yaml.IndexOf('\n', StringComparison.Ordinal) + 1)..];
        }

        return $"{before}{Hash(body)}\n{body}";
    }

    /// <summary>What is wrong with YAML by the checksum in its first line; null where nothing is, or where it has none.</summary>
    /// <param name="file">All bytes of the file.</param>
    /// <returns>The end of a sentence that begins with the file's name.</returns>
    public static string? LineProblem(ReadOnlySpan<byte> file)
    {
        int body = LineBefore.Length + Digits + 1;
        int known = Math.Min(file.Length, LineBefore.Length);
        if (known == 0 || Differing(file[..known], LineBefore[..known]) * DamagedShare > known)
        {
            return null;
        }

        if (file.Length < body || Differing(file[..LineBefore.Length], LineBefore) > 0 || file[body - 1] != (byte)'\n')
        {
            return "is damaged: the checksum in its first line is not whole";
        }

        string found = Convert.ToHexStringLower(SHA256.HashData(file[body..]));
        string expected = Encoding.ASCII.GetString(file.Slice(LineBefore.Length, Digits));
        if (found == expected)
        {
            return null;
        }

        return $"has SHA-256 {found} below its first line, which says {expected}: it was changed or is damaged";
    }

    /// <summary>What is wrong with a JSON file by its own checksum; null where nothing is, or where it has none.</summary>
    /// <param name="file">All bytes of the file.</param>
    /// <returns>The end of a sentence that begins with the file's name.</returns>
    public static string? Problem(ReadOnlySpan<byte> file)
    {
        int from = file.Length - TailLength;
        int digits = from + Before.Length;
        int differing = int.MaxValue;
        if (from >= 0)
        {
            differing =
                Differing(file.Slice(from, Before.Length), Before) + Differing(file[(digits + Digits)..], After);
        }

        if (differing > 0)
        {
            // Its own bytes are damaged, or it is not where it belongs: the file was cut by a byte, or has grown.
            bool isThere =
                differing <= (Before.Length + After.Length) / DamagedShare
                || file[Math.Max(0, from - TailLength)..].IndexOf(Before[2..]) >= 0;
            return isThere ? "is damaged: the checksum at its end is not whole" : null;
        }

        byte[] zeros = file.ToArray();
        zeros.AsSpan(digits, Digits).Fill((byte)'0');
        string found = Convert.ToHexStringLower(SHA256.HashData(zeros));
        string expected = Encoding.ASCII.GetString(file.Slice(digits, Digits));
        if (found == expected)
        {
            return null;
        }

        return $"has SHA-256 {found}, expected {expected} as it says at its end: it was changed or is damaged";
    }

    /// <summary>Makes sure that a file agrees with its own checksum, where it has one.</summary>
    /// <param name="file">All bytes of the file.</param>
    /// <param name="path">Its path, for the error.</param>
    /// <param name="remedy">What to do, a sentence.</param>
    /// <exception cref="DataFormatException">It does not.</exception>
    public static void Require(ReadOnlySpan<byte> file, string path, string remedy)
    {
        if (Problem(file) is string problem)
        {
            throw new DataFormatException($"'{path}' {problem}. {remedy}");
        }
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static int Differing(ReadOnlySpan<byte> found, ReadOnlySpan<byte> expected)
    {
        int count = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (found[i] != expected[i])
            {
                count++;
            }
        }

        return count;
    }
}
