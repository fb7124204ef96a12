using System.ComponentModel.DataAnnotations;

namespace Saltern.Planning;

/// <summary>A machine or cluster in a few numbers: what <c>saltern plan --cluster</c> reckons with.</summary>
internal sealed record ClusterConfig
{
    /// <summary>What it is called.</summary>
    [MinLength(1)]
    public required string Name { get; init; }

    /// <summary>R, processes that train together: one for each processor or accelerator.</summary>
    [Range(1, 1_000_000)]
    public int Ranks { get; init; } = 1;

    /// <summary>Peak of matrix products of one rank, FLOP/s, at the precision of the run.</summary>
    [Range(1e6, 1e18)]
    public required double PeakFlops { get; init; }

    /// <summary>Share of that peak that training reaches.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Utilisation { get; init; } = 0.4;

    /// <summary>Memory of one rank, GiB; null leaves the question whether it fits open.</summary>
    [Range(0.01, 1e6)]
    public double? MemoryGib { get; init; }

    /// <summary>Network bandwidth of one rank, Gbit/s; null for one rank, or where it is not to be counted.</summary>
    [Range(0.001, 1e6)]
    public double? NetworkGbit { get; init; }

    /// <summary>Latency of a message, microseconds.</summary>
    [Range(0.0, 1e6)]
    public double NetworkLatencyUs { get; init; } = 20;

    /// <summary>How the MPI library sums large buffers: <c>halving</c> or <c>ring</c>.</summary>
    public NetworkAlgorithm NetworkAlgorithm { get; init; } = NetworkAlgorithm.Halving;

    /// <summary>Share of the gradient exchange that hides behind the backward pass, in [0, 1]; 0 is what this program does.</summary>
    [Range(0.0, 1.0)]
    public double NetworkOverlap { get; init; }

    /// <summary>Power drawn by one rank under load, its share of host and cooling included, watts; null leaves energy out.</summary>
    [Range(0.0, 1e6)]
    public double? Watts { get; init; }

    /// <summary>Price of a kilowatt-hour; null leaves it out.</summary>
    [Range(0.0, 1e6)]
    public double? PricePerKwh { get; init; }

    /// <summary>Price of one rank for an hour, rented; null leaves it out.</summary>
    [Range(0.0, 1e6)]
    public double? PricePerRankHour { get; init; }

    /// <summary>Unit of the prices.</summary>
    public string Currency { get; init; } = "EUR";
}
