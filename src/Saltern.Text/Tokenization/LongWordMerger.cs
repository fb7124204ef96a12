namespace Saltern.Tokenization;

/// <summary>Merges one long pre-token (a run of one letter, a page without blanks) in time n log n.</summary>
internal static class LongWordMerger
{
    /// <summary>Appends the ids of the word; takes about 50 bytes of memory for each of its symbols while it works.</summary>
    /// <param name="initial">The ids that merging starts from.</param>
    public static void Merge(ReadOnlySpan<int> initial, MergeTable merges, List<int> ids)
    {
        int[] symbols = [.. initial];
        var previous = new int[symbols.Length];
        var next = new int[symbols.Length];
        for (var i = 0; i < symbols.Length; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1;
        }

        var queue = new PriorityQueue<Candidate, (int Rank, int Position)>();
        for (var i = 0; i < symbols.Length - 1; i++)
        {
            Enqueue(i);
        }

        while (queue.TryDequeue(out var candidate, out var priority))
        {
            var (position, right) = (priority.Position, next[priority.Position]);
            // An earlier merge may have changed either side: the pair then is not the one that was queued.
            if (right >= symbols.Length || symbols[position] != candidate.Left || symbols[right] != candidate.Right)
            {
                continue;
            }

            symbols[position] = candidate.Result;
            symbols[right] = -1;
            next[position] = next[right];
            if (next[position] < symbols.Length)
            {
                previous[next[position]] = position;
                Enqueue(position);
            }

            if (previous[position] >= 0)
            {
                Enqueue(previous[position]);
            }
        }

        for (var i = 0; i < symbols.Length; i = next[i])
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
