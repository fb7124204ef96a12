using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>The speed that matrix products reach on this machine now: the measure that a run's own speed is held against.</summary>
internal static class MatmulPeak
{
    private const int Size = 2_048;

    // A GPU's processors are not full with less.
    private const int DeviceSize = 8_192;

    /// <summary>Best of a few products of 2,048 × 2,048 matrices into a reused buffer, float32.</summary>
    /// <param name="repeats">Products to time, after one that is not counted.</param>
    /// <returns>FLOP/s with libtorch's current threads and the library in use (<see cref="MatrixProduct.Library"/>).</returns>
    public static double Measure(int repeats = 4)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor a = ones(Size, Size);
        Tensor b = ones(Size, Size);
        Tensor product = zeros(Size, Size);
        MatrixProduct.Into(product, a, b, 0);
        double best = double.PositiveInfinity;
        for (int i = 0; i < repeats; i++)
        {
            long start = Stopwatch.GetTimestamp();
            MatrixProduct.Into(product, a, b, 0);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2.0 * Size * Size * Size / best;
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
