using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a curve is drawn against.</summary>
internal enum PlotCost
{
    Steps,
    Seconds,
    Flops,
}

/// <summary>What a cost is called, and its value at a point.</summary>
internal static class PlotCosts
{
    /// <summary>In titles, "loss against …".</summary>
    public static string Words(PlotCost cost) =>
        cost switch
        {
            PlotCost.Seconds => "training time",
            PlotCost.Flops => "arithmetic",
            _ => "steps",
        };

    public static double? At(CurvePoint point, PlotCost cost) => Of(Cost.Of(point), cost);

    public static double? Of(Cost? whole, PlotCost cost) =>
        cost switch
        {
            PlotCost.Seconds => whole?.Seconds,
            PlotCost.Flops => whole?.Flops,
            _ => whole?.Steps,
        };

    /// <summary>Divisor, unit and title of an axis up to this cost.</summary>
    public static (double Divisor, string Title) Axis(PlotCost cost, double largest)
    {
        switch (cost)
        {
            case PlotCost.Seconds:
                (double seconds, string time) = Figures.SecondsAxis(largest);
                return (seconds, $"training time, {time}");
            case PlotCost.Flops:
                (double flops, string unit) = Figures.FlopsAxis(largest);
                return (flops, $"arithmetic, {unit}");
            default:
                return (1, "steps");
        }
    }

    /// <summary>A cost with its unit.</summary>
    public static string Text(PlotCost cost, double value) =>
        cost switch
        {
            PlotCost.Seconds => Figures.Seconds(value),
            PlotCost.Flops => Figures.Flops(value),
            _ => $"{Figures.Count(value)} steps",
        };
}
