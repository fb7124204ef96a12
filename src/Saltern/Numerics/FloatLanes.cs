// One vocabulary for 8 or 16 float32 lanes, so that each kernel is written once and compiled for both widths.
// .NET has no public interface over Vector256 and Vector512; static abstract members of two one-field structs cost nothing after inlining.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Saltern.Numerics;

/// <summary>Lanes of float32 that kernels compute with.</summary>
internal unsafe interface IFloatLanes<TSelf>
    where TSelf : struct, IFloatLanes<TSelf>
{
    /// <summary>Number of lanes.</summary>
    static abstract int Count { get; }

    /// <summary>The same value in every lane.</summary>
    static abstract TSelf Create(float value);

    /// <summary>Reads consecutive floats.</summary>
    static abstract TSelf Load(float* from);

    /// <summary>Writes consecutive floats.</summary>
    void Store(float* to);

    /// <summary>Reads consecutive bfloat16 numbers.</summary>
    static abstract TSelf LoadBFloat16(ushort* from);

    /// <summary>Rounds to bfloat16, halves to even, and writes.</summary>
    void StoreBFloat16(ushort* to);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator /(TSelf a, TSelf b);

    /// <summary>a·b + c, rounded once.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>Larger of two lanes; NaN if either is.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>A where first ≤ position &lt; end, else zero.</summary>
    static abstract TSelf Within(TSelf a, TSelf position, TSelf first, TSelf end);

    /// <summary>Sum over the lanes, always in the same order.</summary>
    static abstract float Sum(TSelf a);

    /// <summary>Largest lane; NaN if one is.</summary>
    static abstract float Max(TSelf a);

    /// <summary>eˣ: see <see cref="LaneMath"/>.</summary>
    static abstract TSelf Exp(TSelf x);

    /// <summary>eˣ to within 8·10⁻⁶ of it, for what is rounded to bfloat16 or added to what was: half of <see cref="Exp"/>'s operations where the processor scales by powers of two.</summary>
    static abstract TSelf QuickExp(TSelf x);
}

/// <summary>Constants of the exponential that both widths share, and its scalar form for the last elements of a row.</summary>
/// <remarks>
/// eˣ = 2ⁿ·eʳ with n = round(x/ln 2), |r| ≤ ln 2 / 2, and a polynomial of degree 6 for eʳ: at most 2 units in the last place for −87.3 ≤ x ≤ 88. Below that 0, above it the value at 88.37;
/// −∞ gives 0 and NaN stays NaN. Vector512.Exp works in float64 and takes twice the time.
/// </remarks>
internal static class LaneMath
{
    private const float TanhBound = 7.90531110763549805f;

    internal const float Lowest = -87.33654f;
    internal const float Highest = 88.37626f;
    internal const float Log2E = 1.44269504f;
    internal const float Ln2High = 0.693359375f;
    internal const float Ln2Low = -2.12194440e-4f; // ln 2 in two parts, so that n·ln 2 is exact enough
    internal const float P0 = 1.9875691500e-4f;
    internal const float P1 = 1.3981999507e-3f;
    internal const float P2 = 8.3334519073e-3f;
    internal const float P3 = 4.1665795894e-2f;
    internal const float P4 = 1.6666665459e-1f;
    internal const float P5 = 5.0000001201e-1f; // Cephes expf

    // 2ᶠ = 1 + Q1·f + … + Q4·f⁴ for |f| ≤ 1/2, to within 2.8·10⁻⁶: least squares, reweighted until the largest relative error is the smallest, with 2⁰ = 1.
    internal const float Q1 = 0.6931242f;
    internal const float Q2 = 0.24024099f;
    internal const float Q3 = 0.055906426f;
    internal const float Q4 = 0.009582853f;

    /// <summary>tanh to within a few units of its last place: an odd polynomial over an even one in [−7.9, 7.9], beyond which it is ±1 (the rational form of Eigen's ptanh).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tanh<TLanes>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes zero = TLanes.Create(0);
        TLanes least = TLanes.Create(-TanhBound);
        TLanes v = zero - TLanes.Max(zero - TLanes.Max(x, least), least);
        TLanes v2 = v * v;
        TLanes p = TLanes.MultiplyAdd(TLanes.Create(-2.76076847742355e-16f), v2, TLanes.Create(2.00018790482477e-13f));
        p = TLanes.MultiplyAdd(p, v2, TLanes.Create(-8.60467152213735e-11f));
        p = TLanes.MultiplyAdd(p, v2, TLanes.Create(5.12229709037114e-08f));
        p = TLanes.MultiplyAdd(p, v2, TLanes.Create(1.48572235717979e-05f));
        p = TLanes.MultiplyAdd(p, v2, TLanes.Create(6.37261928875436e-04f));
        p = TLanes.MultiplyAdd(p, v2, TLanes.Create(4.89352455891786e-03f));
        TLanes q = TLanes.MultiplyAdd(TLanes.Create(1.19825839466702e-06f), v2, TLanes.Create(1.18534705686654e-04f));
        q = TLanes.MultiplyAdd(q, v2, TLanes.Create(2.26843463243900e-03f));
        q = TLanes.MultiplyAdd(q, v2, TLanes.Create(4.89352518554385e-03f));
        return v * p / q;
    }

    /// <summary>The same steps for one number.</summary>
    public static float Exp(float x)
    {
        if (float.IsNaN(x))
        {
            return x;
        }

        if (x < Lowest)
        {
            return 0f;
        }

        x = MathF.Min(x, Highest);
        float n = MathF.Round(x * Log2E, MidpointRounding.ToEven);
        float r = MathF.FusedMultiplyAdd(-n, Ln2Low, MathF.FusedMultiplyAdd(-n, Ln2High, x));
        float p = MathF.FusedMultiplyAdd(
            MathF.FusedMultiplyAdd(
                MathF.FusedMultiplyAdd(MathF.FusedMultiplyAdd(MathF.FusedMultiplyAdd(P0, r, P1), r, P2), r, P3),
                r,
                P4
            ),
            r,
            P5
        );
        p = MathF.FusedMultiplyAdd(p, r * r, r) + 1f;
        return p * BitConverter.Int32BitsToSingle(((int)n + 127) << 23);
    }
}

/// <summary>8 lanes (AVX2).</summary>
internal readonly unsafe struct Lanes256 : IFloatLanes<Lanes256>
{
    private readonly Vector256<float> _v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes256(Vector256<float> v) => _v = v;

    public static int Count => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* from) => new(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => _v.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadBFloat16(ushort* from)
    {
        var bits = Vector128.Load(from);
        return new(
            Vector256.ShiftLeft(Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)), 16).AsSingle()
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBFloat16(ushort* to)
    {
        Vector256<uint> bits = _v.AsUInt32();
        Vector256<uint> upper = Vector256.ShiftRightLogical(bits, 16);
        Vector256<uint> half = Vector256.Create(BFloat16.Half) + (upper & Vector256<uint>.One);
        Vector256<uint> rounded = Vector256.ConditionalSelect(
            Vector256.Equals(_v, _v).AsUInt32(),
            Vector256.ShiftRightLogical(bits + half, 16),
            upper | Vector256.Create(BFloat16.QuietBit)
        );
        Vector128.Narrow(rounded.GetLower(), rounded.GetUpper()).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Max(Lanes256 a, Lanes256 b) => new(Vector256.Max(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Within(Lanes256 a, Lanes256 position, Lanes256 first, Lanes256 end) =>
        new(a._v & Vector256.GreaterThanOrEqual(position._v, first._v) & Vector256.LessThan(position._v, end._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 a) => Vector256.Sum(a._v);

    public static float Max(Lanes256 a)
    {
        float largest = a._v[0];
        for (int i = 1; i < Count; i++)
        {
            largest = MathF.Max(largest, a._v[i]);
        }

        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Exp(Lanes256 a)
    {
        Vector256<float> x = a._v;
        Vector256<float> clamped = Vector256.Min(
            Vector256.Max(x, Vector256.Create(LaneMath.Lowest)),
            Vector256.Create(LaneMath.Highest)
        );
        Vector256<float> n = Vector256.Round(clamped * Vector256.Create(LaneMath.Log2E));
        Vector256<float> r = Vector256.FusedMultiplyAdd(
            -n,
            Vector256.Create(LaneMath.Ln2Low),
            Vector256.FusedMultiplyAdd(-n, Vector256.Create(LaneMath.Ln2High), clamped)
        );
        Vector256<float> p = Vector256.FusedMultiplyAdd(
            Vector256.Create(LaneMath.P0),
            r,
            Vector256.Create(LaneMath.P1)
        );
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(LaneMath.P2));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(LaneMath.P3));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(LaneMath.P4));
        p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create(LaneMath.P5));
        p = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float>.One;
        Vector256<float> power = Vector256
            .ShiftLeft(Vector256.ConvertToInt32(n) + Vector256.Create(127), 23)
            .AsSingle();
        return new(
            Vector256.ConditionalSelect(
                Vector256.LessThan(x, Vector256.Create(LaneMath.Lowest)),
                Vector256<float>.Zero,
                p * power
            )
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 QuickExp(Lanes256 x) => Exp(x);
}

/// <summary>16 lanes (AVX-512).</summary>
internal readonly unsafe struct Lanes512 : IFloatLanes<Lanes512>
{
    private readonly Vector512<float> _v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes512(Vector512<float> v) => _v = v;

    /// <summary>Whether the processor has them.</summary>
    public static bool AreFast => Vector512.IsHardwareAccelerated;

    public static int Count => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* from) => new(Vector512.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* to) => _v.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBFloat16(ushort* from) =>
        new(Vector512.ShiftLeft(Avx512F.ConvertToVector512UInt32(Vector256.Load(from)), 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreBFloat16(ushort* to)
    {
        Vector512<uint> bits = _v.AsUInt32();
        Vector512<uint> upper = Vector512.ShiftRightLogical(bits, 16);
        Vector512<uint> half = Vector512.Create(BFloat16.Half) + (upper & Vector512<uint>.One);
        Vector512<uint> rounded = Vector512.ConditionalSelect(
            Vector512.Equals(_v, _v).AsUInt32(),
            Vector512.ShiftRightLogical(bits + half, 16),
            upper | Vector512.Create(BFloat16.QuietBit)
        );
        Avx512F.ConvertToVector256UInt16(rounded).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) =>
        new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Vector512.Max(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Within(Lanes512 a, Lanes512 position, Lanes512 first, Lanes512 end) =>
        new(a._v & Vector512.GreaterThanOrEqual(position._v, first._v) & Vector512.LessThan(position._v, end._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 a) => Vector512.Sum(a._v);

    public static float Max(Lanes512 a)
    {
        float largest = a._v[0];
        for (int i = 1; i < Count; i++)
        {
            largest = MathF.Max(largest, a._v[i]);
        }

        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Exp(Lanes512 a)
    {
        Vector512<float> x = a._v;
        Vector512<float> clamped = Vector512.Min(
            Vector512.Max(x, Vector512.Create(LaneMath.Lowest)),
            Vector512.Create(LaneMath.Highest)
        );
        Vector512<float> n = Vector512.Round(clamped * Vector512.Create(LaneMath.Log2E));
        Vector512<float> r = Vector512.FusedMultiplyAdd(
            -n,
            Vector512.Create(LaneMath.Ln2Low),
            Vector512.FusedMultiplyAdd(-n, Vector512.Create(LaneMath.Ln2High), clamped)
        );
        Vector512<float> p = Vector512.FusedMultiplyAdd(
            Vector512.Create(LaneMath.P0),
            r,
            Vector512.Create(LaneMath.P1)
        );
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(LaneMath.P2));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(LaneMath.P3));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(LaneMath.P4));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(LaneMath.P5));
        p = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float>.One;
        Vector512<float> power = Vector512
            .ShiftLeft(Vector512.ConvertToInt32(n) + Vector512.Create(127), 23)
            .AsSingle();
        return new(
            Vector512.ConditionalSelect(
                Vector512.LessThan(x, Vector512.Create(LaneMath.Lowest)),
                Vector512<float>.Zero,
                p * power
            )
        );
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 QuickExp(Lanes512 x)
    {
        // The larger of the two, and x where that is NaN.
        Vector512<float> v = Avx512F.Max(Vector512.Create(LaneMath.Lowest), x._v);
        Vector512<float> n = Vector512.Round(v * Vector512.Create(LaneMath.Log2E));
        Vector512<float> f = Avx512F.FusedMultiplySubtract(v, Vector512.Create(LaneMath.Log2E), n);
        Vector512<float> p = Vector512.FusedMultiplyAdd(
            Vector512.Create(LaneMath.Q4),
            f,
            Vector512.Create(LaneMath.Q3)
        );
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(LaneMath.Q2));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512.Create(LaneMath.Q1));
        p = Vector512.FusedMultiplyAdd(p, f, Vector512<float>.One);
        return new(Avx512F.Scale(p, n));
    }
}
