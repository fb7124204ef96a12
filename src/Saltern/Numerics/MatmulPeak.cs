using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>The speed that matrix products reach on this machine now: the measure that a run's own speed is held against.</summary>
internal static class MatmulPeak
{
    private const int Size = 2_048;
    private const int SlowSize = 512;

    // A GPU's processors are not full with less.
    private const int DeviceSize = 8_192;

    /// <summary>Best of a few products of square matrices into a reused buffer, on the CPU.</summary>
    /// <param name="type">float32, with the library in use (<see cref="MatrixProduct.Library"/>); or bfloat16 with float32 sums, the right operand packed beforehand.</param>
    /// <param name="size">Rows and columns.</param>
    /// <param name="repeats">Products to time, after one that is not counted.</param>
    /// <returns>FLOP/s with libtorch's current threads.</returns>
    public static double Measure(ScalarType type = ScalarType.Float32, int size = Size, int repeats = 4)
    {
        if (type == ScalarType.BFloat16)
        {
            return MeasureBFloat16(size, repeats);
        }

        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor a = ones(size, size);
        Tensor b = ones(size, size);
        Tensor product = zeros(size, size);
        return Best(size, repeats, () => MatrixProduct.Into(product, a, b, 0));
    }

    private static unsafe double MeasureBFloat16(int size, int repeats)
    {
        if (!BFloat16Product.IsThere)
        {
            return MeasureOperations(repeats);
        }

        using var values = new MappedMemory((long)size * size);
        using var left = new MappedMemory((long)size * size / 2);
        using var right = new MappedMemory(BFloat16Pairs.Length(size, size) / 2);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() };
        new Span<float>(values.Start, size * size).Fill(1);
        BFloat16Pairs.Round(values.Start, (BFloat16*)left.Start, size, size, parallel);
        BFloat16Pairs.Pack(values.Start, size, size, (BFloat16*)right.Start, parallel);
        return Best(
            size,
            repeats,
            () =>
                BFloat16Product.Multiply(
                    (BFloat16*)left.Start,
                    size,
                    size,
                    size,
                    (BFloat16*)right.Start,
                    size,
                    null,
                    values.Start,
                    add: false,
                    parallel
                )
        );
    }

    // libtorch's bfloat16, for processors without: a smaller product, as it is several times slower than float32's.
    private static double MeasureOperations(int repeats)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor a = ones(SlowSize, SlowSize, ScalarType.BFloat16);
        Tensor product = zeros(SlowSize, SlowSize, ScalarType.BFloat16);
        return Best(SlowSize, repeats, () => product.addmm_(a, a, 0, 1));
    }

    private static double Best(int size, int repeats, Action product)
    {
        product();
        double best = double.PositiveInfinity;
        for (int i = 0; i < repeats; i++)
        {
            long start = Stopwatch.GetTimestamp();
            product();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2.0 * size * size * size / best;
    }

    /// <summary>Best of a few products of 8,192 × 8,192 random matrices on a GPU.</summary>
    /// <param name="type">Type of the matrices.</param>
    /// <param name="repeats">Products to time, after one that is not counted.</param>
    /// <returns>FLOP/s.</returns>
    public static double Measure(Device device, ScalarType type, int repeats = 4)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();

        // Random: zeros or ones can run faster than real numbers do. The device's own generator, which nothing else draws from.
        Tensor a = randn([DeviceSize, DeviceSize], ScalarType.Float32, device).to(type);
        Tensor product = a.mm(a);
        cuda.synchronize();
        double best = double.PositiveInfinity;
        for (int i = 0; i < repeats; i++)
        {
            long start = Stopwatch.GetTimestamp();
            product = a.mm(a);
            cuda.synchronize();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2.0 * DeviceSize * DeviceSize * DeviceSize / best;
    }
}
