namespace Saltern.Growth;

/// <summary>Which old unit (channel, head, row) each unit of a grown axis copies.</summary>
/// <param name="Sources">Old unit of each new one.</param>
internal sealed record UnitMap(int[] Sources)
{
    /// <summary>How often each new unit's source is copied: what outgoing weights are divided by, so that sums over the copies stay.</summary>
    public int[] Copies { get; } = CopiesOf(Sources);

    /// <summary>Whether each new unit is the first copy of its source: the unit that was there before.</summary>
    public bool[] IsFirst { get; } = FirstOf(Sources);

    /// <summary>Whether the axis stays as it is.</summary>
    public bool IsIdentity => Sources.Index().All(unit => unit.Index == unit.Item);

    /// <summary>An axis that stays.</summary>
    public static UnitMap Identity(int count) => new([.. Enumerable.Range(0, count)]);

    /// <summary>All old units in order, again and again: 0 1 2 0 1 2.</summary>
    public static UnitMap Tile(int before, int after) =>
        new([.. Enumerable.Range(0, after).Select(unit => unit % before)]);

    /// <summary>Query heads that each read a copy of the key/value head that their source reads.</summary>
    /// <param name="keyHeads">Map of the key/value heads.</param>
    /// <param name="before">Query heads of one key/value head before.</param>
    /// <param name="after">The same after.</param>
    public static UnitMap OfGroups(UnitMap keyHeads, int before, int after)
    {
        var seen = new Dictionary<int, int>();
        var sources = new List<int>();
        foreach (int keyHead in keyHeads.Sources)
        {
            // Goes on where the last copy of this key/value head stopped, so that every query head gets its turn.
            int next = seen.GetValueOrDefault(keyHead);
            for (int i = 0; i < after; i++)
            {
                sources.Add((keyHead * before) + (next++ % before));
            }

            seen[keyHead] = next;
        }

        return new UnitMap([.. sources]);
    }

    /// <summary>The same map where every unit is a run of elements, such as a head of its channels.</summary>
    public UnitMap Expand(int elements) =>
        new([.. Sources.SelectMany(source => Enumerable.Range(source * elements, elements))]);

    private static int[] CopiesOf(int[] sources)
    {
        Dictionary<int, int> counts = sources.CountBy(source => source).ToDictionary();
        return [.. sources.Select(source => counts[source])];
    }

    private static bool[] FirstOf(int[] sources)
    {
        var seen = new HashSet<int>();
        return [.. sources.Select(seen.Add)];
    }
}
