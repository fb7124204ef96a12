namespace Saltern.Corpora;

/// <summary>A set of document hashes, without an object for each; beyond its bound it forgets all and starts afresh.</summary>
/// <remarks>
/// Open addressing at no more than ¾ full: 21 to 43 bytes a document, 128 MiB at the bound, and half as much again while it grows. Forgetting depends on the order of documents alone,
/// so equal corpora still give equal data sets. Duplicates more than <see cref="Capacity"/> documents apart may both be kept.
/// </remarks>
internal sealed class SeenDocuments
{
    /// <summary>Most documents remembered: three quarters of 2²³ slots of 16 bytes.</summary>
    public const int Capacity = 3 << 21;

    private const int FirstSlots = 1 << 10;

    // Zero marks a free slot; a hash of zero would never come up.
    private UInt128[] _slots = new UInt128[FirstSlots];
    private int _count;

    /// <summary>Hashes added over time, forgotten ones included.</summary>
    public long Added { get; private set; }

    /// <summary>Whether the hash is remembered.</summary>
    public bool Contains(UInt128 hash) => _slots[Find(hash)] != 0;

    /// <summary>Remembers a hash.</summary>
    /// <returns>False if it was there already.</returns>
    public bool Add(UInt128 hash)
    {
        int slot = Find(hash);
        if (_slots[slot] != 0)
        {
            return false;
        }

        if (_count == Capacity)
        {
            Array.Clear(_slots);
            _count = 0;
            slot = Find(hash);
        }
        else if (_count + 1 > _slots.Length / 4 * 3)
        {
            Grow();
            slot = Find(hash);
        }

        _slots[slot] = hash;
        _count++;
        Added++;
        return true;
    }

    private int Find(UInt128 hash)
    {
        int mask = _slots.Length - 1;
        int slot = (int)(uint)hash & mask;
        while (_slots[slot] != 0 && _slots[slot] != hash)
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }

    private void Grow()
    {
        UInt128[] old = _slots;
        _slots = new UInt128[old.Length * 2];
        foreach (UInt128 hash in old)
        {
            if (hash != 0)
            {
                _slots[Find(hash)] = hash;
            }
        }
    }
}
