// Weights in three bytes or two: a bfloat16 number that products read, and a byte that says what was cut off.
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>float32 numbers as bfloat16 ones with, or without, 8 more bits of mantissa.</summary>
/// <remarks>
/// With them a number is the upper 24 bits u of a float32: the upper part is u rounded to 16 bits, halves away from zero, and the lower one what is missing, u − 256·upper, from −128 to 127.
/// So the upper part alone is the bfloat16 number next to the weight. One operation an element: the same bits for any vector width.
/// </remarks>
internal static unsafe class SplitNumbers
{
    private const uint Exponent = 0x7F800000;
    private const uint Magnitude = 0x7FFFFFFF;
    private const uint QuietBit = 0x40;

    /// <summary>Joins numbers again.</summary>
    /// <param name="lower">Null where there are upper parts alone.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Join(ushort* upper, sbyte* lower, float* to, long count)
    {
        long i = 0;
        for (; i <= count - Vector<sbyte>.Count; i += Vector<sbyte>.Count)
        {
            Vector<sbyte> low = lower is null ? Vector<sbyte>.Zero : Vector.Load(lower + i);
            Vector.Widen(low, out Vector<short> first, out Vector<short> second);
            JoinHalf(upper + i, first, to + i);
            JoinHalf(upper + i + Vector<short>.Count, second, to + i + Vector<short>.Count);
        }

        for (; i < count; i++)
        {
            uint bits = ((uint)upper[i] << 16) + (uint)((lower is null ? 0 : lower[i]) << 8);
            to[i] = BitConverter.UInt32BitsToSingle(bits);
        }
    }

    /// <summary>Splits numbers, each rounded to the nearest that can be kept.</summary>
    /// <param name="lower">Null where only upper parts are kept.</param>
    public static void SplitNearest(float* from, ushort* upper, sbyte* lower, long count)
    {
        int cut = lower is null ? 16 : 8;
        for (long i = 0; i < count; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(from[i]);
            Put(bits, ((1u << (cut - 1)) - 1) + ((bits >> cut) & 1), upper, lower, i);
        }
    }

    /// <summary>Splits numbers, each rounded stochastically to one of its two neighbours, so that its mean is itself.</summary>
    /// <param name="lower">Null where only upper parts are kept.</param>
    /// <param name="place">Place of the first in the flat buffer.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SplitRandomly(float* from, ushort* upper, sbyte* lower, long count, long place, RoundingKey key)
    {
        long i = 0;
        for (; i <= count - Vector<sbyte>.Count; i += Vector<sbyte>.Count)
        {
            int lanes = Vector<uint>.Count;
            (Vector<uint> u0, Vector<int> l0) = Split(from + i, key.Bits(place + i), lower is null);
            (Vector<uint> u1, Vector<int> l1) = Split(from + i + lanes, key.Bits(place + i + lanes), lower is null);
            long next = i + (2 * lanes);
            (Vector<uint> u2, Vector<int> l2) = Split(from + next, key.Bits(place + next), lower is null);
            next += lanes;
            (Vector<uint> u3, Vector<int> l3) = Split(from + next, key.Bits(place + next), lower is null);
            Vector.Narrow(u0, u1).Store(upper + i);
            Vector.Narrow(u2, u3).Store(upper + i + Vector<ushort>.Count);
            if (lower is not null)
            {
                Vector.Narrow(Vector.Narrow(l0, l1), Vector.Narrow(l2, l3)).Store(lower + i);
            }
        }

        for (; i < count; i++)
        {
            uint random = key.Bits(place + i)[0];
            Put(BitConverter.SingleToUInt32Bits(from[i]), random >> (lower is null ? 16 : 24), upper, lower, i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void JoinHalf(ushort* upper, Vector<short> lower, float* to)
    {
        Vector.Widen(Vector.Load(upper), out Vector<uint> high0, out Vector<uint> high1);
        Vector.Widen(lower, out Vector<int> low0, out Vector<int> low1);
        Vector.AsVectorSingle((high0 << 16) + Vector.AsVectorUInt32(low0 << 8)).Store(to);
        Vector.AsVectorSingle((high1 << 16) + Vector.AsVectorUInt32(low1 << 8)).Store(to + Vector<int>.Count);
    }

    // As Put, in lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector<uint> Upper, Vector<int> Lower) Split(float* from, Vector<uint> random, bool isUpperAlone)
    {
        Vector<float> values = Vector.Load(from);
        Vector<uint> bits = Vector.AsVectorUInt32(values);
        Vector<uint> exponent = new(Exponent);
        Vector<uint> special = Vector.Equals(bits & exponent, exponent);
        Vector<uint> noNumber = Vector.AndNot(
            new Vector<uint>(QuietBit),
            Vector.AsVectorUInt32(Vector.Equals(values, values))
        );
        Vector<uint> cut = (bits >>> 16) | noNumber;
        if (isUpperAlone)
        {
            return (Vector.ConditionalSelect(special, cut, (bits + (random >>> 16)) >>> 16), Vector<int>.Zero);
        }

        Vector<uint> kept = (bits + (random >>> 24)) >>> 8;
        Vector<uint> upper = (kept + new Vector<uint>(0x80)) >>> 8;
        Vector<int> lower = Vector.AsVectorInt32(kept - (upper << 8));
        return (Vector.ConditionalSelect(special, cut, upper), Vector.AndNot(lower, Vector.AsVectorInt32(special)));
    }

    // What is no finite number is cut, a NaN made a quiet one, so that it stays one.
    private static void Put(uint bits, uint added, ushort* upper, sbyte* lower, long at)
    {
        if ((bits & Exponent) == Exponent)
        {
            upper[at] = (ushort)((bits >> 16) | ((bits & Magnitude) > Exponent ? QuietBit : 0));
            if (lower is not null)
            {
                lower[at] = 0;
            }
        }
        else if (lower is null)
        {
            upper[at] = (ushort)((bits + added) >> 16);
        }
        else
        {
            uint kept = (bits + added) >> 8;
            uint high = (kept + 0x80) >> 8;
            (upper[at], lower[at]) = ((ushort)high, (sbyte)(int)(kept - (high << 8)));
        }
    }
}
