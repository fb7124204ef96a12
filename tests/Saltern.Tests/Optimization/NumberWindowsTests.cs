using Saltern.Numerics;
using Saltern.Optimization;

namespace Saltern.Tests.Optimization;

/// <summary>Numbers in a byte, or in bfloat16, against formulas in float64 and a scalar random function.</summary>
public unsafe class NumberWindowsTests
{
    private const int Length = NumberWindows.Length;
    private const long Seed = 7;

    [Theory]
    [InlineData(0L)]
    [InlineData(256L * 3)]
    [InlineData((1L << 32) - 256)] // the last window whose places fit into 32 bits
    [InlineData(1L << 33)]
    public void Random_IsThatOfTheScalarFunction(long place)
    {
        var key = RoundingKey.Of(Seed, 5, RoundedValue.Second);
        for (int i = 0; i < Length; i += System.Numerics.Vector<uint>.Count)
        {
            for (int lane = 0; lane < System.Numerics.Vector<uint>.Count; lane++)
            {
                Assert.Equal(ScalarRounding.Bits(key, place + i + lane), key.Bits(place + i)[lane]);
                Assert.Equal(ScalarRounding.Uniform(key, place + i + lane), key.Uniform(place + i)[lane]);
            }
        }
    }

    [Fact]
    public void Keys_DifferInEachOfTheirParts()
    {
        RoundingKey[] keys =
        [
            RoundingKey.Of(1, 1, RoundedValue.First),
            RoundingKey.Of(2, 1, RoundedValue.First),
            RoundingKey.Of(1, 2, RoundedValue.First),
            RoundingKey.Of(1, 1, RoundedValue.Second),
            RoundingKey.Of(1, 1, RoundedValue.Weight),
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());

        // 256 numbers of each: means of 0.5 within 6 deviations of 0.289/16, and no two alike.
        Assert.All(
            keys,
            key => Assert.InRange(Enumerable.Range(0, Length).Average(i => ScalarRounding.Uniform(key, i)), 0.39, 0.61)
        );
        Assert.Equal(keys.Length, keys.Select(key => ScalarRounding.Bits(key, 3)).Distinct().Count());
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(1e-20)]
    [InlineData(1e20)]
    public void SignedCodes_AreTheNeighboursThatTheRandomNumbersName(double size)
    {
        float[] values = Values(size, signed: true);
        var key = RoundingKey.Of(Seed, 1, RoundedValue.First);
        sbyte[] codes = new sbyte[Length];
        float[] back = new float[Length];
        float scale = Signed(values, codes, back, 512, key);
        Assert.Equal(values.Max(MathF.Abs), scale);
        for (int i = 0; i < Length; i++)
        {
            double share = Math.Abs((double)values[i]) / scale;
            int lower = Math.Min(126, (int)(Math.Sqrt(share) * 127));
            double part = ((share * 127 * 127) - (lower * lower)) / ((2 * lower) + 1);
            double random = ScalarRounding.Uniform(key, 512 + i);

            // float32 against float64: the part is a difference of numbers of up to 16,129.
            if (Math.Abs(random - part) > 1e-2)
            {
                int expected = (random < part ? lower + 1 : lower) * Math.Sign(values[i]);
                Assert.Equal(expected, codes[i]);
            }

            Assert.InRange(Math.Abs(codes[i]), lower, lower + 1);
            Assert.Equal(codes[i] / 127.0 * Math.Abs(codes[i] / 127.0) * scale, back[i], 1e-6 * scale);
        }
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(1e-30)]
    [InlineData(1e30)]
    public void UnsignedCodes_AreTheNeighboursThatTheRandomNumbersName(double size)
    {
        float[] values = Values(size, signed: false);
        var key = RoundingKey.Of(Seed, 1, RoundedValue.Second);
        byte[] codes = new byte[Length];
        float[] back = new float[Length];
        float scale = Unsigned(values, codes, back, 256, key);
        Assert.Equal(values.Max(), scale);
        for (int i = 0; i < Length; i++)
        {
            double share = (double)values[i] / scale;
            if (share == 0)
            {
                Assert.Equal(0, codes[i]);
                continue;
            }

            int lower = Math.Clamp((int)(Math.Sqrt(Math.Sqrt(share)) * 255), 1, 254);
            double floor = Math.Pow(lower / 255.0, 4);
            double part = (share - floor) / (Math.Pow((lower + 1) / 255.0, 4) - floor);
            double random = ScalarRounding.Uniform(key, 256 + i);
            if (Math.Abs(random - part) > 1e-2)
            {
                Assert.Equal(random < part ? lower + 1 : lower, codes[i]);
            }

            Assert.InRange(codes[i], lower, lower + 1);
            Assert.Equal(Math.Pow(codes[i] / 255.0, 4) * scale, back[i], 1e-6 * scale);
        }
    }

    [Fact]
    public void SecondMomentsAboveZero_NeverBecomeZero()
    {
        float[] values = new float[Length];
        values[0] = 1;
        values[1] = 1e-30f;
        values[2] = 0;
        byte[] codes = new byte[Length];
        float[] back = new float[Length];
        for (int update = 1; update <= 50; update++)
        {
            Unsigned(values, codes, back, 0, RoundingKey.Of(Seed, update, RoundedValue.Second));
            Assert.Equal(1f, back[0]);
            Assert.InRange(back[1], 1e-10f, 1e-9f); // (1/255)⁴ = 2.4e-10
            Assert.Equal(0f, back[2]);
        }
    }

    [Fact]
    public void NothingButZeros_StaysZero()
    {
        float[] back = new float[Length];
        Assert.Equal(
            0f,
            Signed(new float[Length], new sbyte[Length], back, 0, RoundingKey.Of(1, 1, RoundedValue.First))
        );
        Assert.All(back, value => Assert.Equal(0f, value));
        Assert.Equal(
            0f,
            Unsigned(new float[Length], new byte[Length], back, 0, RoundingKey.Of(1, 1, RoundedValue.Second))
        );
        Assert.All(back, value => Assert.Equal(0f, value));
    }

    [Theory]
    [InlineData("signed")]
    [InlineData("unsigned")]
    [InlineData("bf16")]
    public void TheMeanOfManyRoundings_IsTheNumber(string form)
    {
        const int Times = 4_000;
        float[] values = Values(1, signed: form != "unsigned");
        double[] sums = new double[Length];
        double[] squares = new double[Length];
        for (int update = 1; update <= Times; update++)
        {
            float[] back = new float[Length];
            var key = RoundingKey.Of(Seed, update, RoundedValue.First);
            switch (form)
            {
                case "signed":
                    Signed(values, new sbyte[Length], back, 0, key);
                    break;
                case "unsigned":
                    Unsigned(values, new byte[Length], back, 0, key);
                    break;
                default:
                    BFloat16(values, back, 0, key);
                    break;
            }

            for (int i = 0; i < Length; i++)
            {
                sums[i] += back[i];
                squares[i] += (double)back[i] * back[i];
            }
        }

        for (int i = 0; i < Length; i++)
        {
            double mean = sums[i] / Times;
            double deviation = Math.Sqrt(Math.Max(0, (squares[i] / Times) - (mean * mean)) / Times);

            // Second moments below the lowest code are lifted to it; 5 deviations, of 256 numbers.
            if (form != "unsigned" || values[i] > 1e-8f)
            {
                Assert.Equal(values[i], mean, (5 * deviation) + (2e-6 * Math.Abs(values[i])) + 1e-9);
            }
        }
    }

    [Fact]
    public void BFloat16_KeepsWhatIsNoFiniteNumber()
    {
        float[] values = new float[Length];
        values[0] = float.NaN;
        values[1] = BitConverter.UInt32BitsToSingle(0x7F800001); // all that says so is in the lower half
        values[2] = BitConverter.UInt32BitsToSingle(0x7FFFFFFF); // a carry would make it -0
        values[3] = float.PositiveInfinity;
        values[4] = float.NegativeInfinity;
        float[] back = new float[Length];
        BFloat16(values, back, 0, RoundingKey.Of(1, 1, RoundedValue.Weight));
        Assert.All(back[..3], value => Assert.True(float.IsNaN(value)));
        Assert.Equal([float.PositiveInfinity, float.NegativeInfinity], back[3..5]);
    }

    [Fact]
    public void Pieces_EndAtMultiplesOfTheFlatBuffer()
    {
        Assert.Equal([(0L, 56L), (56L, 256L), (312L, 8L)], NumberWindows.Pieces(200, 320, 256));
        Assert.Equal(3, NumberWindows.Touched(200, 320));
        Assert.Equal(1, NumberWindows.Touched(256, 256));
        Assert.Equal(2, NumberWindows.Touched(255, 2));
    }

    // Over four decades, and some zeros.
    private static float[] Values(double size, bool signed)
    {
        var random = new Random(3);
        float[] values = new float[Length];
        for (int i = 0; i < Length; i++)
        {
            double magnitude = size * Math.Pow(10, -4 * random.NextDouble());
            if (i % 17 > 0)
            {
                values[i] = (float)(signed && random.Next(2) == 0 ? -magnitude : magnitude);
            }
        }

        return values;
    }

    private static float Signed(float[] values, sbyte[] codes, float[] back, long place, RoundingKey key)
    {
        fixed (float* x = values)
        fixed (sbyte* q = codes)
        fixed (float* y = back)
        {
            float scale = NumberWindows.EncodeSigned(x, q, place, key);
            NumberWindows.DecodeSigned(q, scale, y);
            return scale;
        }
    }

    private static float Unsigned(float[] values, byte[] codes, float[] back, long place, RoundingKey key)
    {
        fixed (float* x = values)
        fixed (byte* q = codes)
        fixed (float* y = back)
        {
            float scale = NumberWindows.EncodeUnsigned(x, q, place, key);
            NumberWindows.DecodeUnsigned(q, scale, y);
            return scale;
        }
    }

    private static void BFloat16(float[] values, float[] back, long place, RoundingKey key)
    {
        ushort* halves = stackalloc ushort[Length];
        fixed (float* x = values)
        fixed (float* y = back)
        {
            NumberWindows.RoundToBFloat16(x, halves, place, key);
            NumberWindows.WidenBFloat16(halves, y);
        }
    }
}

/// <summary>The random numbers of roundings, one at a time and written out again.</summary>
internal static class ScalarRounding
{
    public static uint Bits(RoundingKey key, long place)
    {
        uint x = (uint)place ^ (key.First + ((uint)(place >> 32) * 0x9E3779B9));
        x ^= x >> 16;
        x *= 0x7FEB352D;
        x ^= x >> 15;
        x += key.Second;
        x *= 0x846CA68B;
        x ^= x >> 16;
        return x;
    }

    public static float Uniform(RoundingKey key, long place) => (Bits(key, place) >> 8) / 16777216f;
}
