namespace Saltern.Optimization;

/// <summary>What changes from update to update besides the gradients, as a closed function of the step.</summary>
internal sealed class UpdateSchedule
{
    private readonly OptimizerConfig _config;
    private readonly MomentumScheduleConfig? _momentum;
    private readonly int _totalSteps;
    private readonly int _warmup;
    private readonly int _cooldown;

    /// <summary>Plans a run.</summary>
    /// <exception cref="ConfigurationException">Warm-up and cool-down of the momentum do not fit into the run, or there is no momentum.</exception>
    public UpdateSchedule(LearningRateSchedule rate, OptimizerConfig config, ScheduleConfig schedule, int totalSteps)
    {
        (Rate, _config, _momentum, _totalSteps) = (rate, config, schedule.Momentum, totalSteps);
        _warmup = _momentum?.Warmup?.Resolve(totalSteps) ?? 0;
        _cooldown = _momentum?.Cooldown?.Resolve(totalSteps) ?? 0;
        if (_warmup + _cooldown > totalSteps)
        {
            throw new ConfigurationException(
                $"schedule.momentum: a warm-up of {_warmup} and a cool-down of {_cooldown} steps "
                    + $"do not fit into training.steps = {totalSteps}."
            );
        }

        if (_momentum is not null && Peak is null)
        {
            throw new ConfigurationException(
                "schedule.momentum changes nothing with 'kind: adafactor' without beta1, which keeps no momentum. "
                    + "Remove it, or give optimizer.beta1."
            );
        }
    }

    /// <summary>η_j.</summary>
    public LearningRateSchedule Rate { get; }

    private double? Peak =>
        _config.Kind switch
        {
            OptimizerKind.Muon => _config.Momentum ?? MuonRule.DefaultMomentum,
            OptimizerKind.Adafactor => _config.Beta1,
            _ => _config.Betas[0],
        };

    /// <summary>What the update of a step is given; its gradient's norm is still to be found.</summary>
    /// <param name="step">j in 1 … J.</param>
    public UpdateStep At(int step)
    {
        double rate = Rate.At(step);
        return new UpdateStep(rate, GradientNorm: 0) { DecayShare = DecayShare(step, rate), Momentum = Momentum(step) };
    }

    private double DecayShare(int step, double rate) =>
        _config.WeightDecaySchedule switch
        {
            WeightDecaySchedule.Rate => rate / _config.LearningRate,
            WeightDecaySchedule.Linear => 1.0 - ((step - 1.0) / _totalSteps),
            _ => 1.0,
        };

    private double? Momentum(int step)
    {
        if (_momentum is null || Peak is not double peak)
        {
            return null;
        }

        if (step <= _warmup && _momentum.Start is double start)
        {
            return start + ((peak - start) * (step - 1) / _warmup);
        }

        int since = step - (_totalSteps - _cooldown);
        if (since > 0 && _momentum.End is double end)
        {
            return peak + ((end - peak) * since / _cooldown);
        }

        return peak;
    }
}
