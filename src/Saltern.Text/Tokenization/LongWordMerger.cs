namespace Saltern.Tokenization;

/// <summary>Merges one long pre-token (a run of one letter, a page without blanks) in time n log n.</summary>
internal static class LongWordMerger
{
    /// <summary>Appends the ids of the word; takes about 50 bytes of memory for each of its bytes while it works.</summary>
    public static void Merge(ReadOnlySpan<byte> word, int[] byteIds, MergeTable merges, List<int> ids)
    {
        var symbols = new int[word.Length];
        var previous = new int[word.Length];
        var next = new int[word.Length];
        for (var i = 0; i < word.Length; i++)
        {
            symbols[i] = byteIds[word[i]];
            previous[i] = i - 1;
            next[i] = i + 1;
        }

        var queue = new PriorityQueue<Candidate, (int Rank, int Position)>();
        for (var i = 0; i < word.Length - 1; i++)
        {
            Enqueue(i);
        }

        while (queue.TryDequeue(out var candidate, out var priority))
        {
            var (position, right) = (priority.Position, next[priority.Position]);
            // An earlier merge may have changed either side: the pair then is not the one that was queued.
            if (right >= word.Length || symbols[position] != candidate.Left || symbols[right] != candidate.Right)
            {
                continue;
            }

            symbols[position] = candidate.Result;
            symbols[right] = -1;
            next[position] = next[right];
            if (next[position] < word.Length)
            {
                previous[next[position]] = position;
                Enqueue(position);
            }

            if (previous[position] >= 0)
            {
                Enqueue(previous[position]);
            }
        }

        for (var i = 0; i < word.Length; i = next[i])
        {
            ids.Add(symbols[i]);
        }

        void Enqueue(int position)
        {
            var (left, right) = (symbols[position], symbols[next[position]]);
            var rank = merges.Rank(left, right, out var result);
            if (rank != MergeTable.NoMerge)
            {
                queue.Enqueue(new Candidate(left, right, result), (rank, position));
            }
        }
    }

    private readonly record struct Candidate(int Left, int Right, int Result);
}
