using System.Numerics;

namespace Saltern.Batches;

/// <summary>A permutation of 0 … count − 1 that is a pure function of a key: any element in O(1), nothing stored, whatever the count.</summary>
/// <remarks>A four-round Feistel network over the next even power of two, walked until the result is in range (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).</remarks>
internal readonly struct KeyedPermutation
{
    private const int Rounds = 4;
    private readonly ulong _key;
    private readonly int _halfBits;

    /// <summary>Plans the permutation.</summary>
    /// <param name="count">Elements, at least 1.</param>
    public KeyedPermutation(long count, ulong key)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        Count = count;
        _key = key;
        int bits = count == 1 ? 0 : BitOperations.Log2((ulong)(count - 1)) + 1;
        _halfBits = Math.Max(1, (bits + 1) / 2);
    }

    /// <summary>Elements.</summary>
    public long Count { get; }

    /// <summary>Where element <paramref name="index"/> goes.</summary>
    public long this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            ulong value = (ulong)index;
            do
            {
                value = Encrypt(value);
            } while (value >= (ulong)Count);
            return (long)value;
        }
    }

    /// <summary>SplitMix64's finaliser: every input bit reaches every output bit.</summary>
    public static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private ulong Encrypt(ulong value)
    {
        ulong mask = (1UL << _halfBits) - 1;
        ulong left = value >> _halfBits;
        ulong right = value & mask;
        for (uint round = 0; round < Rounds; round++)
        {
            (left, right) = (right, left ^ (Mix(_key ^ Mix(right + ((ulong)round << 56))) & mask));
        }

        return (left << _halfBits) | right;
    }
}
