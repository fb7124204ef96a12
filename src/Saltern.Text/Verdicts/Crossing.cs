using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>Where a curve first reaches a target, and what the run had cost by then (docs/method.md).</summary>
/// <param name="Steps">Steps, interpolated between the two evaluations around the target.</param>
/// <param name="Seconds">Step time; null where it was not logged.</param>
/// <param name="Flops">Arithmetic, a live teacher's included; null where it was not logged.</param>
/// <param name="Held">Whether no later evaluation is worse than the target by more than <see cref="HeldTolerance"/>.</param>
internal sealed record Crossing(double Steps, double? Seconds, double? Flops, bool Held)
{
    /// <summary>Nats of loss, or share of accuracy, by which a later evaluation may be worse and the target still counts as held.</summary>
    public const double HeldTolerance = 0.005;

    /// <summary>What the run had cost there.</summary>
    public Cost Cost => new(Steps, Seconds, Flops);

    /// <summary>Finds the first evaluation at the target or better; no smoothing.</summary>
    /// <param name="curve">Evaluations in order of steps, all values finite.</param>
    /// <param name="target">Loss in nats per token, or accuracy.</param>
    /// <param name="metric">Decides whether lower or higher is better; null for the loss.</param>
    /// <returns>Costs cost_{i−1} + (cost_i − cost_{i−1})(ℒ_{i−1} − ℒ*)/(ℒ_{i−1} − ℒ_i); the first point's own cost if it is that one; null where the target is not reached.</returns>
    public static Crossing? Find(IReadOnlyList<CurvePoint> curve, double target, VerdictMetric? metric = null)
    {
        ArgumentNullException.ThrowIfNull(curve);
        // A loss and a negated accuracy both fall towards the target.
        double sign = (metric ?? VerdictMetric.Loss).Sign;
        for (int i = 0; i < curve.Count; i++)
        {
            if (sign * curve[i].Value > sign * target)
            {
                continue;
            }

            bool held = curve.Skip(i + 1).All(later => sign * later.Value <= sign * target + HeldTolerance);
            CurvePoint point = curve[i];
            if (i == 0)
            {
                return new Crossing(point.Step, point.Seconds, point.Flops, held);
            }

            CurvePoint before = curve[i - 1];
            double share = (before.Value - target) / (before.Value - point.Value);
            return new Crossing(
                before.Step + (point.Step - before.Step) * share,
                before.Seconds + (point.Seconds - before.Seconds) * share,
                before.Flops + (point.Flops - before.Flops) * share,
                held
            );
        }

        return null;
    }
}
