using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Guidance;

/// <summary>Hidden-state alignment (LET, arXiv:2602.05393): the teacher's late layer guides an early layer of the student; the tokenizers may differ.</summary>
/// <remarks>ℒ = CE + λ·mean(1 − cos(W·x, x′)), x and x′ hidden states of student and teacher, W learned with the student and dropped with the teacher (docs/alignment.md).</remarks>
public sealed record AlignmentConfig : IValidated
{
    /// <summary>λ₀, weight of the alignment term in stage 1, in [0, 100].</summary>
    [Range(0.0, 100.0)]
    [Advice("Use 0 to turn alignment off.")]
    public double Weight { get; init; } = 0.1;

    /// <summary>Shape of the way from λ₀ to 0; the closed forms of distillation's ω, so all but <c>auto</c>.</summary>
    public TransitionKind Transition { get; init; } = TransitionKind.Linear;

    /// <summary>n₁, last step with λ₀, a share of the run or a step; not used by <c>constant</c>.</summary>
    public StepPoint? Start { get; init; }

    /// <summary>n₂, first step with λ = 0; only for <c>linear</c>, <c>linear_ratio</c> and <c>cosine</c>.</summary>
    public StepPoint? End { get; init; }

    /// <summary>Layer of the student whose output is aligned, from 1 to its layers − 1; null takes one third of the way up.</summary>
    [Range(1, 100_000)]
    public int? StudentLayer { get; init; }

    /// <summary>Layer of the teacher whose output is aligned with, from 1 to its layers; null takes the last, its final norm included.</summary>
    [Range(1, 100_000)]
    public int? TeacherLayer { get; init; }

    /// <summary>λ over the steps.</summary>
    internal WeightSchedule Schedule => new("alignment", Transition, Weight, Start, End);

    /// <summary>The student's layer: as given, or ⌊L/3 + ½⌋, at least 1.</summary>
    /// <exception cref="ConfigurationException">The student has no such inner layer.</exception>
    internal int ResolveStudentLayer(int layers)
    {
        int layer = StudentLayer ?? Math.Max(1, (int)Math.Floor((layers / 3.0) + 0.5));
        if (layer < layers)
        {
            return layer;
        }

        throw new ConfigurationException(
            $"alignment.student_layer = {layer} is not inside the student's {layers} layers. "
                + $"Give a layer from 1 to {layers - 1}, or a model of more layers."
        );
    }

    /// <summary>The teacher's layer: as given, or L.</summary>
    /// <exception cref="ConfigurationException">The teacher has no such layer.</exception>
    internal int ResolveTeacherLayer(int layers)
    {
        if (TeacherLayer is int layer && layer > layers)
        {
            throw new ConfigurationException(
                $"alignment.teacher_layer = {layer} is above the teacher's {layers} layers. "
                    + $"Give a layer from 1 to {layers}, or leave it out for the last."
            );
        }

        return TeacherLayer ?? layers;
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Transition == TransitionKind.Auto)
        {
            yield return new ConfigurationProblem(
                "transition",
                "= auto needs the teacher's loss on the student's tokens, which alignment does not have. "
                    + "Use 'linear', 'linear_ratio', 'cosine', 'step' or 'constant'."
            );
        }

        if (Transition == TransitionKind.LinearRatio && Weight >= 1.0)
        {
            yield return new ConfigurationProblem(
                "weight",
                $"= {Weight} has no finite ratio λ/(1 − λ), which the transition 'linear_ratio' lowers. "
                    + "Use a weight below 1, or another transition."
            );
        }

        foreach (ConfigurationProblem problem in Schedule.Validate())
        {
            yield return problem;
        }
    }
}
