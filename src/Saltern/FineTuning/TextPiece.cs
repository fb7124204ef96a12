namespace Saltern.FineTuning;

/// <summary>A part of an example's text.</summary>
/// <param name="Text">The text; null is the end-of-text token.</param>
/// <param name="Counts">Whether its tokens are learned: those of responses and their ends.</param>
/// <param name="IsMarkup">Whether special tokens spelled out in it are those tokens: only in a template's own text, never in what a record holds.</param>
internal sealed record TextPiece(string? Text, bool Counts = false, bool IsMarkup = false)
{
    /// <summary>The end-of-text token, which counts.</summary>
    public static TextPiece End { get; } = new(null, Counts: true);

    /// <summary>A template's own text.</summary>
    public static TextPiece Markup(string text, bool counts = false) => new(text, counts, IsMarkup: true);
}
