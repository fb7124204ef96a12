using Saltern.Configuration;

namespace Saltern.Optimization;

/// <summary>η_j of each step as a closed function of the step; it runs straight through both stages.</summary>
internal sealed class LearningRateSchedule
{
    private readonly ScheduleConfig _config;
    private readonly double _peak;
    private readonly int _totalSteps;
    private readonly int _decaySteps;

    /// <summary>Plans the schedule of a run.</summary>
    /// <exception cref="ConfigurationException">Warm-up and decay do not fit into the run.</exception>
    public LearningRateSchedule(ScheduleConfig config, double peak, int totalSteps)
    {
        (_config, _peak, _totalSteps) = (config, peak, totalSteps);
        if (config.Kind == ScheduleKind.Wsd)
        {
            _decaySteps = (config.Decay ?? StepPoint.FromShare(0.2)).Resolve(totalSteps);
        }

        if (config.WarmupSteps + _decaySteps > totalSteps)
        {
            throw new ConfigurationException(
                $"schedule.warmup_steps = {config.WarmupSteps} and a decay of {_decaySteps} steps "
                    + $"do not fit into training.steps = {totalSteps}."
            );
        }
    }

    /// <summary>η_j.</summary>
    /// <param name="step">j in 1 … J; step j of the warm-up has η·j/(steps of warm-up + 1).</param>
    public double At(int step)
    {
        if (step <= _config.WarmupSteps)
        {
            return _peak * step / (_config.WarmupSteps + 1.0);
        }

        switch (_config.Kind)
        {
            case ScheduleKind.Cosine:
                int length = Math.Max(1, _totalSteps - _config.WarmupSteps - 1);
                double progress = Math.Min(1.0, (step - _config.WarmupSteps - 1) / (double)length);
                return _peak
                    * (_config.FinalShare + ((1.0 - _config.FinalShare) * 0.5 * (1.0 + Math.Cos(Math.PI * progress))));
            case ScheduleKind.Wsd:
                int left = Math.Max(0, _totalSteps - step);
                double share = _decaySteps == 0 ? 1.0 : Math.Min(1.0, left / (double)_decaySteps);
                return _peak * (_config.FinalShare + ((1.0 - _config.FinalShare) * share));
            default:
                return _peak;
        }
    }
}
