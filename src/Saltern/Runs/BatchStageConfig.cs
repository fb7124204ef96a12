using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Runs;

/// <summary>A first part of a run in which the batch is smaller.</summary>
public sealed record BatchStageConfig
{
    /// <summary>Last step of the part, as a share of the run's steps or a step.</summary>
    public required StepPoint Until { get; init; }

    /// <summary>Sequences of one of its steps.</summary>
    [Range(1, 1_000_000)]
    public required int BatchSequences { get; init; }
}
