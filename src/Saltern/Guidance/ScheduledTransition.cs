namespace Saltern.Guidance;

/// <summary>Transitions whose ω is a closed function of the step (docs/method.md, "Stages and transitions").</summary>
internal sealed class ScheduledTransition : StepwiseTransition
{
    private readonly TransitionKind _kind;
    private readonly double _weight;

    private protected override double HighestWeight => Math.Max(1, _weight);

    /// <summary>Resolves the window for a run of <paramref name="totalSteps"/> steps.</summary>
    /// <exception cref="ConfigurationException">The window is empty, reversed or outside the run.</exception>
    public ScheduledTransition(DistillationConfig config, int totalSteps, int domainCount)
        : this(config.Schedule, config.Smoothing, totalSteps, domainCount) { }

    /// <summary>Resolves the window of any weight; where a teacher has no losses, as in alignment, nothing is observed and the gap stays unknown.</summary>
    /// <param name="smoothing">Time constant of the smoothed gap, share of the run.</param>
    /// <param name="domainCount">Domains of the data.</param>
    /// <exception cref="ConfigurationException">The window is empty, reversed or outside the run.</exception>
    public ScheduledTransition(WeightSchedule schedule, double smoothing, int totalSteps, int domainCount)
        : base(smoothing * totalSteps, domainCount)
    {
        (_kind, _weight) = (schedule.Kind, schedule.Weight);
        (LastFullStep, FirstZeroStep) = schedule.Window(totalSteps);
    }

    /// <summary>n₁, the last step with ω₀.</summary>
    public int LastFullStep { get; }

    /// <summary>n₂, the first step with ω = 0; one past the run where there is none.</summary>
    public int FirstZeroStep { get; }

    /// <inheritdoc/>
    public override double WeightAt(int step)
    {
        if (step <= LastFullStep)
        {
            return _weight;
        }

        if (step >= FirstZeroStep)
        {
            return 0.0;
        }

        double left = (FirstZeroStep - step) / (double)(FirstZeroStep - LastFullStep);
        switch (_kind)
        {
            case TransitionKind.Linear:
                return _weight * left;
            case TransitionKind.LinearRatio:
                double ratio = left * _weight / (1.0 - _weight);
                return ratio / (1.0 + ratio);
            case TransitionKind.Cosine:
                return _weight * 0.5 * (1.0 + Math.Cos(Math.PI * (1.0 - left)));
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }
}
