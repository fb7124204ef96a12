using Microsoft.Extensions.Logging;
using Saltern.Runs;

namespace Saltern.Hosting;

/// <summary>What <see cref="Salt.Train"/> is given besides a recipe and a folder.</summary>
public sealed record TrainOptions
{
    /// <summary>Whether to go on from the newest good checkpoint of what the folder holds, with the same recipe. Otherwise a folder with a run in it is an error.</summary>
    public bool Resume { get; init; } = true;

    /// <summary>Gets the lines that a person should know, as information; null for nobody.</summary>
    public ILogger? Logger { get; init; }

    /// <summary>Told of every step, on the thread that trains; null for nobody.</summary>
    public IProgress<StepReport>? Progress { get; init; }

    /// <summary>Everything else: a transition or a teacher of one's own, sinks for metrics, threads.</summary>
    public TrainingRunOptions Run { get; init; } = new();
}
