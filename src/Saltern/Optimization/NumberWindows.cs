// Numbers in fewer bytes, 256 at a time. A window is 256 neighbours of the flat buffer, counted from its start, so that where numbers are cut among ranks changes nothing.
using System.Numerics;
using System.Runtime.CompilerServices;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>How numbers between updates are kept.</summary>
internal enum NumberForm
{
    /// <summary>As they are.</summary>
    Float32,

    /// <summary>The upper 16 bits of each, rounded stochastically.</summary>
    BFloat16,

    /// <summary>A signed byte q each and a float32 scale s per window: s·sign(q)·(q/127)².</summary>
    Signed8,

    /// <summary>An unsigned byte q each and a float32 scale s per window: s·(q/255)⁴. Never 0 for a number above 0: a second moment is divided by.</summary>
    Unsigned8,
}

/// <summary>Turns windows of float32 numbers into fewer bytes and back; every rounding is stochastic, so that its mean is the number.</summary>
/// <remarks>
/// Blocks with a scale of their own, and finer steps near 0, are arXiv:2110.02861's (8-bit Adam: blocks of 2,048 and a tree of decades; here powers, which need no table).
/// One operation an element, in one order: the same bits for any vector width.
/// </remarks>
internal static unsafe class NumberWindows
{
    /// <summary>Numbers of a window.</summary>
    public const int Length = 256;

    private const float Levels1 = 127;
    private const float Levels2 = 255;
    private const uint Exponent = 0x7F800000;
    private const uint QuietBit = 0x40;

    /// <summary>Windows that a stretch of the flat buffer touches.</summary>
    public static long Touched(long start, long length) => ((start + length - 1) / Length) - (start / Length) + 1;

    /// <summary>Cuts a stretch of the flat buffer at multiples of some windows; the cuts do not depend on the number of threads.</summary>
    /// <param name="start">First element in the flat buffer.</param>
    /// <param name="most">Most elements of a piece, whole windows.</param>
    /// <returns>First element, counted from the start, and length of each.</returns>
    public static IEnumerable<(long First, long Length)> Pieces(long start, long length, int most)
    {
        long at = start;
        while (at < start + length)
        {
            long end = Math.Min(start + length, (at / most * most) + most);
            yield return (at - start, end - at);
            at = end;
        }
    }

    /// <summary>Bytes of each number, the scales apart.</summary>
    public static int Bytes(NumberForm form) =>
        form switch
        {
            NumberForm.Float32 => sizeof(float),
            NumberForm.BFloat16 => sizeof(ushort),
            _ => 1,
        };

    /// <summary>Codes of a window of numbers of either sign.</summary>
    /// <param name="x">256 numbers.</param>
    /// <param name="place">The window's first place in the flat buffer.</param>
    /// <returns>The scale: the largest magnitude.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float EncodeSigned(float* x, sbyte* codes, long place, RoundingKey key)
    {
        float scale = Largest(x);
        if (scale == 0)
        {
            new Span<sbyte>(codes, Length).Clear();
            return 0;
        }

        int* wide = stackalloc int[Length];
        Vector<float> divisor = new(scale);
        for (int i = 0; i < Length; i += Vector<float>.Count)
        {
            Vector<float> value = Vector.Load(x + i);
            Vector<float> share = Vector.Abs(value) / divisor;
            Vector<int> lower = Vector.Min(
                Vector.ConvertToInt32(Vector.SquareRoot(share) * Levels1),
                new Vector<int>((int)Levels1 - 1)
            );
            Vector<float> low = Vector.ConvertToSingle(lower);

            // Between q² and (q + 1)², 2q + 1 apart.
            Vector<float> part = ((share * (Levels1 * Levels1)) - (low * low)) / ((low * 2f) + Vector<float>.One);
            Vector<int> code = lower - Vector.LessThan(key.Uniform(place + i), part);
            Vector<int> negative = Vector.LessThan(value, Vector<float>.Zero);
            ((code ^ negative) - negative).Store(wide + i);
        }

        Narrow(wide, codes);
        return scale;
    }

    /// <summary>The numbers that codes stand for.</summary>
    /// <param name="codes">256 of them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DecodeSigned(sbyte* codes, float scale, float* x)
    {
        for (int i = 0; i < Length; i += Vector<sbyte>.Count)
        {
            Vector.Widen(Vector.Load(codes + i), out Vector<short> first, out Vector<short> second);
            DecodeSigned(first, scale, x + i);
            DecodeSigned(second, scale, x + i + Vector<short>.Count);
        }
    }

    /// <summary>Codes of a window of numbers of at least 0.</summary>
    /// <param name="x">256 numbers.</param>
    /// <param name="place">The window's first place in the flat buffer.</param>
    /// <returns>The scale: the largest number.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float EncodeUnsigned(float* x, byte* codes, long place, RoundingKey key)
    {
        float scale = Largest(x);
        if (scale == 0)
        {
            new Span<byte>(codes, Length).Clear();
            return 0;
        }

        int* wide = stackalloc int[Length];
        Vector<float> divisor = new(scale);
        const float Levels4 = Levels2 * Levels2 * Levels2 * Levels2;
        for (int i = 0; i < Length; i += Vector<float>.Count)
        {
            Vector<float> share = Vector.Load(x + i) / divisor;
            Vector<float> root = Vector.SquareRoot(Vector.SquareRoot(share)) * Levels2;
            Vector<int> lower = Vector.Max(
                Vector.Min(Vector.ConvertToInt32(root), new Vector<int>((int)Levels2 - 1)),
                Vector<int>.One
            );
            Vector<float> low = Vector.ConvertToSingle(lower);
            Vector<float> high = low + Vector<float>.One;
            Vector<float> floor = low * low * (low * low);
            Vector<float> part = ((share * Levels4) - floor) / ((high * high * (high * high)) - floor);
            Vector<int> code = lower - Vector.LessThan(key.Uniform(place + i), part);
            Vector.AndNot(code, Vector.Equals(share, Vector<float>.Zero)).Store(wide + i);
        }

        Narrow(wide, (sbyte*)codes);
        return scale;
    }

    /// <summary>The numbers that codes stand for.</summary>
    /// <param name="codes">256 of them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DecodeUnsigned(byte* codes, float scale, float* x)
    {
        for (int i = 0; i < Length; i += Vector<byte>.Count)
        {
            Vector.Widen(Vector.Load(codes + i), out Vector<ushort> first, out Vector<ushort> second);
            DecodeUnsigned(first, scale, x + i);
            DecodeUnsigned(second, scale, x + i + Vector<ushort>.Count);
        }
    }

    /// <summary>The upper halves of a window of numbers.</summary>
    /// <param name="x">256 numbers.</param>
    /// <param name="place">The window's first place in the flat buffer.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RoundToBFloat16(float* x, ushort* to, long place, RoundingKey key)
    {
        for (int i = 0; i < Length; i += Vector<ushort>.Count)
        {
            int next = i + Vector<uint>.Count;
            Vector.Narrow(Upper(x + i, key.Bits(place + i)), Upper(x + next, key.Bits(place + next))).Store(to + i);
        }
    }

    /// <summary>bfloat16 as float32.</summary>
    /// <param name="from">256 numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WidenBFloat16(ushort* from, float* x)
    {
        for (int i = 0; i < Length; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.Load(from + i), out Vector<uint> first, out Vector<uint> second);
            Vector.AsVectorSingle(first << 16).Store(x + i);
            Vector.AsVectorSingle(second << 16).Store(x + i + Vector<uint>.Count);
        }
    }

    // The lower bits carry into the upper ones with their own probability. What is no finite number is cut, a NaN made a quiet one, so that it stays one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Upper(float* x, Vector<uint> random)
    {
        Vector<float> values = Vector.Load(x);
        Vector<uint> bits = Vector.AsVectorUInt32(values);
        Vector<uint> exponent = new(Exponent);
        Vector<uint> special = Vector.Equals(bits & exponent, exponent);
        Vector<uint> number = Vector.AsVectorUInt32(Vector.Equals(values, values));
        Vector<uint> upper = (bits + Vector.AndNot(random >>> 16, special)) >>> 16;
        return upper | Vector.AndNot(new Vector<uint>(QuietBit), number);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeSigned(Vector<short> codes, float scale, float* x)
    {
        Vector.Widen(codes, out Vector<int> first, out Vector<int> second);
        DecodeSigned(first, scale, x);
        DecodeSigned(second, scale, x + Vector<int>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeSigned(Vector<int> codes, float scale, float* x)
    {
        Vector<float> share = Vector.ConvertToSingle(codes) / Levels1;
        (share * Vector.Abs(share) * scale).Store(x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeUnsigned(Vector<ushort> codes, float scale, float* x)
    {
        Vector.Widen(codes, out Vector<uint> first, out Vector<uint> second);
        DecodeUnsigned(first, scale, x);
        DecodeUnsigned(second, scale, x + Vector<uint>.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DecodeUnsigned(Vector<uint> codes, float scale, float* x)
    {
        Vector<float> share = Vector.ConvertToSingle(Vector.AsVectorInt32(codes)) / Levels2;
        Vector<float> square = share * share;
        (square * square * scale).Store(x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(float* x)
    {
        Vector<float> largest = Vector<float>.Zero;
        for (int i = 0; i < Length; i += Vector<float>.Count)
        {
            largest = Vector.Max(largest, Vector.Abs(Vector.Load(x + i)));
        }

        float result = 0;
        for (int i = 0; i < Vector<float>.Count; i++)
        {
            result = MathF.Max(result, largest[i]);
        }

        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Narrow(int* from, sbyte* to)
    {
        int lanes = Vector<int>.Count;
        for (int i = 0; i < Length; i += 4 * lanes)
        {
            int* at = from + i;
            Vector<short> first = Vector.Narrow(Vector.Load(at), Vector.Load(at + lanes));
            Vector<short> second = Vector.Narrow(Vector.Load(at + (2 * lanes)), Vector.Load(at + (3 * lanes)));
            Vector.Narrow(first, second).Store(to + i);
        }
    }
}
