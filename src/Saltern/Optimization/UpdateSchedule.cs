namespace Saltern.Optimization;

/// <summary>What changes from update to update besides the gradients, as a closed function of the step.</summary>
internal sealed class UpdateSchedule
{
    private readonly OptimizerConfig _config;
    private readonly int _totalSteps;

    /// <summary>Plans a run.</summary>
    public UpdateSchedule(LearningRateSchedule rate, OptimizerConfig config, int totalSteps) =>
        (Rate, _config, _totalSteps) = (rate, config, totalSteps);

    /// <summary>η_j.</summary>
    public LearningRateSchedule Rate { get; }

    /// <summary>What the update of a step is given; its gradient's norm is still to be found.</summary>
    /// <param name="step">j in 1 … J.</param>
    public UpdateStep At(int step)
    {
        double rate = Rate.At(step);
        return new UpdateStep(rate, GradientNorm: 0) { DecayShare = DecayShare(step, rate) };
    }

    private double DecayShare(int step, double rate) =>
        _config.WeightDecaySchedule switch
        {
            WeightDecaySchedule.Rate => rate / _config.LearningRate,
            WeightDecaySchedule.Linear => 1.0 - ((step - 1.0) / _totalSteps),
            _ => 1.0,
        };
}
