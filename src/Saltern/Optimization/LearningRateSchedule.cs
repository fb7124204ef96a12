namespace Saltern.Optimization;

/// <summary>A growth of the model, as the learning rate sees it.</summary>
/// <param name="After">Step that it follows.</param>
/// <param name="WarmupSteps">Steps over which the rate rises again.</param>
/// <param name="Restarts">Whether the schedule begins anew.</param>
internal sealed record RateBreak(int After, int WarmupSteps, bool Restarts);

/// <summary>η_j of each step as a closed function of the step; it runs straight through both stages.</summary>
internal sealed class LearningRateSchedule
{
    private readonly ScheduleConfig _config;
    private readonly double _peak;
    private readonly IReadOnlyList<RateBreak> _breaks;
    private readonly int _start; // the last restart: the schedule runs over the steps after it
    private readonly int _warmupSteps;
    private readonly int _totalSteps;
    private readonly int _decaySteps;

    /// <summary>Plans the schedule of a run.</summary>
    /// <param name="breaks">Where the model grows, in order of steps; null for nowhere.</param>
    /// <exception cref="ConfigurationException">Warm-up and decay do not fit into the run.</exception>
    public LearningRateSchedule(
        ScheduleConfig config,
        double peak,
        int totalSteps,
        IReadOnlyList<RateBreak>? breaks = null
    )
    {
        (_config, _peak, _breaks) = (config, peak, breaks ?? []);
        RateBreak? restart = _breaks.LastOrDefault(each => each.Restarts);
        _start = restart?.After ?? 0;
        _warmupSteps = restart?.WarmupSteps ?? config.WarmupSteps;
        _totalSteps = totalSteps - _start;
        _decaySteps = config.DecaySteps(_totalSteps);
        if (_warmupSteps + _decaySteps > _totalSteps)
        {
            string key = restart is null ? "schedule.warmup_steps" : "the warmup_steps of the last growth";
            string steps = restart is null ? "training.steps" : "the steps after it";
            throw new ConfigurationException(
                $"{key} = {_warmupSteps} and a decay of {_decaySteps} steps do not fit into {steps} = {_totalSteps}."
            );
        }

        if (restart is not null && config.WarmupSteps > _breaks[0].After)
        {
            throw new ConfigurationException(
                $"schedule.warmup_steps = {config.WarmupSteps} is longer than the {_breaks[0].After} steps before the first growth."
            );
        }

        foreach (RateBreak each in _breaks.Where(each => each.WarmupSteps > totalSteps - each.After))
        {
            throw new ConfigurationException(
                $"The growth after step {each.After} has warmup_steps = {each.WarmupSteps}, "
                    + $"more than the {totalSteps - each.After} steps that follow it."
            );
        }
    }

    /// <summary>η_j.</summary>
    /// <param name="step">j in 1 … J; step j of the warm-up has η·j/(steps of warm-up + 1).</param>
    public double At(int step)
    {
        RateBreak? last = _breaks.LastOrDefault(each => step > each.After);
        int since = step - (last?.After ?? 0);
        if (last is null || last.Restarts || since > last.WarmupSteps)
        {
            return Planned(step);
        }

        return Planned(step) * since / (last.WarmupSteps + 1.0);
    }

    /// <summary>η_j without the warm-ups after growths: what a weight that follows the rate goes by, so that it does not fall with them for good.</summary>
    public double WithoutRewarming(int step)
    {
        RateBreak? last = _breaks.LastOrDefault(each => step > each.After);
        if (last is { Restarts: true } && step - last.After <= last.WarmupSteps)
        {
            return _peak;
        }

        return Planned(step);
    }

    // Without the warm-ups after growths that restart nothing.
    private double Planned(int step)
    {
        if (step <= _start)
        {
            // Before the last restart: warm-up, then constant; each restart before it warms up in its turn.
            RateBreak? restart = _breaks.LastOrDefault(each => each.Restarts && step > each.After);
            return WarmedUp(step - (restart?.After ?? 0), restart?.WarmupSteps ?? _config.WarmupSteps);
        }

        step -= _start;
        if (step <= _warmupSteps)
        {
            return WarmedUp(step, _warmupSteps);
        }

        switch (_config.Kind)
        {
            case ScheduleKind.Cosine:
                int length = Math.Max(1, _totalSteps - _warmupSteps - 1);
                double progress = Math.Min(1.0, (step - _warmupSteps - 1) / (double)length);
                return _peak
                    * (_config.FinalShare + ((1.0 - _config.FinalShare) * 0.5 * (1.0 + Math.Cos(Math.PI * progress))));
            case ScheduleKind.Wsd:
                int left = Math.Max(0, _totalSteps - step);
                double share = _decaySteps == 0 ? 1.0 : Math.Min(1.0, left / (double)_decaySteps);
                return _peak * (_config.FinalShare + ((1.0 - _config.FinalShare) * Left(share)));
            default:
                return _peak;
        }
    }

    // What is left of the way down where a share of the decay's steps is left.
    private double Left(double share) =>
        _config.DecayShape switch
        {
            DecayShape.Cosine => 0.5 * (1.0 - Math.Cos(Math.PI * share)),
            DecayShape.OneMinusSqrt => 1.0 - Math.Sqrt(1.0 - share),
            DecayShape.Power => Math.Pow(share, _config.DecayExponent ?? 1.0),
            _ => share,
        };

    private double WarmedUp(int step, int warmupSteps)
    {
        if (step > warmupSteps)
        {
            return _peak;
        }

        return _peak * step / (warmupSteps + 1.0);
    }
}
