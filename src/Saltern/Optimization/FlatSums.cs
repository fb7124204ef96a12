using System.Numerics;
using System.Runtime.CompilerServices;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Sums of squares over a model's flat buffers, in float64: the gradient's norm, and whether all weights are numbers.</summary>
internal static unsafe class FlatSums
{
    // Fixed, so that the sum does not depend on the number of threads. A multiple of every vector width.
    private const int RangeLength = 1 << 16;

    // 128 MiB as float64.
    private const long DeviceRangeLength = 1 << 24;

    /// <summary>Whether our own kernels can work on a flat buffer: float32 on the CPU.</summary>
    public static bool CanRead(Tensor flat) => OwnKernels.Cover(flat.dtype, flat.device_type);

    /// <summary>Σ x² over all blocks; not a number or infinite as soon as one element is.</summary>
    /// <param name="flat">[length], of any type and on any device.</param>
    /// <param name="parallel">Threads for float32 on the CPU; the result does not depend on them.</param>
    public static double SquareSum(Tensor flat, ParameterLayout layout, ParallelOptions parallel)
    {
        if (!CanRead(flat))
        {
            return TensorSquareSum(flat);
        }

        return SquareSum(flat, layout.Blocks.Select(block => (block.Offset, block.Count)), parallel);
    }

    /// <summary>Σ x² over some runs of a float32 buffer on the CPU.</summary>
    /// <param name="runs">First element and length of each.</param>
    /// <param name="parallel">Threads; the result does not depend on them.</param>
    public static double SquareSum(Tensor flat, IEnumerable<(long Start, long Length)> runs, ParallelOptions parallel)
    {
        float* values = (float*)TensorAddress.Of(flat);
        (long Start, long Length)[] ranges = [.. runs.SelectMany(run => Ranges(run.Start, run.Length))];
        double[] sums = new double[ranges.Length];
        ParallelRanges.Run(
            ranges.Length,
            parallel,
            i => sums[i] = SquareSum(values + ranges[i].Start, ranges[i].Length)
        );
        return sums.Sum();
    }

    /// <summary>Cuts a run of elements into ranges that do not depend on the number of threads.</summary>
    public static IEnumerable<(long Start, long Length)> Ranges(long offset, long count)
    {
        for (long start = 0; start < count; start += RangeLength)
        {
            yield return (offset + start, Math.Min(RangeLength, count - start));
        }
    }

    // A part at a time: the float64 copy stays small beside the weights. Summed where the weights are and read once, as each reading waits for the device.
    // The padding between blocks is zero, so it may be summed too.
    private static double TensorSquareSum(Tensor flat)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor sum = zeros(1, ScalarType.Float64, flat.device);
        for (long start = 0; start < flat.numel(); start += DeviceRangeLength)
        {
            using DisposeScope part = NewDisposeScope();
            sum.add_(
                flat.narrow(0, start, Math.Min(DeviceRangeLength, flat.numel() - start))
                    .to(ScalarType.Float64)
                    .square()
                    .sum()
            );
        }

        return HostReads.Number(sum);
    }

    /// <summary>Σ x² over some elements in a row, on the calling thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SquareSum(float* values, long count)
    {
        Vector<double> sum = Vector<double>.Zero;
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.Load(values + i), out Vector<double> low, out Vector<double> high);
            sum += (low * low) + (high * high);
        }

        double total = Vector.Sum(sum);
        for (; i < count; i++)
        {
            total += (double)values[i] * values[i];
        }

        return total;
    }
}
