using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;
using BFloat16 = Saltern.Numerics.BFloat16;

namespace Saltern.Tests.Numerics;

// Products of bfloat16 operands against the same numbers multiplied in float64: sums of float32 are all that may differ.
public unsafe class BFloat16ProductTests
{
    private static readonly ParallelOptions TwoThreads = new() { MaxDegreeOfParallelism = 2 };

    public static TheoryData<int, int, int, bool> Sizes =>
        new()
        {
            // rows, depth, columns, bias: whole blocks; one row; tails of every power of two; an odd depth; more than one slice, piece and panel
            { 64, 64, 64, false },
            { 1, 2, 1, true },
            { 63, 30, 65, true },
            { 130, 33, 40, false },
            { 300, 1_100, 577, true },
            { 520, 512, 128, false },
        };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Products_AreFloat32SumsOfTheRoundedOperands(int rows, int depth, int columns, bool hasBias)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        manual_seed(rows);
        int stride = BFloat16Pairs.Even(depth);
        Tensor a = cat([randn(rows, depth), zeros(rows, stride - depth)], dim: 1).contiguous();
        Tensor w = randn(columns, depth);
        Tensor b = randn(depth, columns);
        Tensor bias = randn(columns);
        float* added = hasBias ? Start(bias) : null;
        Tensor wide = Exact(a.narrow(1, 0, depth));
        using var left = new Halves((long)rows * stride);
        BFloat16Pairs.Round(Start(a), left.Start, rows, stride, TwoThreads);
        using var packed = new Halves(BFloat16Pairs.Length(depth, columns));
        Tensor y = zeros(rows, columns);

        BFloat16Pairs.PackTransposed(Start(w), depth, columns, packed.Start, TwoThreads);
        BFloat16Product.Multiply(
            left.Start,
            stride,
            rows,
            depth,
            packed.Start,
            columns,
            added,
            Start(y),
            add: false,
            TwoThreads
        );
        Tensor shift = hasBias ? bias.to(ScalarType.Float64) : zeros(columns, ScalarType.Float64);
        Tensor expected = wide.mm(Exact(w).t()) + shift;
        AssertClose(y, expected, 1e-6);

        // Added to what is there, with the other way of packing.
        BFloat16Pairs.Pack(Start(b), depth, columns, packed.Start, TwoThreads);
        BFloat16Product.Multiply(
            left.Start,
            stride,
            rows,
            depth,
            packed.Start,
            columns,
            null,
            Start(y),
            add: true,
            TwoThreads
        );
        AssertClose(y, expected + wide.mm(Exact(b)), 1e-6);

        using var rounded = new Halves((long)rows * columns);
        BFloat16Product.Multiply(
            left.Start,
            stride,
            rows,
            depth,
            packed.Start,
            columns,
            added,
            rounded.Start,
            TwoThreads
        );
        AssertClose(Widened(rounded.Start, rows, columns), wide.mm(Exact(b)) + shift, 0.003); // half a unit of 8 bits
    }

    [Theory]
    [InlineData(64, 64, 64)]
    [InlineData(1, 3, 200)]
    [InlineData(97, 200, 30)] // the gradient is the wider one: blocks are turned
    [InlineData(700, 30, 200)]
    [InlineData(1_030, 130, 66)]
    public void WeightGradients_AreAddedWhicheverOperandIsTheNarrower(int rows, int m, int columns)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        manual_seed(rows);
        Tensor g = randn(rows, m);
        Tensor x = randn(rows, columns);
        Tensor before = randn(m, columns);
        Tensor sums = zeros(m);
        Tensor[] found =
        [
            .. new[] { 1, 2, 3 }.Select(threads =>
            {
                var parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
                using var left = new Halves((long)rows * m);
                using var right = new Halves((long)rows * columns);
                using var room = new Halves(BFloat16Product.RoomOfTransposed(rows, m, columns));
                BFloat16Pairs.Round(Start(g), left.Start, rows, m, parallel);
                BFloat16Pairs.Round(Start(x), right.Start, rows, columns, parallel);
                Tensor c = before.clone();
                BFloat16Product.AddTransposed(
                    left.Start,
                    m,
                    rows,
                    m,
                    right.Start,
                    columns,
                    room.Start,
                    Start(c),
                    parallel
                );
                sums.zero_();
                BFloat16Product.AddColumnSums(left.Start, rows, m, Start(sums), parallel);
                return c;
            }),
        ];
        AssertClose(found[0], before.to(ScalarType.Float64) + Exact(g).t().mm(Exact(x)), 1e-6);
        AssertClose(sums, Exact(g).sum(dim: 0L), 1e-5);
        Assert.True(found[0].equal(found[1]).all().item<bool>(), "two threads give other bits than one");
        Assert.True(found[0].equal(found[2]).all().item<bool>(), "three threads give other bits than one");
    }

    [Fact]
    public void TheKernels_AreExportedByLibtorch()
    {
        InitializeDeviceType(DeviceType.CPU);
        Assert.True(BFloat16Product.IsExported);
    }

    [Fact]
    public void Rounding_IsLibtorchs_AndNaNStaysNaN()
    {
        using DisposeScope scope = NewDisposeScope();
        uint[] bits =
        [
            0x00000000,
            0x80000000,
            0x3F800000,
            0x3F808000,
            0x3F818000,
            0x3F808001,
            0x3F807FFF,
            0x7F7FFFFF,
            0xFF7FFFFF,
            0x7F800000,
            0xFF800000,
            0x00000001,
            0x00008000,
            0x80018000,
            0x007FFFFF,
        ];
        float[] values = [.. bits.Select(BitConverter.UInt32BitsToSingle), .. randn(100).data<float>().ToArray()];
        var expected = new short[values.Length];
        tensor(values)
            .to(ScalarType.BFloat16)
            .bytes.CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(expected.AsSpan()));
        var rounded = new BFloat16[values.Length];
        fixed (float* from = values)
        fixed (BFloat16* to = rounded)
        {
            BFloat16Pairs.Round(from, to, values.Length);
            for (int i = 0; i < values.Length; i++)
            {
                Assert.Equal(expected[i], ((short*)to)[i]);
                Assert.Equal(rounded[i].Value, BFloat16.Round(values[i]).Value);
            }

            // Payloads in the lower half alone, and all bits set: cut off, or rounded up, they would be infinite or zero.
            float[] odd = [.. Enumerable.Repeat(BitConverter.UInt32BitsToSingle(0x7F800001), 20)];
            odd[3] = BitConverter.UInt32BitsToSingle(0xFFFFFFFF);
            fixed (float* nan = odd)
            {
                BFloat16Pairs.Round(nan, to, odd.Length);
            }

            Assert.All(rounded.Take(odd.Length), value => Assert.True(float.IsNaN(value.Value)));
            Assert.True(float.IsNaN(BFloat16.Round(odd[0]).Value) && float.IsNaN(BFloat16.Round(odd[3]).Value));
        }
    }

    private static float* Start(Tensor tensor) => (float*)TensorAddress.Of(tensor);

    // As bfloat16 holds them, in float64.
    private static Tensor Exact(Tensor values) => values.to(ScalarType.BFloat16).to(ScalarType.Float64);

    private static Tensor Widened(BFloat16* values, int rows, int columns)
    {
        float[] wide = new float[rows * columns];
        for (int i = 0; i < wide.Length; i++)
        {
            wide[i] = values[i].Value;
        }

        return tensor(wide).view(rows, columns);
    }

    private static void AssertClose(Tensor actual, Tensor expected, double relative)
    {
        double difference = (actual.to(ScalarType.Float64) - expected).norm().item<double>();
        double size = expected.norm().item<double>();
        Assert.True(
            difference <= relative * size,
            $"differs by {difference / size:e2} of its norm, allowed {relative:e0}"
        );
    }

    private sealed class Halves(long count) : IDisposable
    {
        private readonly MappedMemory _memory = new((count + 1) / 2);

        public BFloat16* Start => (BFloat16*)_memory.Start;

        public void Dispose() => _memory.Dispose();
    }
}
