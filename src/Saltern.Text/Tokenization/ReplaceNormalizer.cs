using System.Buffers;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>"Replace" by a "String": every occurrence, from the left.</summary>
internal sealed class ReplaceNormalizer(string pattern, string content) : TextNormalizer
{
    private readonly byte[] _pattern = Encoding.UTF8.GetBytes(pattern);
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    /// <summary>What is looked for; never empty.</summary>
    public string Pattern => pattern;

    /// <summary>What takes its place.</summary>
    public string Content => content;

    /// <inheritdoc/>
    public override string Identity => $"Replace\n{pattern}\n{content}";

    /// <summary>Notes what a replacement does to the start of a text: what is put there counts as the last character that it replaces.</summary>
    internal static void Replaces(string found, string content, ref PiecePosition position)
    {
        if (content.Length == 0 || found.EnumerateRunes().Count() > 1)
        {
            LoseStart(ref position);
        }
    }

    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        var next = text.IndexOf(_pattern);
        if (next < 0)
        {
            return null;
        }

        if (next == 0)
        {
            Replaces(pattern, content, ref position);
        }

        var output = new ArrayBufferWriter<byte>(text.Length + 16);
        while (next >= 0)
        {
            output.Write(text[..next]);
            output.Write(_content);
            text = text[(next + _pattern.Length)..];
            next = text.IndexOf(_pattern);
        }

        output.Write(text);
        return output.WrittenSpan.ToArray();
    }
}

/// <summary>"Replace" by a "Regex".</summary>
internal sealed class RegexReplaceNormalizer(RegexSplitter pattern, string content) : TextNormalizer
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    /// <inheritdoc/>
    public override string Identity => $"Replace regex\n{pattern.Pattern}\n{content}";

    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        var matches = new List<(int Start, int End)>();
        pattern.Matches(text, matches);
        if (matches.Count == 0)
        {
            return null;
        }

        if (matches[0].Start == 0)
        {
            ReplaceNormalizer.Replaces(Encoding.UTF8.GetString(text[..matches[0].End]), content, ref position);
        }

        var output = new ArrayBufferWriter<byte>(text.Length + 16);
        var from = 0;
        foreach (var (start, end) in matches)
        {
            output.Write(text[from..start]);
            output.Write(_content);
            from = end;
        }

        output.Write(text[from..]);
        return output.WrittenSpan.ToArray();
    }
}
