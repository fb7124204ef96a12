namespace Saltern.Guidance;

/// <summary>g = S/N with S ← βS + d and N ← βN + c: the smoothed mean of student NLL − reference, nats per position.</summary>
public sealed class SmoothedGap
{
    private readonly double _decay;

    /// <summary>Starts from S = N = 0, which leaves no bias to correct.</summary>
    /// <param name="steps">Time constant, steps; below 1 counts as 1: no smoothing.</param>
    public SmoothedGap(double steps) => _decay = 1.0 - (1.0 / Math.Max(1.0, steps));

    /// <summary>S.</summary>
    public double Sum { get; private set; }

    /// <summary>N.</summary>
    public double Count { get; private set; }

    /// <summary>g; NaN before the first position.</summary>
    public double Value => Sum / Count;

    /// <summary>Adds one step's differences.</summary>
    public void Add(double sum, long count)
    {
        Sum = (_decay * Sum) + sum;
        Count = (_decay * Count) + count;
    }

    /// <summary>Resumes from saved values.</summary>
    public void Restore(double sum, double count) => (Sum, Count) = (sum, count);
}
