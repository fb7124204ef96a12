namespace Saltern.Tokenization;

/// <summary>Counts pre-tokens in one pass; memory is bounded by their number, not by the text.</summary>
/// <remarks>
/// Beyond the bound, words seen least often are forgotten, with a threshold that rises each time (lossy counting): the words that
/// matter are frequent in every stretch of text. The result depends on the order of the documents alone.
/// </remarks>
internal sealed class WordCounter(PreTokenizer preTokenizer, int maximumDistinctWords)
{
    /// <summary>Runs without a cut (hashes, base64) count in pieces of this many bytes, so that none fills the memory by itself.</summary>
    private const int LongestWord = 1024;

    private const int MaximumStoredBytes = 1 << 30;

    private ByteWordIndex _words = new();
    private List<long> _counts = [];
    private long _pruneThreshold;

    /// <summary>Distinct words held.</summary>
    public int Count => _words.Count;

    /// <summary>Words forgotten so far; one that came back and was forgotten again counts twice.</summary>
    public long PrunedWords { get; private set; }

    /// <summary>Counts the words of a document.</summary>
    public void Add(ReadOnlySpan<byte> text) =>
        preTokenizer.Split(text, PiecePosition.Start, static (word, counter) => counter.AddWord(word), this);

    /// <summary>A word and how often it was seen.</summary>
    public ReadOnlySpan<byte> Word(int index, out long count)
    {
        count = _counts[index];
        return _words[index];
    }

    private void AddWord(ReadOnlySpan<byte> word)
    {
        while (word.Length > LongestWord)
        {
            Increment(word[..LongestWord]);
            word = word[LongestWord..];
        }

        Increment(word);
    }

    private void Increment(ReadOnlySpan<byte> word)
    {
        var index = _words.Add(word);
        if (index < _counts.Count)
        {
            _counts[index]++;
            return;
        }

        _counts.Add(1);
        while (_words.Count > maximumDistinctWords || _words.StoredBytes > MaximumStoredBytes)
        {
            Prune(++_pruneThreshold);
        }
    }

    private void Prune(long threshold)
    {
        var keptWords = new ByteWordIndex();
        var keptCounts = new List<long>();
        for (var i = 0; i < _words.Count; i++)
        {
            if (_counts[i] > threshold)
            {
                keptWords.Add(_words[i]);
                keptCounts.Add(_counts[i]);
            }
        }

        PrunedWords += _words.Count - keptWords.Count;
        (_words, _counts) = (keptWords, keptCounts);
    }
}
