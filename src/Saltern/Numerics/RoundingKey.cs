using System.Numerics;
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>What is rounded; each has random numbers of its own.</summary>
internal enum RoundedValue
{
    /// <summary>First moments, and Muon's momentum.</summary>
    First = 1,

    /// <summary>Second moments.</summary>
    Second = 2,

    /// <summary>Weights.</summary>
    Weight = 3,
}

/// <summary>Random numbers of one update by element, without a state: they depend on the run's seed, the update's number, what is rounded, and the element's place in the flat buffer alone.</summary>
/// <remarks>So a resumed run draws what the uninterrupted one does, and an element gets the same number on whichever rank, thread and vector width it is rounded.</remarks>
/// <param name="First">Mixed with the place.</param>
/// <param name="Second">Mixed in half-way.</param>
internal readonly record struct RoundingKey(uint First, uint Second)
{
    // Multipliers of Chris Wellons' lowbias32 (github.com/skeeto/hash-prospector): full avalanche in two rounds.
    private const uint Multiplier1 = 0x7FEB352D;
    private const uint Multiplier2 = 0x846CA68B;
    private const uint HighMultiplier = 0x9E3779B9;
    private const ulong Golden = 0x9E3779B97F4A7C15;

    /// <summary>The key of an update.</summary>
    /// <param name="seed">The run's.</param>
    /// <param name="update">u ≥ 1.</param>
    public static RoundingKey Of(long seed, long update, RoundedValue value)
    {
        ulong mixed = Mix(Mix(Mix((ulong)seed) + (ulong)update) + (ulong)value);
        return new RoundingKey((uint)mixed, (uint)(mixed >> 32));
    }

    /// <summary>32 random bits for as many neighbours as a vector has.</summary>
    /// <param name="place">Place of the first in the flat buffer.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<uint> Bits(long place)
    {
        // Buffers beyond 2³² elements repeat no numbers: the upper half is in the key.
        uint first = First + ((uint)(place >> 32) * HighMultiplier);
        Vector<uint> x = (new Vector<uint>((uint)place) + Vector<uint>.Indices) ^ new Vector<uint>(first);
        x ^= x >>> 16;
        x *= Multiplier1;
        x ^= x >>> 15;
        x += new Vector<uint>(Second);
        x *= Multiplier2;
        return x ^ (x >>> 16);
    }

    /// <summary>The same as numbers in [0, 1), multiples of 2⁻²⁴.</summary>
    /// <param name="place">Place of the first in the flat buffer.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector<float> Uniform(long place) =>
        Vector.ConvertToSingle(Vector.AsVectorInt32(Bits(place) >>> 8)) * (1f / (1 << 24));

    // SplitMix64 (Steele, Lea, Flood 2014).
    private static ulong Mix(ulong value)
    {
        ulong x = value + Golden;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
