namespace Saltern.Tokenization;

/// <summary>Parts a text into added tokens and the stretches between them, normalising on the way.</summary>
/// <remarks>The order of Hugging Face's library: tokens in the text as it came, then normalisation, then tokens in what is left.</remarks>
internal sealed class AddedTokenSplitter(IReadOnlyList<AddedToken> tokens, bool composesText)
{
    private readonly AddedTokenMatcher _raw = new(tokens.Where(token => !token.IsNormalized));
    private readonly AddedTokenMatcher _normalized = new(tokens.Where(token => token.IsNormalized));

    /// <summary>Hands stretches of text and ids of tokens to their receivers, in order.</summary>
    public void Split<TState>(
        ReadOnlySpan<byte> text,
        PreTokenizer.Receiver<TState> receiveText,
        Action<int, TState> receiveToken,
        TState state
    )
    {
        var from = 0;
        while (_raw.Find(text, from, out var end, out var id) is >= 0 and var start)
        {
            SplitNormalized(text[from..start], receiveText, receiveToken, state);
            receiveToken(id, state);
            from = end;
        }

        SplitNormalized(text[from..], receiveText, receiveToken, state);
    }

    private void SplitNormalized<TState>(
        ReadOnlySpan<byte> text,
        PreTokenizer.Receiver<TState> receiveText,
        Action<int, TState> receiveToken,
        TState state
    )
    {
        if (composesText && !UnicodeNormalization.IsSurely(UnicodeForm.NFC, text))
        {
            text = UnicodeNormalization.Normalize(UnicodeForm.NFC, text);
        }

        var from = 0;
        while (_normalized.Find(text, from, out var end, out var id) is >= 0 and var start)
        {
            receiveText(text[from..start], state);
            receiveToken(id, state);
            from = end;
        }

        receiveText(text[from..], state);
    }
}
