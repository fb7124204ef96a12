using Saltern.Configuration;

namespace Saltern.Guidance;

/// <summary>How the weight of a teacher's term falls from its first value to 0: distillation's ω and alignment's λ alike.</summary>
/// <param name="Section">Section of the recipe, for messages.</param>
/// <param name="Kind">Shape of the way.</param>
/// <param name="Start">n₁, last step with the first value; null where the shape has none.</param>
/// <param name="End">n₂, first step with 0; null where the shape has none.</param>
internal sealed record WeightSchedule(
    string Section,
    TransitionKind Kind,
    double Weight,
    StepPoint? Start,
    StepPoint? End
)
{
    /// <summary>Name of the shape in a recipe.</summary>
    internal string KindName
    {
        get
        {
            if (Kind == TransitionKind.LinearRatio)
            {
                return "linear_ratio";
            }

            return Kind.ToString().ToLowerInvariant();
        }
    }

    /// <summary>n₁ and n₂ in steps.</summary>
    /// <exception cref="ConfigurationException">The window is reversed or outside the run.</exception>
    public (int LastFull, int FirstZero) Window(int totalSteps)
    {
        if (Kind == TransitionKind.Constant || Weight == 0)
        {
            return Weight == 0 ? (0, 1) : (totalSteps, totalSteps + 1);
        }

        int start = Start!.Value.Resolve(totalSteps);
        int end = Kind == TransitionKind.Step ? start + 1 : End!.Value.Resolve(totalSteps);
        bool isStep = Kind == TransitionKind.Step;
        if (end < start || start > totalSteps || (!isStep && Math.Max(end, start + 1) > totalSteps))
        {
            throw new ConfigurationException(
                $"{Section}.start = {Start} and {Section}.end = {End?.ToString() ?? "(none)"} are steps {start} and "
                    + $"{end} of {totalSteps}. The window must run forward and end inside the run."
            );
        }

        return (start, Math.Max(end, start + 1));
    }

    /// <summary>The last step with a weight above 0.</summary>
    /// <exception cref="ConfigurationException">The window is reversed or outside the run.</exception>
    public int LastStep(int totalSteps) => Math.Min(totalSteps, Window(totalSteps).FirstZero - 1);

    /// <summary>What is missing or too much for the shape.</summary>
    internal IEnumerable<ConfigurationProblem> Validate()
    {
        bool window = Kind is TransitionKind.Linear or TransitionKind.LinearRatio or TransitionKind.Cosine;
        if (window && (Start is null || End is null))
        {
            yield return new ConfigurationProblem(
                Start is null ? "start" : "end",
                $"is missing. The transition '{KindName}' runs from start to end: give both, as shares of the run (0.15) or steps (150)."
            );
        }

        if (Kind == TransitionKind.Step && Start is null)
        {
            yield return new ConfigurationProblem(
                "start",
                "is missing. The transition 'step' needs the last step with the teacher, as a share of the run (0.25) or a step (250)."
            );
        }

        if (!window && End is not null)
        {
            yield return new ConfigurationProblem("end", $"is not used by the transition '{KindName}'. Remove it.");
        }

        if (Kind is TransitionKind.Auto or TransitionKind.Constant && Start is not null)
        {
            yield return new ConfigurationProblem("start", $"is not used by the transition '{KindName}'. Remove it.");
        }
    }
}
