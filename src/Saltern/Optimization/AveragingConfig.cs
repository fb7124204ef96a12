using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Optimization;

/// <summary>An average of the weights over the last steps, kept and measured beside them.</summary>
public sealed record AveragingConfig
{
    /// <summary>Steps, or share of the run, at its end over which weights are averaged.</summary>
    public required StepPoint Last { get; init; }

    /// <summary>Decay of the average at each update, in [0, 1); null for the plain mean of all that came in. Until an average of n updates would hold more of the newest than 1/n, it is their mean.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? Decay { get; init; }

    /// <summary>First step whose weights come in.</summary>
    /// <param name="totalSteps">J.</param>
    internal int FirstStep(int totalSteps) => totalSteps - Last.Resolve(totalSteps) + 1;
}
