using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

/// <summary>A small configuration that has one of everything the reader knows.</summary>
public sealed record SampleRecipe : IValidated
{
    [DoesNotAlterNumbers]
    public required string Name { get; init; }

    [Range(0, long.MaxValue)]
    public long Seed { get; init; } = 1;

    [AllowedValues("cpu", "cuda")]
    public string Device { get; init; } = "cpu";

    public string? InitFrom { get; init; }

    public required SampleModel Model { get; init; }

    public SampleDistillation? Distillation { get; init; }

    public SampleOptimizer Optimizer { get; init; } = new() { LearningRate = 1e-3 };

    [Advice("Domains and their shares, such as { wiki: 0.7, math: 0.3 }.")]
    [Range(0.0, 1.0)]
    public IReadOnlyDictionary<string, double> Mixture { get; init; } = new Dictionary<string, double>();

    [DoesNotAlterNumbers]
    public IReadOnlyList<SampleTask> Tasks { get; init; } = [];

    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Distillation is { End: { } end } distillation && end.Resolve(1000) <= distillation.Start.Resolve(1000))
        {
            yield return new("distillation.end", $"= {end} is not after distillation.start = {distillation.Start}.");
        }
    }
}

public sealed record SampleModel : IValidated
{
    [Range(1, 65536)]
    public required int HiddenSize { get; init; }

    [Range(1, int.MaxValue)]
    [Advice("It must divide hidden_size.")]
    public int NumAttentionHeads { get; init; } = 4;

    public bool TieWordEmbeddings { get; init; }

    public int? VocabSize { get; init; }

    public int HeadSize => HiddenSize / NumAttentionHeads;

    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (HiddenSize % NumAttentionHeads != 0)
        {
            yield return new(
                "num_attention_heads",
                $"= {NumAttentionHeads} does not divide hidden_size = {HiddenSize}."
            );
        }
    }
}

public sealed record SampleDistillation
{
    // Integer bounds on purpose: RangeAttribute itself would round 1.3 to 1 and let it pass.
    [Range(0, 1)]
    [Advice("Use 0 to turn distillation off.")]
    public double Weight { get; init; } = 0.5;

    public SampleTransition Transition { get; init; }

    public StepPoint Start { get; init; } = StepPoint.FromShare(0.25);

    public StepPoint? End { get; init; }
}

public enum SampleTransition
{
    Step,
    LinearRatio,

    [RecipeKey("rkd")]
    NoneAtAll,
}

public sealed record SampleOptimizer
{
    [Range(0.0, double.PositiveInfinity, MinimumIsExclusive = true)]
    public double LearningRate { get; init; } = 5e-4;

    [Length(2, 2)]
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public IReadOnlyList<double> Betas { get; init; } = [0.9, 0.95];
}

public sealed record SampleTask
{
    [MinLength(1)]
    public required string Name { get; init; }

    public int Shots { get; init; }
}
