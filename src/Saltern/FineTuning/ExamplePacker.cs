namespace Saltern.FineTuning;

/// <summary>Puts several examples into a row, so that little of it is padding.</summary>
internal static class ExamplePacker
{
    /// <summary>Packs by best-fit decreasing: the longest first, each into the fullest row that it still fits into.</summary>
    /// <remarks>The usual heuristic for bin packing (Johnson, 1973), at most 11/9 of the fewest rows and a few; what TRL's <c>packing_strategy="bfd"</c> does. Nothing random: rows are the same for every seed, their order is not.</remarks>
    /// <param name="lengths">Positions of each example, 1 to <paramref name="capacity"/>.</param>
    /// <returns>Rows: indices of the examples in each, every index once.</returns>
    public static IReadOnlyList<int[]> Pack(IReadOnlyList<int> lengths, int capacity)
    {
        var rows = new List<List<int>>();

        // Rows by the places they have left; a stack's newest row is taken, so that the search is a walk over lengths.
        Stack<int>[] withRoom = [.. Enumerable.Range(0, capacity + 1).Select(_ => new Stack<int>())];
        foreach (int example in Enumerable.Range(0, lengths.Count).OrderByDescending(index => lengths[index]))
        {
            int length = lengths[example];
            int room = length;
            if (length < 1 || length > capacity)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(lengths),
                    length,
                    $"An example takes 1 to {capacity} positions."
                );
            }

            while (room <= capacity && withRoom[room].Count == 0)
            {
                room++;
            }

            int row = room <= capacity ? withRoom[room].Pop() : rows.Count;
            if (row == rows.Count)
            {
                rows.Add([]);
                room = capacity;
            }

            rows[row].Add(example);
            withRoom[room - length].Push(row);
        }

        return [.. rows.Select(row => row.ToArray())];
    }
}
