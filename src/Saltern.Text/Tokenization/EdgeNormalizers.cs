using System.Buffers;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>"Prepend": puts a text in front of every stretch that is not empty.</summary>
internal sealed class PrependNormalizer(string content) : TextNormalizer
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    /// <summary>What is put in front.</summary>
    public string Content => content;

    /// <inheritdoc/>
    public override string Identity => $"Prepend\n{content}";

    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        if (text.IsEmpty || position == PiecePosition.Continuation)
        {
            return null;
        }

        return [.. _content, .. text];
    }
}

/// <summary>"Strip": takes white space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    /// <inheritdoc/>
    public override string Identity => $"Strip {left} {right}";

    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        var (start, end) = (0, text.Length);
        while (left && IsBlank(Rune.DecodeFromUtf8(text[start..end], out var rune, out var length), rune))
        {
            start += length;
        }

        while (right && IsBlank(Rune.DecodeLastFromUtf8(text[start..end], out var rune, out var length), rune))
        {
            end -= length;
        }

        if (end - start == text.Length)
        {
            return null;
        }

        if (start > 0)
        {
            LoseStart(ref position);
        }

        return text[start..end].ToArray();
    }

    private static bool IsBlank(OperationStatus status, Rune rune) =>
        status == OperationStatus.Done && Rune.IsWhiteSpace(rune);
}
