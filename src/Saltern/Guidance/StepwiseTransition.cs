namespace Saltern.Guidance;

/// <summary>Transitions with one ω for all domains at each step; the base of the closed forms, and of one's own.</summary>
/// <remarks>
/// What derives from it says ω alone: as a function of the step, or of <see cref="Gap"/> too, which is kept and saved here, so that a resumed run
/// continues bit for bit. Anything else that it remembers it has to derive from the step. At the first ω = 0 the teacher leaves, for good.
/// </remarks>
public abstract class StepwiseTransition : Transition
{
    private readonly int _domainCount;
    private readonly SmoothedGap _gap;

    /// <summary>Starts without a gap.</summary>
    /// <param name="smoothingSteps">Time constant of the smoothed gap, steps; below 1 counts as 1.</param>
    /// <param name="domainCount">Domains of the data.</param>
    protected StepwiseTransition(double smoothingSteps, int domainCount) =>
        (_domainCount, _gap) = (domainCount, new SmoothedGap(smoothingSteps));

    /// <inheritdoc/>
    public override double Gap => _gap.Value;

    // ω is a share of the loss; an alignment's λ is not.
    private protected virtual double HighestWeight => 1;

    /// <summary>ω_j, in [0, 1].</summary>
    /// <param name="step">j, from 1.</param>
    public abstract double WeightAt(int step);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The weight is outside [0, 1] or no number.</exception>
    internal override StageWeights Next(int step, double learningRate)
    {
        double weight = WeightAt(step);
        if (!(weight >= 0 && weight <= HighestWeight))
        {
            throw new InvalidOperationException(
                $"{GetType().Name} gives the weight {weight} at step {step}; a weight is a number from 0 to {HighestWeight}."
            );
        }

        return new StageWeights(weight, [.. Enumerable.Repeat(weight, _domainCount)]);
    }

    /// <inheritdoc/>
    internal override void Observe(IReadOnlyList<(double Sum, long Count)> gapByDomain) =>
        _gap.Add(gapByDomain.Sum(g => g.Sum), gapByDomain.Sum(g => g.Count));

    /// <inheritdoc/>
    internal override TransitionState Save() =>
        new([new GapTrackState(_gap.Sum, _gap.Count, null, 0, 0, null, null, false)]);

    /// <inheritdoc/>
    internal override void Restore(TransitionState state) => _gap.Restore(state.Tracks[0].Sum, state.Tracks[0].Count);
}
