using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Selection;

/// <summary>Samples that stage 1 draws from instead of all (SALT_DS, or selected data without distillation).</summary>
public sealed record SelectionConfig
{
    /// <summary>Folder that <c>saltern select</c> wrote.</summary>
    [Advice("Make one with 'saltern select'.")]
    [MinLength(1)]
    [NamesInput]
    public required string Path { get; init; }

    /// <summary>Last step on selected samples, a share of the run or a step; only without distillation, where no ω ends stage 1.</summary>
    public StepPoint? Until { get; init; }
}
