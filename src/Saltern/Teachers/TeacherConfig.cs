using System.ComponentModel.DataAnnotations;

namespace Saltern.Teachers;

/// <summary>The small model that gives soft labels in stage 1.</summary>
public sealed record TeacherConfig
{
    /// <summary>Run folder (its newest good checkpoint), checkpoint folder or Hugging Face folder.</summary>
    [MinLength(1)]
    public required string Path { get; init; }

    /// <summary>τ, divides the teacher's logits only: below 1 sharpens its distribution.</summary>
    [Range(0.01, 100.0)]
    public double Temperature { get; init; } = 1.0;
}
