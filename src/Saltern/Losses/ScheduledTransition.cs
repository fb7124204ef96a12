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
    {
        _kind = config.Transition;
        _domainCount = domainCount;
        _weight = config.Weight;
        _gap = new SmoothedGap(config.Smoothing * totalSteps);
        (LastFullStep, FirstZeroStep) = Window(config, totalSteps);
    }

    /// <summary>n₁, the last step with ω₀.</summary>
    public int LastFullStep { get; }

    /// <summary>n₂, the first step with ω = 0; one past the run where there is none.</summary>
    public int FirstZeroStep { get; }

    /// <inheritdoc/>
    public override double Gap => _gap.Value;

    /// <summary>n₁ and n₂ in steps.</summary>
    /// <exception cref="ConfigurationException">The window is reversed or outside the run.</exception>
    public static (int LastFull, int FirstZero) Window(DistillationConfig config, int totalSteps)
    {
        if (config.Transition == TransitionKind.Constant || config.Weight == 0)
        {
            return config.Weight == 0 ? (0, 1) : (totalSteps, totalSteps + 1);
        }

        int start = config.Start!.Value.Resolve(totalSteps);
        int end = config.Transition == TransitionKind.Step ? start + 1 : config.End!.Value.Resolve(totalSteps);
        bool isStep = config.Transition == TransitionKind.Step;
        if (end < start || start > totalSteps || (!isStep && Math.Max(end, start + 1) > totalSteps))
        {
            throw new ConfigurationException($"distillation.start = {config.Start} and distillation.end = {config.End?.ToString() ?? "(none)"} are steps {start} and {end} of {totalSteps}. The window must run forward and end inside the run.");
        }

        return (start, Math.Max(end, start + 1));
    }

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
