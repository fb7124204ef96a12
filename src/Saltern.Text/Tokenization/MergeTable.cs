using System.Numerics;

namespace Saltern.Tokenization;

/// <summary>One merge rule: two neighbours become one token.</summary>
/// <param name="Left">Id of the left token.</param>
/// <param name="Right">Id of the right token.</param>
/// <param name="Result">Id of the token that replaces both.</param>
internal readonly record struct Merge(int Left, int Right, int Result);

/// <summary>Finds the merge of a pair of ids: its rank (lower goes first) and its result.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that does not merge.</summary>
    public const int NoMerge = int.MaxValue;

    private const ulong Multiplier = 0x9E3779B97F4A7C15; // 2^64 / golden ratio

    private readonly Entry[] _entries;
    private readonly int _shift;

    /// <summary>Builds the table; of a pair that occurs twice the later rule holds, as in the Rust library.</summary>
    public MergeTable(IReadOnlyList<Merge> merges)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Count * 2));
        _shift = 64 - BitOperations.Log2((uint)size);
        _entries = new Entry[size];
        Array.Fill(_entries, new Entry(0, NoMerge, 0));
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var key = Key(merges[rank].Left, merges[rank].Right);
            _entries[Find(key)] = new Entry(key, rank, merges[rank].Result);
        }
    }

    /// <summary>The pair's rank, or <see cref="NoMerge"/>.</summary>
    public int Rank(int left, int right, out int result)
    {
        ref readonly var entry = ref _entries[Find(Key(left, right))];
        result = entry.Result;
        return entry.Rank;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Find(ulong key)
    {
        var slot = (int)((key * Multiplier) >> _shift);
        while (_entries[slot].Rank != NoMerge && _entries[slot].Key != key)
        {
            slot = (slot + 1) & (_entries.Length - 1);
        }

        return slot;
    }

    private readonly record struct Entry(ulong Key, int Rank, int Result);
}
