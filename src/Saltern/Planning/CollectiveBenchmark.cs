// Times what a step's ranks call, on the ranks that a launcher has started, and fits the α–β model to it (docs/scaling.md).
using System.Diagnostics;
using System.Numerics;
using Saltern.Distributed;
using Saltern.Optimization;

namespace Saltern.Planning;

/// <summary>An all-reduce of one size.</summary>
/// <param name="Seconds">Median of the calls, each the slowest rank's.</param>
/// <param name="Fastest">The fastest of them.</param>
/// <param name="Model">What the fitted model says, seconds.</param>
internal sealed record CollectiveTime(long Bytes, double Seconds, double Fastest, double Model);

/// <summary>Measured collectives, and the model that fits them.</summary>
/// <param name="SmallCallSeconds">An all-gather of one number a rank, median.</param>
internal sealed record CollectiveBenchmark(
    int Ranks,
    IReadOnlyList<CollectiveTime> AllReduce,
    double SmallCallSeconds,
    NetworkModel Network
)
{
    private const int FewestCalls = 9;
    private const int MostCalls = 200;
    private static readonly TimeSpan TimeOfASize = TimeSpan.FromSeconds(2);

    /// <summary>Measures; every rank comes here.</summary>
    /// <param name="algorithm">What the library does with large buffers.</param>
    /// <remarks>α is the small all-gather's time over its ⌈log₂ R⌉ rounds; β follows from the median of a bucket of gradients.</remarks>
    public static CollectiveBenchmark Run(ICommunicator ranks, NetworkAlgorithm algorithm)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks.Size, 2);
        double[] gathered = new double[ranks.Size];
        double small = Median(Times(ranks, () => ranks.AllGather<double>([1], gathered)));
        double latency = small / (BitOperations.Log2((uint)ranks.Size - 1) + 1);
        long[] sizes =
        [
            .. Enumerable
                .Range(0, 12)
                .Select(i => 4L << (2 * i))
                .Where(bytes => bytes <= GradientReduction.BucketLength * (long)sizeof(float)),
        ];
        double[][] times =
        [
            .. sizes.Select(bytes =>
            {
                float[] buffer = new float[bytes / sizeof(float)];
                return Times(ranks, () => ranks.AllReduceSum(buffer));
            }),
        ];
        double moved = 2 * (ranks.Size - 1) / (double)ranks.Size * sizes[^1];
        double waiting = new NetworkModel(latency, double.PositiveInfinity, algorithm).AllReduce(sizes[^1], ranks.Size);
        var network = new NetworkModel(latency, moved / Math.Max(Median(times[^1]) - waiting, 1e-9), algorithm);
        return new CollectiveBenchmark(
            ranks.Size,
            [
                .. sizes.Zip(
                    times,
                    (bytes, of) => new CollectiveTime(bytes, Median(of), of.Min(), network.AllReduce(bytes, ranks.Size))
                ),
            ],
            small,
            network
        );
    }

    // All ranks begin a call together and count the slowest one's time; the first calls make connections and are left out.
    private static double[] Times(ICommunicator ranks, Action call)
    {
        call();
        call();
        var times = new List<double>();
        long start = Stopwatch.GetTimestamp();
        bool more;
        do
        {
            ranks.Barrier();
            long begun = Stopwatch.GetTimestamp();
            call();
            times.Add(ranks.Max(Stopwatch.GetElapsedTime(begun).TotalSeconds));
            more =
                times.Count < FewestCalls
                || (
                    times.Count < MostCalls
                    && ranks.FromFirst(Stopwatch.GetElapsedTime(start).TotalSeconds) < TimeOfASize.TotalSeconds
                );
        } while (more);

        return [.. times];
    }

    private static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return 0.5 * (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]);
    }
}
