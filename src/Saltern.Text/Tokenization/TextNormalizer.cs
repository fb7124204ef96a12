namespace Saltern.Tokenization;

/// <summary>One step of normalisation: rewrites text before it is cut, as a "normalizer" of tokenizer.json says. Immutable.</summary>
internal abstract class TextNormalizer
{
    /// <summary>A text that two normalizers share exactly if they rewrite alike.</summary>
    public abstract string Identity { get; }

    /// <summary>Rewrites a text.</summary>
    /// <param name="text">UTF-8; bytes that are none stay as they are.</param>
    /// <param name="position">Where it stands; no longer at the start once its first character is gone.</param>
    /// <returns>The new text; null where it stays.</returns>
    public abstract byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position);

    /// <summary>Rewrites a text by several steps, one after the other.</summary>
    public static ReadOnlySpan<byte> NormalizeAll(
        IReadOnlyList<TextNormalizer> steps,
        ReadOnlySpan<byte> text,
        scoped ref PiecePosition position
    )
    {
        foreach (var step in steps)
        {
            if (step.Normalize(text, ref position) is { } changed)
            {
                text = changed;
            }
        }

        return text;
    }

    /// <summary>Notes that the first character of a text is gone.</summary>
    protected static void LoseStart(ref PiecePosition position)
    {
        if (position == PiecePosition.Start)
        {
            position = PiecePosition.Inside;
        }
    }
}
