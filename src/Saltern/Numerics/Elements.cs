// Types in which a pass keeps the numbers that its products read. Kernels compute in float32 lanes; these say how a row is read into them and written from them, so that each
// kernel is written once (FloatLanes.cs does the same for the width of the lanes).
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>A type of stored numbers.</summary>
internal unsafe interface IElement<TSelf>
    where TSelf : unmanaged, IElement<TSelf>
{
    /// <summary>Reads as many numbers as there are lanes.</summary>
    static abstract TLanes Load<TLanes>(TSelf* from)
        where TLanes : struct, IFloatLanes<TLanes>;

    /// <summary>Writes them, rounded to this type.</summary>
    static abstract void Store<TLanes>(TLanes values, TSelf* to)
        where TLanes : struct, IFloatLanes<TLanes>;

    /// <summary>eˣ as exactly as this type can tell.</summary>
    static abstract TLanes Exp<TLanes>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>;

    /// <summary>The number as float32, which holds it exactly.</summary>
    float Value { get; }

    /// <summary>A number rounded to this type.</summary>
    static abstract TSelf Round(float value);
}

/// <summary>float32 as it is.</summary>
internal readonly unsafe struct Float32 : IElement<Float32>
{
    private Float32(float value) => Value = value;

    /// <inheritdoc/>
    public float Value { get; }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(Float32* from)
        where TLanes : struct, IFloatLanes<TLanes> => TLanes.Load((float*)from);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes>(TLanes values, Float32* to)
        where TLanes : struct, IFloatLanes<TLanes> => values.Store((float*)to);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Exp<TLanes>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes> => TLanes.Exp(x);

    /// <inheritdoc/>
    public static Float32 Round(float value) => new(value);
}

/// <summary>bfloat16: the upper half of a float32, 8 bits of precision; rounded halves to even, NaN stays NaN.</summary>
internal readonly unsafe struct BFloat16 : IElement<BFloat16>
{
    /// <summary>Added, with the lowest kept bit, before the lower half is cut off.</summary>
    internal const uint Half = 0x7FFF;

    /// <summary>Keeps a NaN whose payload is all in the lower half from becoming infinite.</summary>
    internal const uint QuietBit = 0x40;

    private readonly ushort _bits;

    private BFloat16(uint bits) => _bits = (ushort)bits;

    /// <inheritdoc/>
    public float Value => BitConverter.UInt32BitsToSingle((uint)_bits << 16);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(BFloat16* from)
        where TLanes : struct, IFloatLanes<TLanes> => TLanes.LoadBFloat16((ushort*)from);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes>(TLanes values, BFloat16* to)
        where TLanes : struct, IFloatLanes<TLanes> => values.StoreBFloat16((ushort*)to);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Exp<TLanes>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes> => TLanes.QuickExp(x);

    /// <inheritdoc/>
    public static BFloat16 Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return new((bits >> 16) | QuietBit);
        }

        return new((bits + Half + ((bits >> 16) & 1)) >> 16);
    }
}
