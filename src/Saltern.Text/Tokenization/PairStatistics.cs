using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Saltern.Tokenization;

/// <summary>How often each pair of neighbouring tokens occurs, kept up to date while pairs are merged.</summary>
/// <remarks>
/// A merge visits only the words that hold its pair. The queue is repaired lazily: every pair has an entry with at least its true
/// count, and an entry whose count is stale goes back with the true one when it comes to the top.
/// </remarks>
internal sealed class PairStatistics
{
    private readonly long _minimumCount;
    private readonly int[] _symbols;
    private readonly List<Word> _words = [];
    private readonly Dictionary<ulong, Pair> _pairs = [];
    private readonly PriorityQueue<ulong, (long NegativeCount, ulong Key)> _queue = new();
    private readonly List<ulong> _grown = [];

    /// <summary>Counts the pairs of single bytes; the id of a byte is its value.</summary>
    /// <param name="counter">Words and how often they occur.</param>
    /// <param name="minimumCount">Pairs that occur less often are never offered.</param>
    public PairStatistics(WordCounter counter, long minimumCount)
    {
        _minimumCount = minimumCount;
        _symbols = new int[Enumerable.Range(0, counter.Count).Sum(i => (long)counter.Word(i, out _).Length)];
        var end = 0;
        for (var i = 0; i < counter.Count; i++)
        {
            var bytes = counter.Word(i, out var count);
            var start = end;
            foreach (var b in bytes)
            {
                _symbols[end++] = b;
            }

            _words.Add(new Word(start, bytes.Length, count));
            for (var position = start; position < end - 1; position++)
            {
                Increase(_symbols[position], _symbols[position + 1], i, count);
            }
        }

        QueueGrownPairs();
    }

    /// <summary>Takes the most frequent pair out of the queue; of equally frequent ones that with the lowest left id, then right id.</summary>
    /// <returns>Whether there was one that occurs often enough.</returns>
    public bool TryTakeBest(out int left, out int right)
    {
        while (_queue.TryDequeue(out var key, out var priority))
        {
            if (!_pairs.TryGetValue(key, out var pair))
            {
                continue;
            }

            if (pair.Count == -priority.NegativeCount)
            {
                (left, right) = ((int)(key >> 32), (int)(uint)key);
                return true;
            }

            Queue(key, pair.Count);
        }

        (left, right) = (-1, -1);
        return false;
    }

    /// <summary>Replaces every occurrence of the pair, from left to right in each word.</summary>
    public void Merge(int left, int right, int result)
    {
        _pairs.Remove(Key(left, right), out var pair);
        foreach (var index in pair!.Words)
        {
            MergeInWord(index, left, right, result);
        }

        QueueGrownPairs();
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private void MergeInWord(int index, int left, int right, int result)
    {
        ref var word = ref CollectionsMarshal.AsSpan(_words)[index];
        var symbols = _symbols.AsSpan(word.Start, word.Length);
        var length = 0;
        for (var i = 0; i < symbols.Length; i++)
        {
            if (symbols[i] != left || i + 1 == symbols.Length || symbols[i + 1] != right)
            {
                symbols[length++] = symbols[i];
                continue;
            }

            if (length > 0)
            {
                Decrease(symbols[length - 1], left, word.Count);
                Increase(symbols[length - 1], result, index, word.Count);
            }

            if (i + 2 < symbols.Length)
            {
                Decrease(right, symbols[i + 2], word.Count);
                Increase(result, symbols[i + 2], index, word.Count);
            }

            symbols[length++] = result;
            i++;
        }

        word = word with { Length = length };
    }

    private void Increase(int left, int right, int word, long count)
    {
        var key = Key(left, right);
        ref var pair = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, key, out _);
        pair ??= new Pair();
        pair.Count += count;
        if (pair.Words.Count == 0 || pair.Words[^1] != word)
        {
            pair.Words.Add(word);
        }

        if (!pair.HasGrown)
        {
            pair.HasGrown = true;
            _grown.Add(key);
        }
    }

    private void Decrease(int left, int right, long count)
    {
        // The pair being merged is gone already: "aaa" holds "aa" twice and merges it once.
        if (_pairs.TryGetValue(Key(left, right), out var pair))
        {
            pair.Count -= count;
            Debug.Assert(pair.Count >= 0, "A pair occurs less than never.");
        }
    }

    private void QueueGrownPairs()
    {
        foreach (var key in _grown)
        {
            var pair = _pairs[key];
            pair.HasGrown = false;
            Queue(key, pair.Count);
        }

        _grown.Clear();
    }

    private void Queue(ulong key, long count)
    {
        if (count >= _minimumCount)
        {
            _queue.Enqueue(key, (-count, key));
        }
    }

    private readonly record struct Word(int Start, int Length, long Count);

    private sealed class Pair
    {
        public long Count { get; set; }

        public bool HasGrown { get; set; }

        /// <summary>Words that held the pair at some time; an entry may be stale or double, which costs a scan and no more.</summary>
        public List<int> Words { get; } = [];
    }
}
