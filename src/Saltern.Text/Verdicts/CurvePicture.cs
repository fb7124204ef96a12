using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The curves as an SVG file of its own, for a README; it follows the reader's light or dark mode.</summary>
internal static class CurvePicture
{
    /// <summary>Writes the picture; an existing file is replaced in one go.</summary>
    /// <param name="path">Where to; the folder is made if it does not exist.</param>
    /// <param name="baselines">The baseline's runs, as given to <see cref="Verdict.Compute"/>.</param>
    /// <param name="others">The other runs, as given to <see cref="Verdict.Compute"/>.</param>
    /// <param name="cost">What they are drawn against; times only where clocks compare.</param>
    /// <exception cref="DataFormatException">The runs are not those of the verdict.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(
        string path,
        Verdict verdict,
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others,
        PlotCost cost = PlotCost.Steps
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ReportFile.Replace(path, ToSvg(verdict, baselines, others, cost));
    }

    /// <summary>The picture as SVG text.</summary>
    /// <inheritdoc cref="Write"/>
    public static string ToSvg(
        Verdict verdict,
        IReadOnlyList<RunRecord> baselines,
        IReadOnlyList<RunRecord> others,
        PlotCost cost = PlotCost.Steps
    )
    {
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(baselines);
        ArgumentNullException.ThrowIfNull(others);
        IReadOnlyList<ReportArm> arms = ReportArm.Of(verdict, baselines, others);
        PlotSize size = PlotSize.Wide;
        XElement svg = PlotCanvas.Draw(
            LossPlot.Build(verdict, arms, cost, size),
            size,
            "curves",
            $"{verdict.Metric.Title} against {PlotCosts.Words(cost)}",
            string.Join(" ", verdict.Runs.Select(run => run.SentenceFree))
        );
        return ReportFile.Serialise(PlotCanvas.StandAlone(svg, size));
    }
}
