namespace Saltern.Optimization;

/// <summary>What one update is given besides the gradients: where the schedules stand.</summary>
/// <param name="LearningRate">η_j.</param>
/// <param name="GradientNorm">‖g‖₂ as <see cref="Optimizer.GradientNorm"/> found it.</param>
internal readonly record struct UpdateStep(double LearningRate, double GradientNorm)
{
    /// <summary>What weight decay is multiplied with, beside the learning rate.</summary>
    public double DecayShare { get; init; } = 1.0;

    /// <summary>μ of Muon, β₁ of AdamW at this step; null for the recipe's.</summary>
    public double? Momentum { get; init; }

    /// <summary>What every gradient is multiplied with: 1, or less where the norm is too large; <see cref="Optimizer.Update(UpdateStep)"/> sets it.</summary>
    public double Clip { get; init; } = 1.0;

    /// <summary>u ≥ 1, this update included; <see cref="Optimizer.Update(UpdateStep)"/> sets it.</summary>
    public long UpdateCount { get; init; } = 1;
}
