using System.Numerics;
using System.Runtime.InteropServices;

namespace Saltern.Tokenization;

/// <summary>Numbers byte strings 0, 1, 2 … in the order of their first appearance, without an object for each.</summary>
/// <remarks>Open addressing over one growing byte store; about 24 bytes a word besides its own. Not thread-safe.</remarks>
internal sealed class ByteWordIndex
{
    private const int InitialSlots = 1 << 10;

    private int[] _slots = new int[InitialSlots]; // index + 1, 0 = free
    private ulong[] _hashes = new ulong[InitialSlots / 2];
    private int[] _ends = new int[InitialSlots / 2];
    private byte[] _store = new byte[InitialSlots * 4];

    /// <summary>Words held.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all words together.</summary>
    public int StoredBytes => Count == 0 ? 0 : _ends[Count - 1];

    /// <summary>The word with this index; valid until the next <see cref="Add"/> or <see cref="Clear"/>.</summary>
    public ReadOnlySpan<byte> this[int index]
    {
        get
        {
            var start = index == 0 ? 0 : _ends[index - 1];
            return _store.AsSpan(start, _ends[index] - start);
        }
    }

    /// <summary>The word's index, or −1.</summary>
    public int IndexOf(ReadOnlySpan<byte> word) => _slots[FindSlot(word, Hash(word))] - 1;

    /// <summary>The word's index; a new word is added and gets <see cref="Count"/> as it was before.</summary>
    public int Add(ReadOnlySpan<byte> word)
    {
        var hash = Hash(word);
        var slot = FindSlot(word, hash);
        if (_slots[slot] != 0)
        {
            return _slots[slot] - 1;
        }

        if (Count == _ends.Length)
        {
            Grow();
            slot = FindSlot(word, hash);
        }

        var start = StoredBytes;
        var end = checked(start + word.Length);
        if (end > _store.Length)
        {
            Array.Resize(ref _store, (int)Math.Min(Array.MaxLength, Math.Max(end, _store.Length * 2L)));
        }

        word.CopyTo(_store.AsSpan(start));
        _ends[Count] = end;
        _hashes[Count] = hash;
        _slots[slot] = ++Count;
        return Count - 1;
    }

    /// <summary>Forgets all words and keeps the memory.</summary>
    public void Clear()
    {
        Array.Clear(_slots);
        Count = 0;
    }

    private static ulong Hash(ReadOnlySpan<byte> word)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15; // 2^64 / golden ratio
        var hash = (ulong)word.Length * Multiplier;
        while (word.Length >= sizeof(ulong))
        {
            hash = BitOperations.RotateLeft((hash ^ MemoryMarshal.Read<ulong>(word)) * Multiplier, 29);
            word = word[sizeof(ulong)..];
        }

        ulong rest = 0;
        foreach (var b in word)
        {
            rest = (rest << 8) | b;
        }

        hash = (hash ^ rest) * Multiplier;
        return hash ^ (hash >> 32);
    }

    private int FindSlot(ReadOnlySpan<byte> word, ulong hash)
    {
        var mask = _slots.Length - 1;
        var slot = (int)hash & mask;
        while (
            _slots[slot] is > 0 and var entry && (_hashes[entry - 1] != hash || !this[entry - 1].SequenceEqual(word))
        )
        {
            slot = (slot + 1) & mask;
        }

        return slot;
    }

    private void Grow()
    {
        Array.Resize(ref _hashes, checked(_hashes.Length * 2));
        Array.Resize(ref _ends, _hashes.Length);
        _slots = new int[_hashes.Length * 2];
        var mask = _slots.Length - 1;
        for (var i = 0; i < Count; i++)
        {
            var slot = (int)_hashes[i] & mask;
            while (_slots[slot] != 0)
            {
                slot = (slot + 1) & mask;
            }

            _slots[slot] = i + 1;
        }
    }
}
