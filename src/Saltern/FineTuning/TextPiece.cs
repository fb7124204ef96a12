namespace Saltern.FineTuning;

/// <summary>A part of an example's text.</summary>
/// <param name="Text">The text; null is the end-of-text token.</param>
/// <param name="Counts">Whether its tokens are learned: those of responses and their ends.</param>
/// <param name="IsMarkup">Whether special tokens spelled out in it are those tokens: only in a template's own text, never in what a record holds.</param>
/// <param name="IsReply">Whether it is encoded apart from what stands before it, as the model will write it.</param>
internal sealed record TextPiece(string? Text, bool Counts = false, bool IsMarkup = false, bool IsReply = false)
{
    /// <summary>The end-of-text token, which counts.</summary>
    public static TextPiece End { get; } = EndOf(isLearned: true);

    /// <summary>The end-of-text token behind a reply.</summary>
    public static TextPiece EndOf(bool isLearned) => new(null, Counts: isLearned);

    /// <summary>A reply.</summary>
    public static TextPiece Reply(string text, bool isLearned) => new(text, Counts: isLearned, IsReply: true);

    /// <summary>A template's own text.</summary>
    public static TextPiece Markup(string text, bool counts = false) => new(text, counts, IsMarkup: true);
}
