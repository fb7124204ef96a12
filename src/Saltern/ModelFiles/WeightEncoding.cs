using System.Runtime.InteropServices;

namespace Saltern.ModelFiles;

/// <summary>Turns float32 values into the bytes of a <see cref="WeightType"/>, rounding to the nearest, ties to even.</summary>
internal static class WeightEncoding
{
    /// <summary>Values of a Q8_0 block, which share a scale.</summary>
    public const int BlockLength = 32;

    private const int BlockBytes = sizeof(ushort) + BlockLength;
    private const float LargestQuant = 127;

    // The smallest normal float32: 1/scale is finite from there, and the scale is 0 as float16 long before.
    private const float SmallestScale = 1.1754944e-38f;

    /// <summary>Bytes of a number of values.</summary>
    /// <param name="values">How many; whole blocks for <see cref="WeightType.Q8"/>.</param>
    public static long Bytes(WeightType type, long values) =>
        type switch
        {
            WeightType.F32 => values * sizeof(float),
            WeightType.BF16 or WeightType.F16 => values * sizeof(ushort),
            WeightType.I8 or WeightType.U8 => values,
            WeightType.Q8 when values % BlockLength == 0 => values / BlockLength * BlockBytes,
            _ => throw new ArgumentOutOfRangeException(
                nameof(values),
                values,
                $"{type} takes whole blocks of {BlockLength} values."
            ),
        };

    /// <summary>Converts values.</summary>
    /// <param name="type">Type to convert to.</param>
    /// <param name="values">Float32; whole blocks for <see cref="WeightType.Q8"/>.</param>
    /// <param name="bytes">Exactly as long as <see cref="Bytes"/> says.</param>
    /// <returns>The first value that the type cannot hold, because it is too large or (in a block) no number; null where all went well.</returns>
    public static float? Encode(WeightType type, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        switch (type)
        {
            case WeightType.F32:
                MemoryMarshal.AsBytes(values).CopyTo(bytes);
                return null;
            case WeightType.BF16:
                return ToBFloat16(values, MemoryMarshal.Cast<byte, ushort>(bytes));
            case WeightType.F16:
                return ToFloat16(values, MemoryMarshal.Cast<byte, Half>(bytes));
            case WeightType.Q8:
                return ToQ8(values, bytes);
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "No weights are written in this type.");
        }
    }

    // The upper half of a float32. Half of what is cut off is added first; a tie goes up only where the result becomes even.
    private static float? ToBFloat16(ReadOnlySpan<float> from, Span<ushort> to)
    {
        const uint magnitude = 0x7FFF_FFFF;
        const uint infinity = 0x7F80_0000;
        const uint quiet = 0x0040_0000;
        for (int i = 0; i < from.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(from[i]);
            bool isNumber = (bits & magnitude) <= infinity;
            if (!isNumber)
            {
                // No number stays none, even where all that said so was in the lower half.
                bits |= (bits & 0x007F_0000) == 0 ? quiet : 0;
            }

            to[i] = (ushort)((isNumber ? bits + 0x7FFF + ((bits >> 16) & 1) : bits) >> 16);
            if (float.IsFinite(from[i]) && (to[i] & 0x7F80) == 0x7F80)
            {
                return from[i];
            }
        }

        return null;
    }

    private static float? ToFloat16(ReadOnlySpan<float> from, Span<Half> to)
    {
        for (int i = 0; i < from.Length; i++)
        {
            to[i] = (Half)from[i];
            if (Half.IsInfinity(to[i]) && float.IsFinite(from[i]))
            {
                return from[i];
            }
        }

        return null;
    }

    // Per block: scale = max|value|/127 as float16, then round(value/scale) as int8, with the unrounded scale and ties away from zero. Source: ggml's quantize_row_q8_0_ref.
    private static float? ToQ8(ReadOnlySpan<float> from, Span<byte> to)
    {
        for (; from.Length > 0; from = from[BlockLength..], to = to[BlockBytes..])
        {
            float largest = 0;
            foreach (float value in from[..BlockLength])
            {
                largest = MathF.Max(largest, MathF.Abs(value)); // passes on what is no number
            }

            float scale = largest / LargestQuant;
            if (!Half.IsFinite((Half)scale))
            {
                return largest;
            }

            float inverse = scale < SmallestScale ? 0 : 1 / scale;

            MemoryMarshal.Write(to, (Half)scale);
            for (int i = 0; i < BlockLength; i++)
            {
                to[sizeof(ushort) + i] = (byte)(sbyte)MathF.Round(from[i] * inverse, MidpointRounding.AwayFromZero);
            }
        }

        return null;
    }
}
