using System.Text;

namespace Saltern.Tokenization;

/// <summary>Parts a text into added tokens and the stretches between them, normalising on the way.</summary>
/// <remarks>The order of Hugging Face's library: tokens in the text as it came, then normalisation, then normalised tokens in what is left.</remarks>
internal sealed class AddedTokenSplitter
{
    private readonly IReadOnlyList<TextNormalizer> _normalizers;
    private readonly AddedTokenMatcher _raw;
    private readonly AddedTokenMatcher _normalized;

    /// <summary>Prepares the search for tokens.</summary>
    public AddedTokenSplitter(IReadOnlyList<AddedToken> tokens, IReadOnlyList<TextNormalizer> normalizers)
    {
        _normalizers = normalizers;

        // The library looks for special tokens first, where two would be spelled alike.
        AddedToken[] ordered = [.. tokens.OrderBy(token => !token.IsSpecial)];
        _raw = new AddedTokenMatcher(
            ordered.Where(token => !token.IsNormalized).Select(token => (token, Encoding.UTF8.GetBytes(token.Content)))
        );
        _normalized = new AddedTokenMatcher(
            ordered.Where(token => token.IsNormalized).Select(token => (token, Normalized(token.Content)))
        );
    }

    /// <summary>What becomes of a stretch of text.</summary>
    public delegate void Receiver<in TState>(ReadOnlySpan<byte> text, PiecePosition position, TState state);

    /// <summary>Hands stretches of text and ids of tokens to their receivers, in order.</summary>
    public void Split<TState>(
        ReadOnlySpan<byte> text,
        PiecePosition position,
        Receiver<TState> receiveText,
        Action<int, TState> receiveToken,
        TState state
    )
    {
        var (search, from) = (0, 0);
        while (_raw.Find(text, search, from) is { } found)
        {
            if (from < found.Start)
            {
                SplitNormalized(text[from..found.Start], At(position, from), receiveText, receiveToken, state);
            }

            receiveToken(found.Id, state);
            (search, from) = (found.SpellingEnd, found.End);
        }

        SplitNormalized(text[from..], At(position, from), receiveText, receiveToken, state);
    }

    private static PiecePosition At(PiecePosition position, int from) => from == 0 ? position : PiecePosition.Inside;

    private byte[] Normalized(string content)
    {
        var position = PiecePosition.Start;
        return TextNormalizer.NormalizeAll(_normalizers, Encoding.UTF8.GetBytes(content), ref position).ToArray();
    }

    private void SplitNormalized<TState>(
        ReadOnlySpan<byte> text,
        PiecePosition position,
        Receiver<TState> receiveText,
        Action<int, TState> receiveToken,
        TState state
    )
    {
        text = TextNormalizer.NormalizeAll(_normalizers, text, ref position);
        var (search, from) = (0, 0);
        while (_normalized.Find(text, search, from) is { } found)
        {
            if (from < found.Start)
            {
                receiveText(text[from..found.Start], At(position, from), state);
            }

            receiveToken(found.Id, state);
            (search, from) = (found.SpellingEnd, found.End);
        }

        receiveText(text[from..], At(position, from), state);
    }
}
