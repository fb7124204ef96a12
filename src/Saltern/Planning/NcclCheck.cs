using System.Diagnostics;
using System.Globalization;
using Saltern.Distributed;

namespace Saltern.Planning;

/// <summary>Tries every collective of a <see cref="NcclCommunicator"/> on GPU memory, with values whose sums are exact, and measures the all-reduce. Needs no libtorch.</summary>
internal static unsafe class NcclCheck
{
    private const int TimedRounds = 20;
    private const int WarmUpRounds = 3;

    /// <summary>Runs on all ranks together.</summary>
    /// <param name="ranks">The ranks with their GPUs.</param>
    /// <param name="elements">float32 values of each rank's buffer; a multiple of the number of ranks.</param>
    /// <returns>What was found, one line each.</returns>
    /// <exception cref="DistributedException">A collective failed, or its result is wrong.</exception>
    public static IReadOnlyList<string> Run(NcclCommunicator ranks, int elements)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(elements % ranks.Size, 0);
        int part = elements / ranks.Size;
        int sum = ranks.Size * (ranks.Size + 1) / 2;
        using var buffer = new DeviceBuffer(elements);
        using var share = new DeviceBuffer(part);
        float[] Mine() => [.. Enumerable.Range(0, elements).Select(i => Value(i) * (ranks.Rank + 1))];

        buffer.Set(Mine());
        ranks.AllReduceSum(buffer.Values);
        Require("ncclAllReduce", buffer.Get(), i => Value(i) * sum);

        buffer.Set(Mine());
        ranks.ReduceScatterSum(buffer.Values, share.Values);
        Require("ncclReduceScatter", share.Get(), i => Value(i + (ranks.Rank * part)) * sum);

        ranks.AllGather<float>(share.Values, buffer.Values);
        Require("ncclAllGather", buffer.Get(), i => Value(i) * sum);

        buffer.Set(Mine());
        ranks.Broadcast(buffer.Values, root: ranks.Size - 1);
        Require("ncclBroadcast", buffer.Get(), i => Value(i) * ranks.Size);

        // The same methods with the processor's memory go another way.
        double[] host = new double[ranks.Size];
        ranks.AllGather<double>([ranks.Rank + 0.5], host);
        Require("the processor's memory", [.. host.Select(value => (float)value)], i => i + 0.5f);

        long start = 0;
        buffer.Set(new float[elements]);
        for (int round = 0; round < WarmUpRounds + TimedRounds; round++)
        {
            if (round == WarmUpRounds)
            {
                start = Stopwatch.GetTimestamp();
            }

            ranks.AllReduceSum(buffer.Values);
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds / TimedRounds;
        double bytes = (double)elements * sizeof(float);
        return
        [
            string.Create(
                CultureInfo.InvariantCulture,
                $"{ranks.Description}; {ranks.Size} rank{(ranks.Size == 1 ? "" : "s")}"
            ),
            string.Create(
                CultureInfo.InvariantCulture,
                $"all-reduce, reduce-scatter, all-gather and broadcast of {elements} float32 values in GPU memory: exact"
            ),
            string.Create(
                CultureInfo.InvariantCulture,
                $"all-reduce of {bytes / 1048576:0.0} MiB: {seconds * 1e6:0.0} µs, {bytes / seconds / 1e9:0.0} GB/s"
            ),
        ];
    }

    // Small whole numbers: every sum over ranks is exact.
    private static float Value(int i) => i % 1_021;

    private static void Require(string what, float[] found, Func<int, float> expected)
    {
        int wrong = Enumerable.Range(0, found.Length).FirstOrDefault(i => found[i] != expected(i), -1);
        if (wrong >= 0)
        {
            throw new DistributedException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{what} gave {found[wrong]} at element {wrong} of {found.Length}, expected {expected(wrong)}."
                )
            );
        }
    }

    private sealed class DeviceBuffer : IDisposable
    {
        private readonly int _count;
        private readonly nint _address;

        public DeviceBuffer(int count)
        {
            nint address = 0;
            CudaDriver.Check(CudaFunctions.Allocate(&address, (nuint)count * sizeof(float)), "cuMemAlloc");
            (_count, _address) = (count, address);
        }

        public Span<float> Values => new((void*)_address, _count);

        public void Set(float[] values)
        {
            fixed (float* from = values)
            {
                CudaDriver.Check(
                    CudaFunctions.CopyToDevice(_address, from, (nuint)_count * sizeof(float)),
                    "cuMemcpyHtoD"
                );
            }
        }

        public float[] Get()
        {
            float[] values = new float[_count];
            fixed (float* to = values)
            {
                CudaDriver.Check(
                    CudaFunctions.CopyFromDevice(to, _address, (nuint)_count * sizeof(float)),
                    "cuMemcpyDtoH"
                );
            }

            return values;
        }

        public void Dispose() => _ = CudaFunctions.Free(_address);
    }
}
