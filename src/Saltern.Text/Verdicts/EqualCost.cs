using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>Two runs at the same charged arithmetic: the other way to read a saving (docs/method.md, "Verdict").</summary>
/// <remarks>
/// A crossing asks what the baseline's end costs; this asks what the same money buys. Where one of the two costs less as a whole, the other is read
/// off its curve there, before its rate has run down: that flatters neither by more than what the rest of its schedule would have given it.
/// </remarks>
internal static class EqualCost
{
    /// <summary>The run's measure minus the baseline's where both have cost what the cheaper of the two costs as a whole, everything charged.</summary>
    /// <param name="studentsServed">K, at least 1: what small models cost counts by its K-th part.</param>
    /// <returns>Null where a cost is not known, or where the small model alone costs more than that.</returns>
    public static double? Difference(RunRecord baseline, RunRecord run, VerdictMetric metric, int studentsServed)
    {
        if (Charged(baseline, metric, studentsServed) is { } own && Charged(run, metric, studentsServed) is { } other)
        {
            double flops = Math.Min(own[^1].Flops, other[^1].Flops);
            return At(other, flops) - At(own, flops);
        }

        return null;
    }

    private static (double Flops, double Value)[]? Charged(RunRecord run, VerdictMetric metric, int studentsServed)
    {
        SmallModelCost small = SmallModelCost.Of(run);
        (double? Flops, double Value)[] curve =
        [
            .. run.Curve(metric).Select(point => (small.Charged(Cost.Of(point), studentsServed).Flops, point.Value)),
        ];
        return curve.All(point => point.Flops is not null) ? [.. curve.Select(p => (p.Flops!.Value, p.Value))] : null;
    }

    private static double? At((double Flops, double Value)[] curve, double flops)
    {
        int after = Array.FindIndex(curve, point => point.Flops >= flops);
        if (after > 0)
        {
            (double low, double before) = curve[after - 1];
            (double high, double value) = curve[after];
            return before + ((value - before) * (flops - low) / (high - low));
        }

        return curve[0].Flops > flops ? null : curve[0].Value;
    }
}
