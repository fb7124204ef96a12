namespace Saltern.Tokenization;

/// <summary>Where a stretch of text stands, which decides whether a tokenizer puts a blank in front of it.</summary>
internal enum PiecePosition
{
    /// <summary>It begins the text.</summary>
    Start,

    /// <summary>A token or a cut stands before it.</summary>
    Inside,

    /// <summary>It goes on with text that was encoded before: nothing is put in front.</summary>
    Continuation,
}
