namespace Saltern.Tokenization;

/// <summary>Turns pre-tokens into ids by byte pair encoding.</summary>
internal sealed class MergingEncoder : RememberingEncoder
{
    /// <summary>Below this many bytes a scan for the lowest rank beats a queue.</summary>
    private const int LongestScannedWord = 128;

    private readonly MergeTable _merges;
    private readonly InitialSymbols _symbols;
    private readonly ByteWordIndex? _wholeWords;
    private readonly int[] _wholeWordIds;

    private readonly int[] _ids = new int[LongestScannedWord];
    private readonly int[] _ranks = new int[LongestScannedWord];
    private readonly int[] _results = new int[LongestScannedWord];

    /// <summary>Creates an encoder over tables that it only reads.</summary>
    /// <param name="symbols">What merging starts from.</param>
    /// <param name="wholeWords">Entries that a word becomes without merging; null if there are none.</param>
    /// <param name="wholeWordIds">Their ids, by index in <paramref name="wholeWords"/>.</param>
    public MergingEncoder(MergeTable merges, InitialSymbols symbols, ByteWordIndex? wholeWords, int[] wholeWordIds)
    {
        _merges = merges;
        _symbols = symbols;
        _wholeWords = wholeWords;
        _wholeWordIds = wholeWordIds;
    }

    /// <inheritdoc/>
    protected override int EncodeNew(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (_wholeWords?.IndexOf(word) is >= 0 and var index)
        {
            ids.Add(_wholeWordIds[index]);
            return 0;
        }

        if (word.Length <= LongestScannedWord)
        {
            MergeByScan(_symbols.Read(word, _ids, out var few), ids);
            return few;
        }

        var symbols = new int[word.Length];
        var count = _symbols.Read(word, symbols, out var uncovered);
        LongWordMerger.Merge(symbols.AsSpan(0, count), _merges, ids);
        return uncovered;
    }

    private void MergeByScan(int count, List<int> ids)
    {
        for (var i = 0; i < count - 1; i++)
        {
            UpdateRank(i);
        }

        while (count > 1)
        {
            // The lowest rank, and of equal ones the leftmost.
            var best = 0;
            for (var i = 1; i < count - 1; i++)
            {
                if (_ranks[i] < _ranks[best])
                {
                    best = i;
                }
            }

            if (_ranks[best] == MergeTable.NoMerge)
            {
                break;
            }

            _ids[best] = _results[best];
            var tail = count - best - 2;
            Array.Copy(_ids, best + 2, _ids, best + 1, tail);
            Array.Copy(_ranks, best + 2, _ranks, best + 1, tail);
            Array.Copy(_results, best + 2, _results, best + 1, tail);
            count--;
            if (best > 0)
            {
                UpdateRank(best - 1);
            }

            if (best < count - 1)
            {
                UpdateRank(best);
            }
        }

        ids.AddRange(_ids.AsSpan(0, count));
    }

    private void UpdateRank(int index) =>
        _ranks[index] = _merges.Rank(_ids[index], _ids[index + 1], out _results[index]);
}
