using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Optimization;

/// <summary>Shape of the learning rate after warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>Half a cosine down to the final share at the last step.</summary>
    Cosine,

    /// <summary>Warm-up, stable, decay: constant, then linear down to the final share over the last steps (arXiv:2404.06395).</summary>
    Wsd,

    /// <summary>Constant after warm-up.</summary>
    Constant,
}

/// <summary>How the learning rate runs over the steps.</summary>
public sealed record ScheduleConfig : IValidated
{
    /// <summary>Shape after warm-up.</summary>
    public ScheduleKind Kind { get; init; } = ScheduleKind.Cosine;

    /// <summary>Steps over which the rate rises linearly; the step after them has the full rate.</summary>
    [Range(0, int.MaxValue)]
    public int WarmupSteps { get; init; }

    /// <summary>Rate at the last step as a share of the highest.</summary>
    [Range(0.0, 1.0)]
    public double FinalShare { get; init; } = 0.1;

    /// <summary><c>wsd</c>: share of the run, or steps, that the final decay takes; null means 0.2.</summary>
    public StepPoint? Decay { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Decay is not null && Kind != ScheduleKind.Wsd)
        {
            yield return new ConfigurationProblem("decay", "is used by 'kind: wsd' only. Remove it.");
        }
    }
}
