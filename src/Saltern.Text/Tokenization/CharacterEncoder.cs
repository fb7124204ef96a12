namespace Saltern.Tokenization;

/// <summary>Byte pair encoding over characters, as SentencePiece's models have it: a pre-token can be a whole document, and is merged in words that no rule joins.</summary>
/// <param name="words">Encodes one word.</param>
/// <param name="symbols">The characters' ids, of the same vocabulary.</param>
/// <param name="boundaries">Where words end.</param>
/// <param name="wholeWords">Pre-tokens that become one token without merging; null if there are none.</param>
/// <param name="wholeWordIds">Their ids, by index in <paramref name="wholeWords"/>.</param>
internal sealed class CharacterEncoder(
    MergingEncoder words,
    CharacterSymbols symbols,
    MergeBoundaries boundaries,
    ByteWordIndex? wholeWords,
    int[] wholeWordIds
) : WordEncoder
{
    // A character that the vocabulary lacks; unknown ones may share a token, so that nothing is cut between them.
    private const int Lacking = -1;

    /// <inheritdoc/>
    public override int Encode(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (wholeWords?.IndexOf(word) is >= 0 and var index)
        {
            ids.Add(wholeWordIds[index]);
            return 0;
        }

        var uncovered = 0;
        var (start, before) = (0, Lacking);
        var at = 0;
        while (at < word.Length)
        {
            var id = symbols.Read(word[at..], out var rune, out var length);
            if (id < 0)
            {
                rune = Lacking;
            }

            if (at > start && !MayJoin(before, rune))
            {
                uncovered += words.Encode(word[start..at], ids);
                start = at;
            }

            before = rune;
            at += length;
        }

        return uncovered + words.Encode(word[start..], ids);
    }

    private bool MayJoin(int left, int right)
    {
        if (left == Lacking || right == Lacking)
        {
            return boundaries.MergesUnspelled || left == right;
        }

        return boundaries.CanJoin(left, right);
    }
}
