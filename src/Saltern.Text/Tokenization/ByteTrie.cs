namespace Saltern.Tokenization;

/// <summary>Byte strings with a number each, found by their beginnings: all that a text begins with, in one walk.</summary>
/// <remarks>One hash table for all edges, about 24 bytes each; building takes time in proportion to the strings, whatever they are.</remarks>
internal sealed class ByteTrie
{
    private const ulong Multiplier = 0x9E3779B97F4A7C15; // 2^64 / golden ratio
    private const int InitialSlots = 1 << 8;

    // Edges: node and byte in one key, plus one, so that 0 is free; and the node they lead to.
    private ulong[] _keys = new ulong[InitialSlots];
    private int[] _targets = new int[InitialSlots];
    private int _shift = 64 - 8;
    private int _edges;

    // The number of the string that ends at each node, −1 for none. Node 0 is the root.
    private readonly List<int> _numbers = [-1];

    /// <summary>The root, where every walk begins.</summary>
    public static int Root => 0;

    /// <summary>Gives a string its number; a string that has one gets the new one.</summary>
    public void Set(ReadOnlySpan<byte> text, int number)
    {
        var node = Root;
        foreach (var value in text)
        {
            var slot = Slot(Key(node, value));
            if (_keys[slot] == 0)
            {
                if (2 * ++_edges > _keys.Length)
                {
                    Grow();
                    slot = Slot(Key(node, value));
                }

                _keys[slot] = Key(node, value);
                _targets[slot] = _numbers.Count;
                _numbers.Add(-1);
            }

            node = _targets[slot];
        }

        _numbers[node] = number;
    }

    /// <summary>The number of a string; −1 where it has none.</summary>
    public int Find(ReadOnlySpan<byte> text)
    {
        var node = Root;
        foreach (var value in text)
        {
            node = Next(node, value);
            if (node < 0)
            {
                return -1;
            }
        }

        return _numbers[node];
    }

    /// <summary>The longest string that a text begins with.</summary>
    /// <returns>Its length and number; 0 and −1 where there is none.</returns>
    public (int Length, int Number) LongestAt(ReadOnlySpan<byte> text)
    {
        var (node, longest) = (Root, (0, -1));
        for (var i = 0; i < text.Length; i++)
        {
            node = Next(node, text[i]);
            if (node < 0)
            {
                break;
            }

            if (_numbers[node] >= 0)
            {
                longest = (i + 1, _numbers[node]);
            }
        }

        return longest;
    }

    /// <summary>One step of a walk: the node behind a byte; −1 where no string goes on so.</summary>
    public int Next(int node, byte value)
    {
        var slot = Slot(Key(node, value));
        return _keys[slot] == 0 ? -1 : _targets[slot];
    }

    /// <summary>The number of the string that ends at a node; −1 for none.</summary>
    public int Number(int node) => _numbers[node];

    private static ulong Key(int node, byte value) => ((ulong)(uint)node << 8 | value) + 1;

    private int Slot(ulong key)
    {
        var mask = _keys.Length - 1;
        var slot = (int)((key * Multiplier) >> _shift);
        while (_keys[slot] != 0 && _keys[slot] != key)
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }

    private void Grow()
    {
        var (keys, targets) = (_keys, _targets);
        (_keys, _targets) = (new ulong[checked(keys.Length * 2)], new int[keys.Length * 2]);
        _shift--;
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] != 0)
            {
                var slot = Slot(keys[i]);
                (_keys[slot], _targets[slot]) = (keys[i], targets[i]);
            }
        }
    }
}
