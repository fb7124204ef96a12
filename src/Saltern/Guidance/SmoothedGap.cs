namespace Saltern.Guidance;

/// <summary>γ = S_d/S_n with S_d ← β_s·S_d + d_j and S_n ← β_s·S_n + n′_j: the smoothed mean of student NLL − reference, nats per position.</summary>
internal sealed class SmoothedGap
{
    private readonly double _decay;

    /// <summary>Starts from S_d = S_n = 0, which leaves no bias to correct.</summary>
    /// <param name="steps">Time constant, steps; below 1 counts as 1: no smoothing.</param>
    public SmoothedGap(double steps) => _decay = 1.0 - (1.0 / Math.Max(1.0, steps));

    /// <summary>S_d.</summary>
    public double Sum { get; private set; }

    /// <summary>S_n.</summary>
    public double Count { get; private set; }

    /// <summary>γ; NaN before the first position.</summary>
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
