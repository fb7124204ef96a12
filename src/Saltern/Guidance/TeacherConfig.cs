using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;
using Saltern.Numerics;

namespace Saltern.Guidance;

/// <summary>The small model that gives soft labels in stage 1.</summary>
public sealed record TeacherConfig : IValidated
{
    /// <summary>Run folder (its newest good checkpoint), checkpoint folder or Hugging Face folder. Beside <see cref="Cache"/> it is not loaded: its weights must be those that made the cache.</summary>
    [MinLength(1)]
    [NamesInput]
    public string? Path { get; init; }

    /// <summary>Folder of <c>saltern teach</c> with the teacher's soft labels; null runs the teacher live.</summary>
    [MinLength(1)]
    [NamesInput]
    public string? Cache { get; init; }

    /// <summary>τ, divides the teacher's logits only: below 1 sharpens its distribution.</summary>
    [Range(0.01, 100.0)]
    public double Temperature { get; init; } = 1.0;

    /// <summary>Tokens that a teacher of unknown history was trained on, for what it cost; null where its run says it, or nobody knows.</summary>
    [Range(1.0, 1e18)]
    [DoesNotAlterNumbers]
    public long? TrainedTokens { get; init; }

    /// <summary>Type of a live teacher's products and attention, fp32 or bf16; null for the run's own.</summary>
    public ComputePrecision? Precision { get; init; }

    /// <summary>Keys of the model's config.json that need not be understood, those inside others with dots; null for none. They are recorded with the run.</summary>
    [DoesNotAlterNumbers]
    public IReadOnlyList<string>? IgnoreKeys { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Precision == ComputePrecision.Auto)
        {
            yield return new ConfigurationProblem(
                "precision",
                "= auto is the run's to decide. Leave the key out, and the teacher follows the run; or give fp32 or bf16."
            );
        }

        if (IgnoreKeys is { Count: > 0 } && Path is null)
        {
            yield return new ConfigurationProblem(
                "ignore_keys",
                "is about the config.json of the model that 'path' names, and there is none. Remove it."
            );
        }

        if (Path is null && Cache is null)
        {
            yield return new ConfigurationProblem(
                "path",
                "is missing. Name the teacher's run folder, or with 'cache' a folder that 'saltern teach' wrote."
            );
        }
    }
}
