namespace Saltern.Watch;

/// <summary>The running mean that makes a noisy curve readable.</summary>
internal static class Smoothing
{
    /// <summary>An exponential mean over logged points, corrected for its start, as TensorBoard's: sₙ = Σ wⁿ⁻ⁱ·xᵢ / Σ wⁿ⁻ⁱ.</summary>
    /// <param name="points">In order of steps.</param>
    /// <param name="weight">w in [0, 1): 0 leaves the points as they are.</param>
    public static IReadOnlyList<(int Step, double Value)> Of(
        IReadOnlyList<(int Step, double Value)> points,
        double weight
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegative(weight);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(weight, 1);
        if (weight == 0)
        {
            return points;
        }

        List<(int Step, double Value)> smooth = new(points.Count);
        double sum = 0;
        double weights = 0;
        foreach ((int step, double value) in points)
        {
            sum = (weight * sum) + value;
            weights = (weight * weights) + 1;
            smooth.Add((step, sum / weights));
        }

        return smooth;
    }
}
