namespace Saltern.Tokenization;

/// <summary>"NFC", "NFD", "NFKC" or "NFKD".</summary>
internal sealed class UnicodeFormNormalizer(UnicodeForm form) : TextNormalizer
{
    /// <summary>The form.</summary>
    public UnicodeForm Form => form;

    /// <inheritdoc/>
    public override string Identity => form.ToString();

    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        if (UnicodeNormalization.IsSurely(form, text))
        {
            return null;
        }

        return UnicodeNormalization.Normalize(form, text);
    }
}
