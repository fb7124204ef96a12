using System.Runtime.InteropServices;

namespace Saltern.Tokenization;

/// <summary>Turns pre-tokens into ids. Used by one thread at a time.</summary>
internal abstract class WordEncoder
{
    /// <summary>Appends the ids of one pre-token.</summary>
    /// <returns>Bytes of it that no token stands for.</returns>
    public abstract int Encode(ReadOnlySpan<byte> word, List<int> ids);
}

/// <summary>An encoder that remembers the frequent words.</summary>
/// <remarks>
/// The memory is bounded: when it holds <see cref="MaximumWords"/> words or <see cref="MaximumBytes"/> bytes it starts afresh.
/// </remarks>
internal abstract class RememberingEncoder : WordEncoder
{
    private const int MaximumWords = 1 << 17;
    private const int MaximumBytes = 1 << 22;

    /// <summary>Longer words are rare and would fill the memory with strings that never return.</summary>
    private const int LongestRememberedWord = 64;

    private readonly ByteWordIndex _words = new();
    private readonly List<int> _wordEnds = [];
    private readonly List<int> _wordIds = [];
    private readonly List<int> _wordUncovered = [];

    /// <inheritdoc/>
    public override int Encode(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (word.Length > LongestRememberedWord)
        {
            return EncodeNew(word, ids);
        }

        var known = _words.Count;
        if (known == MaximumWords || _words.StoredBytes > MaximumBytes)
        {
            _words.Clear();
            _wordEnds.Clear();
            _wordIds.Clear();
            _wordUncovered.Clear();
            known = 0;
        }

        var index = _words.Add(word);
        if (index == known)
        {
            _wordUncovered.Add(EncodeNew(word, _wordIds));
            _wordEnds.Add(_wordIds.Count);
        }

        var start = index == 0 ? 0 : _wordEnds[index - 1];
        ids.AddRange(CollectionsMarshal.AsSpan(_wordIds)[start.._wordEnds[index]]);
        return _wordUncovered[index];
    }

    /// <summary>Appends the ids of a word that is not remembered.</summary>
    protected abstract int EncodeNew(ReadOnlySpan<byte> word, List<int> ids);
}
