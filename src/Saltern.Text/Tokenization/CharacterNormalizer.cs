using System.Buffers;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>A normalizer that looks at one character at a time.</summary>
internal abstract class CharacterNormalizer : TextNormalizer
{
    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        ArrayBufferWriter<byte>? output = null;
        var from = 0;
        var at = 0;
        while (at < text.Length)
        {
            if (
                Rune.DecodeFromUtf8(text[at..], out var rune, out var length) == OperationStatus.Done
                && Map(rune) is { } mapped
            )
            {
                output ??= new ArrayBufferWriter<byte>(text.Length + 16);
                output.Write(text[from..at]);
                output.Write(Encoding.UTF8.GetBytes(mapped));
                from = at + length;
                if (at == 0 && mapped.Length == 0)
                {
                    LoseStart(ref position);
                }
            }

            at += length;
        }

        output?.Write(text[from..]);
        return output?.WrittenSpan.ToArray();
    }

    /// <summary>What a character becomes; null where it stays.</summary>
    protected abstract string? Map(Rune rune);
}

/// <summary>"Lowercase".</summary>
internal sealed class LowercaseNormalizer : CharacterNormalizer
{
    private const int CapitalIWithDot = 0x130;

    /// <inheritdoc/>
    public override string Identity => "Lowercase";

    /// <inheritdoc/>
    protected override string? Map(Rune rune)
    {
        // The one character whose lower case, whatever stands around it, is two.
        if (rune.Value == CapitalIWithDot)
        {
            return "i\u0307";
        }

        var lower = Rune.ToLowerInvariant(rune);
        return lower == rune ? null : lower.ToString();
    }
}

/// <summary>"StripAccents": takes marks out.</summary>
internal sealed class StripAccentsNormalizer : CharacterNormalizer
{
    /// <inheritdoc/>
    public override string Identity => "StripAccents";

    /// <inheritdoc/>
    protected override string? Map(Rune rune) => !rune.IsAscii && UnicodeNormalization.IsMark(rune.Value) ? "" : null;
}

/// <summary>"Nmt": takes control characters out and makes blanks of odd white space.</summary>
internal sealed class NmtNormalizer : CharacterNormalizer
{
    /// <inheritdoc/>
    public override string Identity => "Nmt";

    /// <inheritdoc/>
    protected override string? Map(Rune rune) =>
        rune.Value switch
        {
            (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F => "",
            0x09
            or 0x0A
            or 0x0C
            or 0x0D
            or 0x1680
            or (>= 0x200B and <= 0x200F)
            or 0x2028
            or 0x2029
            or 0x2581
            or 0xFEFF
            or 0xFFFD => " ",
            _ => null,
        };
}
