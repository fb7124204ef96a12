using System.Runtime.InteropServices;
using Saltern.ModelFiles;

namespace Saltern.Tests.ModelFiles;

public class WeightEncodingTests
{
    [Fact]
    public void EveryBFloat16_ComesBack()
    {
        ushort[] all = [.. Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits)];
        float[] widened = [.. all.Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))];
        Assert.Equal(all, Encode<ushort>(WeightType.BF16, widened)); // infinities and what is no number too
    }

    [Fact]
    public void EveryFloat16_ComesBack()
    {
        Half[] all = [.. Enumerable.Range(0, 1 << 16).Select(bits => BitConverter.UInt16BitsToHalf((ushort)bits))];
        Assert.Equal(all, Encode<Half>(WeightType.F16, [.. all.Select(value => (float)value)]));
    }

    [Theory]
    [InlineData(0x3F80_0000u, 0x3F80)] // 1
    [InlineData(0x3F80_8000u, 0x3F80)] // in the middle of 0x3F80 and 0x3F81: the even one
    [InlineData(0x3F81_8000u, 0x3F82)] // in the middle of 0x3F81 and 0x3F82
    [InlineData(0x3F80_8001u, 0x3F81)] // just above the middle
    [InlineData(0xBF80_7FFFu, 0xBF80)] // just below it
    [InlineData(0x7F80_0001u, 0x7FC0)] // no number, by its last bit alone: not infinite
    public void BFloat16_IsTheNearest_AndTheEvenOneOfTwo(uint value, int expected) =>
        Assert.Equal((ushort)expected, Encode<ushort>(WeightType.BF16, BitConverter.UInt32BitsToSingle(value))[0]);

    [Fact]
    public void Q8_IsWhatTheFormatsReferenceGives()
    {
        // Largest 254: scale 2 = 0x4000 as float16. 1 and −1 are halves of it: 0.5 goes away from zero, to ±1; 3 becomes 2; 253 becomes 127 (126.5).
        float[] block = [254, 1, -1, 3, 253, -254, .. new float[26]];
        byte[] bytes = Encode<byte>(WeightType.Q8, [.. block, .. new float[32]]);
        Assert.Equal(
            [0x00, 0x40, 127, 1, unchecked((byte)-1), 2, 127, unchecked((byte)-127), .. new byte[26]],
            bytes[..34]
        );
        Assert.Equal(new byte[34], bytes[34..]); // zeros have the scale zero
    }

    [Fact]
    public void Q8_OfTinyValues_IsZero()
    {
        byte[] bytes = Encode<byte>(WeightType.Q8, [1e-44f, .. new float[31]]);
        Assert.Equal(new byte[34], bytes);
    }

    [Theory]
    [InlineData(WeightType.F16, 65520f)] // float16 ends at 65504; from the middle to the next power on, it would become infinite
    [InlineData(WeightType.BF16, float.MaxValue)]
    [InlineData(WeightType.Q8, 1e7f)] // scale 78740
    [InlineData(WeightType.Q8, float.NaN)]
    [InlineData(WeightType.Q8, float.PositiveInfinity)]
    public void WhatATypeCannotHold_IsNamed(Enum stored, float value)
    {
        var type = (WeightType)stored;
        float[] values = [1, value, .. new float[30]];
        Assert.Equal(value, WeightEncoding.Encode(type, values, new byte[WeightEncoding.Bytes(type, values.Length)]));
    }

    [Fact]
    public void NothingButWholeBlocks_IsCounted() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightEncoding.Bytes(WeightType.Q8, 33));

    private static T[] Encode<T>(WeightType type, params float[] values)
        where T : unmanaged
    {
        byte[] bytes = new byte[WeightEncoding.Bytes(type, values.Length)];
        Assert.Null(WeightEncoding.Encode(type, values, bytes));
        return MemoryMarshal.Cast<byte, T>(bytes).ToArray();
    }
}
