using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>Pictures of runs by themselves.</summary>
internal static class RunsFigures
{
    /// <summary>The validation curves against steps.</summary>
    public static XElement Curves(VerdictMetric metric, IReadOnlyList<ReportArm> arms) =>
        new ReportPlot
        {
            Id = "steps",
            Title = $"{metric.Title} against steps",
            Description = string.Join(", ", arms.Select(arm => arm.Label)),
            Build = size => LossPlot.Build(metric, arms, PlotCost.Steps, size),
            Note =
                $"The vertical axis is cut to what comes after the first {LossPlot.PercentBeforeAxis} % of the steps, "
                + "where differences can be seen.",
            Data = ReportFigures.CurveTable(metric, arms, PlotCost.Steps),
        }.Figure();
}
