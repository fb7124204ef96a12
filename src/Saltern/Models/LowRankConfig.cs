using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Models;

/// <summary>Low-rank adapters (LoRA, arXiv:2106.09685) in place of training the weights themselves.</summary>
internal sealed record LowRankConfig : IValidated
{
    /// <summary>Projections of a layer that can have an adapter, whatever the family's files call them.</summary>
    public static IReadOnlyList<string> Projections { get; } =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>r: columns of B and rows of A.</summary>
    [Range(1, 4_096)]
    public int Rank { get; init; } = 16;

    /// <summary>α: an adapted weight is W + (α/r)·B·A. Null takes 2·r.</summary>
    [Range(1e-3, 1e6)]
    public double? Alpha { get; init; }

    /// <summary>Projections with an adapter: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj. Null takes all that the model has.</summary>
    [MinLength(1)]
    public IReadOnlyList<string>? Targets { get; init; }

    /// <summary>α/r.</summary>
    internal double Scale => (Alpha ?? (2.0 * Rank)) / Rank;

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        string[] unknown = [.. (Targets ?? []).Except(Projections)];
        if (unknown.Length > 0)
        {
            yield return new ConfigurationProblem(
                "targets",
                $"has {string.Join(", ", unknown)}, which is no projection. Use some of {string.Join(", ", Projections)}, "
                    + "or leave the key out for all that the model has."
            );
        }
    }
}
