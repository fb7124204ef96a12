// What the ranks of one step say to each other, in seconds: the α–β model of docs/scaling.md, counted as the code calls (Optimization/GradientReduction.cs, Runs/Trainer.cs).
using System.Numerics;
using Saltern.Optimization;

namespace Saltern.Planning;

/// <summary>How an MPI library sums a large buffer over all ranks.</summary>
internal enum NetworkAlgorithm
{
    /// <summary>Recursive halving and doubling: 2·⌈log₂ R⌉ messages one after the other (Rabenseifner; the MPICH family).</summary>
    Halving,

    /// <summary>A ring: 2·(R − 1) messages one after the other (Open MPI for large buffers).</summary>
    Ring,
}

/// <summary>α–β model of a network: a message takes α + bytes/β.</summary>
/// <param name="BytesPerSecond">β of one rank, its part of summing included.</param>
/// <param name="Algorithm">How buckets are summed.</param>
/// <remarks>Thakur, Rabenseifner and Gropp 2005, section 4. Links are taken to be without contention, ranks to be equally fast.</remarks>
internal sealed record NetworkModel(double LatencySeconds, double BytesPerSecond, NetworkAlgorithm Algorithm)
{
    /// <summary>Small collective calls of one step beside the gradients: counted positions, gradient norm, sums of losses, seconds, and whether anyone was interrupted.</summary>
    public const int SmallCallsPerStep = 5;

    private const double BitsPerByte = 8;
    private const double BitsPerGigabit = 1e9;
    private const double SecondsPerMicrosecond = 1e-6;

    /// <summary>The network of a described machine; null where none is given or there is one rank.</summary>
    public static NetworkModel? Of(ClusterConfig cluster)
    {
        if (cluster.Ranks > 1 && cluster.NetworkGbit is double gbit)
        {
            return new NetworkModel(
                cluster.NetworkLatencyUs * SecondsPerMicrosecond,
                gbit * BitsPerGigabit / BitsPerByte,
                cluster.NetworkAlgorithm
            );
        }

        return null;
    }

    /// <summary>Seconds to sum one buffer: 2·⌈log₂ R⌉·α or 2·(R − 1)·α, and 2·(R − 1)/R · bytes/β either way.</summary>
    public double AllReduce(double bytes, int ranks)
    {
        if (ranks == 1)
        {
            return 0;
        }

        int turns = Algorithm == NetworkAlgorithm.Ring ? ranks - 1 : Rounds(ranks);
        return (2 * turns * LatencySeconds) + (2 * (ranks - 1) / (double)ranks * bytes / BytesPerSecond);
    }

    /// <summary>Seconds of a call that hands round a few numbers: ⌈log₂ R⌉·α.</summary>
    public double SmallCall(int ranks) => ranks == 1 ? 0 : Rounds(ranks) * LatencySeconds;

    /// <summary>Seconds that a step spends on the network: buckets of <see cref="GradientReduction.BucketLength"/> one after the other, after the backward pass, and the small calls.</summary>
    public double Step(long parameters, int ranks)
    {
        (long whole, long rest) = Math.DivRem(parameters, GradientReduction.BucketLength);
        return (whole * AllReduce(GradientReduction.BucketLength * (double)sizeof(float), ranks))
            + (rest > 0 ? AllReduce(rest * (double)sizeof(float), ranks) : 0)
            + (SmallCallsPerStep * SmallCall(ranks));
    }

    private static int Rounds(int ranks) => BitOperations.Log2((uint)ranks - 1) + 1;
}
