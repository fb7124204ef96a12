namespace Saltern.Losses;

/// <summary>Transitions whose ω is a closed function of the step (docs/method.md, "Transitions").</summary>
public sealed class ScheduledTransition : Transition
{
    private readonly TransitionKind _kind;
    private readonly int _domainCount;
    private readonly double _weight;
    private readonly SmoothedGap _gap;

    /// <summary>Resolves the window for a run of <paramref name="totalSteps"/> steps.</summary>
    /// <exception cref="ConfigurationException">The window is empty, reversed or outside the run.</exception>
    public ScheduledTransition(DistillationConfig config, int totalSteps, int domainCount)
        : this(config.Schedule, config.Smoothing, totalSteps, domainCount)
    {
    }

    /// <summary>Resolves the window of any weight; where a teacher has no losses, as in alignment, nothing is observed and the gap stays unknown.</summary>
    /// <param name="schedule">Validated.</param>
    /// <param name="smoothing">Time constant of the smoothed gap, share of the run.</param>
    /// <param name="totalSteps">T.</param>
    /// <param name="domainCount">Domains of the data.</param>
    /// <exception cref="ConfigurationException">The window is empty, reversed or outside the run.</exception>
    public ScheduledTransition(WeightSchedule schedule, double smoothing, int totalSteps, int domainCount)
    {
        (_kind, _weight, _domainCount) = (schedule.Kind, schedule.Weight, domainCount);
        _gap = new SmoothedGap(smoothing * totalSteps);
        (LastFullStep, FirstZeroStep) = schedule.Window(totalSteps);
    }

    /// <summary>n₁, the last step with ω₀.</summary>
    public int LastFullStep { get; }

    /// <summary>n₂, the first step with ω = 0; one past the run where there is none.</summary>
    public int FirstZeroStep { get; }

    /// <inheritdoc/>
    public override double Gap => _gap.Value;

    /// <summary>ω_j by the closed form.</summary>
    public double WeightAt(int step)
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

    /// <inheritdoc/>
    public override StageWeights Next(int step, double learningRate)
    {
        double weight = WeightAt(step);
        return new StageWeights(weight, [.. Enumerable.Repeat(weight, _domainCount)]);
    }

    /// <inheritdoc/>
    public override void Observe(IReadOnlyList<(double Sum, long Count)> gapByDomain) => _gap.Add(gapByDomain.Sum(g => g.Sum), gapByDomain.Sum(g => g.Count));

    /// <inheritdoc/>
    public override TransitionState Save() => new([new GapTrackState(_gap.Sum, _gap.Count, null, 0, 0, null, null, false)]);

    /// <inheritdoc/>
    public override void Restore(TransitionState state) => _gap.Restore(state.Tracks[0].Sum, state.Tracks[0].Count);
}
