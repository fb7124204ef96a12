namespace Saltern.Guidance;

/// <summary>ω follows how much closer the teacher still is to the data than the student, and ends stage 1 by itself. The other transitions end it where their window does.</summary>
/// <remarks>
/// The gap γ estimates KL(data‖student) − KL(data‖teacher) on the training tokens, at no cost beyond the teacher's forward pass.
/// As a share of the gap at the anchor it drives φ; the learning rate drives ρ; κ guarantees an end:
/// r_j = min(r_{j−1}, r₀·ρ_j·φ_j, r₀·κ_j), ω_j = r_j/(1 + r_j). Our rule, docs/method.md "auto".
/// </remarks>
internal sealed class AutoTransition : Transition
{
    /// <summary>A domain of which fewer (smoothed) positions were seen by the anchor goes by the overall gap.</summary>
    public const double FewestPositionsOfADomain = 8_192;

    /// <summary>Reason of a stage 1 that ends before its gap could be measured: the teacher was not ahead of the student.</summary>
    public const string NoGap = "no gap";

    private readonly DistillationConfig _config;
    private readonly Track _global;
    private readonly Track[] _domains;
    private readonly int _domainCount;
    private readonly bool _startsTrained;
    private readonly bool _mayEndAtOnce;

    /// <summary>Resolves the constants for a run.</summary>
    /// <param name="startsTrained">Whether the student starts from a trained model: then there may be nothing to learn from the beginning, and n_min is not waited for once 8,192 positions were seen, unless it is asked for.</param>
    /// <exception cref="ConfigurationException">The maximum does not lie after the anchor, or outside the run.</exception>
    public AutoTransition(
        DistillationConfig config,
        int totalSteps,
        int warmupSteps,
        int domainCount,
        bool startsTrained = false
    )
    {
        _config = config;
        _domainCount = domainCount;
        _startsTrained = startsTrained;
        Anchor = Math.Max(Math.Max(1, config.Anchor.Resolve(totalSteps)), warmupSteps);
        Minimum = config.Minimum.Resolve(totalSteps);

        // One batch of a small run says little, and n_min was asked for where it is not the default.
        _mayEndAtOnce = startsTrained && config.Minimum == new DistillationConfig().Minimum;
        Maximum = config.Maximum.Resolve(totalSteps);
        if (Maximum <= Anchor || Maximum > totalSteps)
        {
            throw new ConfigurationException(
                $"distillation.maximum = {config.Maximum} is step {Maximum} of {totalSteps}, "
                    + $"but must lie after the anchor (step {Anchor}, "
                    + "not before the end of warm-up) and inside the run."
            );
        }

        double smoothing = config.Smoothing * totalSteps;
        _global = new Track(this, smoothing);
        int tracks = config.PerDomain ? domainCount : 0;
        _domains = [.. Enumerable.Range(0, tracks).Select(_ => new Track(this, smoothing))];
    }

    /// <summary>n_a, the step whose gap is the measure.</summary>
    public int Anchor { get; }

    /// <summary>n_min.</summary>
    public int Minimum { get; }

    /// <summary>n_max.</summary>
    public int Maximum { get; }

    /// <summary>n_c = ⌊0.75·n_max + ½⌋, from which κ falls.</summary>
    public int CeilingStart => (int)Math.Floor((0.75 * Maximum) + 0.5);

    /// <inheritdoc/>
    public override double Gap => _global.Gap.Value;

    /// <summary><c>gap</c>, <c>no gap</c> (the teacher was never ahead) or <c>maximum</c>.</summary>
    public override string EndReason => FirstWithout?.Reason ?? base.EndReason;

    /// <summary>γ/γ_a of the last step; NaN before the anchor.</summary>
    public double GapShare => _global.Gap.Value / (_global.AnchorGap ?? double.NaN);

    /// <summary>φ, ρ and κ of the last step.</summary>
    public (double Gap, double LearningRate, double Ceiling) Factors { get; private set; } = (1, 1, 1);

    /// <summary>First step without the teacher in any domain, and why; null while it runs.</summary>
    public (int Step, string Reason)? FirstWithout
    {
        get
        {
            Track[] tracks = _domains.Length == 0 ? [_global] : _domains;
            if (tracks.All(track => track.LastStep is not null) && tracks.MaxBy(track => track.LastStep) is Track last)
            {
                return (last.LastStep!.Value + 1, last.EndReason!);
            }

            return null;
        }
    }

    /// <inheritdoc/>
    internal override StageWeights Next(int step, double learningRate)
    {
        double overall = _global.Next(step, learningRate, null);
        Factors = _global.Factors;
        if (_domains.Length == 0)
        {
            return new StageWeights(overall, [.. Enumerable.Repeat(overall, _domainCount)]);
        }

        double[] weights = [.. _domains.Select(track => track.Next(step, learningRate, _global))];
        return new StageWeights(weights.Max(), weights);
    }

    /// <inheritdoc/>
    internal override void Observe(IReadOnlyList<(double Sum, long Count)> gapByDomain)
    {
        _global.Observe(gapByDomain.Sum(g => g.Sum), gapByDomain.Sum(g => g.Count));
        for (int i = 0; i < _domains.Length; i++)
        {
            _domains[i].Observe(gapByDomain[i].Sum, gapByDomain[i].Count);
        }
    }

    /// <inheritdoc/>
    internal override TransitionState Save() => new([_global.Save(), .. _domains.Select(track => track.Save())]);

    /// <inheritdoc/>
    internal override void Restore(TransitionState state)
    {
        _global.Restore(state.Tracks[0]);
        for (int i = 0; i < _domains.Length; i++)
        {
            _domains[i].Restore(state.Tracks[i + 1]);
        }
    }

    // κ: 1 up to the start of the ceiling, 0 from the maximum on.
    private double CeilingFactor(int step)
    {
        if (step >= Maximum)
        {
            return 0.0;
        }

        return Math.Min(1.0, (Maximum - step) / (double)(Maximum - CeilingStart));
    }

    // One gap and the ratio that follows it: the run's, or a domain's.
    private sealed class Track(AutoTransition owner, double smoothing)
    {
        private readonly double _firstRatio = owner._config.Weight / (1.0 - owner._config.Weight);
        private double _ratio = owner._config.Weight / (1.0 - owner._config.Weight);
        private double _maximumLearningRate;
        private bool _followsGlobal;
        private int _step;
        private long _seen;

        public SmoothedGap Gap { get; } = new(smoothing);

        public double? AnchorGap { get; private set; }

        public int? LastStep { get; private set; }

        public string? EndReason { get; private set; }

        public (double Gap, double LearningRate, double Ceiling) Factors { get; private set; } = (1, 1, 1);

        public double Next(int step, double learningRate, Track? global)
        {
            _step = step;
            _maximumLearningRate = Math.Max(_maximumLearningRate, learningRate);
            if (LastStep is not null)
            {
                return 0.0;
            }

            DistillationConfig config = owner._config;
            Track measure = _followsGlobal ? global! : this;
            double phi = 1.0;
            if (step > owner.Anchor && measure.AnchorGap is double anchorGap)
            {
                phi = Math.Clamp(
                    ((measure.Gap.Value / anchorGap) - config.GapLow) / (config.GapHigh - config.GapLow),
                    0.0,
                    1.0
                );
            }

            double rho =
                config.FollowLearningRate && _maximumLearningRate > 0 ? learningRate / _maximumLearningRate : 1.0;
            double kappa = owner.CeilingFactor(step);
            double byGap = Math.Min(_ratio, _firstRatio * rho * phi);
            double byCeiling = _firstRatio * kappa;
            _ratio = Math.Min(byGap, byCeiling);
            Factors = (phi, rho, kappa);
            double weight = _ratio / (1.0 + _ratio);

            // Too few positions say nothing about a domain's sign yet: the overall gap decides.
            Track sign = global is not null && Gap.Count < FewestPositionsOfADomain ? global : measure;
            bool seenEnough = owner._mayEndAtOnce && sign._seen >= FewestPositionsOfADomain;
            if ((step > owner.Minimum || seenEnough) && sign.Gap.Value <= 0)
            {
                return Finish(step, owner._startsTrained && step <= owner.Anchor ? NoGap : "gap");
            }

            if (weight <= config.EndWeight)
            {
                return Finish(step, byCeiling < byGap ? "maximum" : "gap");
            }

            return weight;
        }

        public void Observe(double sum, long count)
        {
            Gap.Add(sum, count);
            _seen += count;

            // At the anchor, or at the first step after it that was applied.
            if (_step >= owner.Anchor && AnchorGap is null && !_followsGlobal)
            {
                _followsGlobal = this != owner._global && Gap.Count < FewestPositionsOfADomain;
                AnchorGap = _followsGlobal ? null : Gap.Value;
            }
        }

        public GapTrackState Save() =>
            new(
                Gap.Sum,
                Gap.Count,
                AnchorGap,
                _ratio,
                _maximumLearningRate,
                LastStep,
                EndReason,
                _followsGlobal,
                _seen
            );

        public void Restore(GapTrackState state)
        {
            Gap.Restore(state.Sum, state.Count);
            (AnchorGap, _ratio, _maximumLearningRate) = (state.AnchorGap, state.Ratio, state.MaximumLearningRate);
            (LastStep, EndReason, _followsGlobal) = (state.LastStep, state.EndReason, state.FollowsGlobal);
            _seen = state.Seen;
        }

        private double Finish(int step, string reason)
        {
            (LastStep, EndReason, _ratio) = (step - 1, reason, 0.0);
            return 0.0;
        }
    }
}
