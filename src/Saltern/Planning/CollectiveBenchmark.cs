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
/// <param name="Disturbed">The median of the small calls was longer than that of a whole bucket allows, so the model fits the fastest calls.</param>
internal sealed record CollectiveBenchmark(
    int Ranks,
    IReadOnlyList<CollectiveTime> AllReduce,
    double SmallCallSeconds,
    NetworkModel Network,
    bool Disturbed
)
{
    private const int FewestCalls = 9;
    private const int MostCalls = 200;
    private static readonly TimeSpan TimeOfASize = TimeSpan.FromSeconds(2);

    /// <summary>Measures; every rank comes here.</summary>
    /// <param name="algorithm">What the library does with large buffers.</param>
    /// <exception cref="DistributedException">The calls were disturbed so much that no model fits them.</exception>
    public static CollectiveBenchmark Run(ICommunicator ranks, NetworkAlgorithm algorithm)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ranks.Size, 2);
        double[] gathered = new double[ranks.Size];
        double[] small = Times(ranks, () => ranks.AllGather<double>([1], gathered));
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
        NetworkModel? usual = Fit(ranks.Size, algorithm, Median(small), sizes[^1], Median(times[^1]));
        NetworkModel network =
            usual
            ?? Fit(ranks.Size, algorithm, small.Min(), sizes[^1], times[^1].Min())
            ?? throw new DistributedException(
                $"A call of a few numbers took {small.Min():g3} s at best and one of {sizes[^1]:#,0} bytes {times[^1].Min():g3} s: "
                    + "something else kept the ranks busy. Measure again on machines that do nothing else."
            );
        return new CollectiveBenchmark(
            ranks.Size,
            [
                .. sizes.Zip(
                    times,
                    (bytes, of) => new CollectiveTime(bytes, Median(of), of.Min(), network.AllReduce(bytes, ranks.Size))
                ),
            ],
            Median(small),
            network,
            usual is null
        );
    }

    /// <summary>The model that two times give; null where the large call took no longer than its messages alone.</summary>
    /// <param name="small">An all-gather of one number a rank, seconds: ⌈log₂ R⌉ rounds of α.</param>
    /// <param name="bytes">Size of the large all-reduce.</param>
    /// <param name="large">Its time, seconds: what α does not explain gives β.</param>
    internal static NetworkModel? Fit(int ranks, NetworkAlgorithm algorithm, double small, long bytes, double large)
    {
        double latency = small / (BitOperations.Log2((uint)ranks - 1) + 1);
        double waiting = new NetworkModel(latency, double.PositiveInfinity, algorithm).AllReduce(bytes, ranks);
        if (large <= waiting)
        {
            return null;
        }

        double moved = 2 * (ranks - 1) / (double)ranks * bytes;
        return new NetworkModel(latency, moved / (large - waiting), algorithm);
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
