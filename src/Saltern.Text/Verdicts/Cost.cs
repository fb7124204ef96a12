namespace Saltern.Verdicts;

/// <summary>What a run had spent when it reached a target (docs/method.md).</summary>
/// <param name="Steps">Steps, interpolated between evaluations.</param>
/// <param name="Seconds">Step time, seconds; null where it was not logged.</param>
/// <param name="Flops">Arithmetic, FLOPs, a live teacher's included; null where it was not logged.</param>
public sealed record Cost(double Steps, double? Seconds, double? Flops)
{
    /// <summary>What a run had spent at an evaluation.</summary>
    internal static Cost Of(RunFiles.CurvePoint point) => new(point.Step, point.Seconds, point.Flops);

    /// <summary>Mean over runs; null where a run did not reach the target, and in the parts that a run did not log.</summary>
    internal static Cost? Mean(IReadOnlyList<Cost?> runs)
    {
        Cost[] reached = [.. runs.OfType<Cost>()];
        if (reached.Length < runs.Count)
        {
            return null;
        }

        return new Cost(
            reached.Average(cost => cost.Steps),
            MeanOfAll(reached, cost => cost.Seconds),
            MeanOfAll(reached, cost => cost.Flops)
        );
    }

    private static double? MeanOfAll(Cost[] runs, Func<Cost, double?> part)
    {
        if (runs.All(cost => part(cost) is not null))
        {
            return runs.Average(part);
        }

        return null;
    }
}
