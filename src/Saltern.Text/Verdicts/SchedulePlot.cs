using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Series;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The strip under the picture: each arm's weight of the teacher (ω, or an alignment's λ) and the learning rate, over the same steps.</summary>
internal static class SchedulePlot
{
    public static PlotModel Build(VerdictMetric metric, IReadOnlyList<ReportArm> arms, PlotSize size)
    {
        PlotModel model = PlotCanvas.Create(size);
        double lastStep = Math.Max(1, arms.SelectMany(arm => arm.Runs).Max(run => run.Curve(metric)[^1].Step));
        IReadOnlyList<(int Step, double Value)> rate = arms[0].Runs[0].Metrics.Series(MetricNames.LearningRate);
        double highestRate = rate.Select(point => point.Value).DefaultIfEmpty(1).Max();
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Bottom, "steps", 0, lastStep));
        double highestWeight = arms.Where(arm => arm.Runs[0].HadTeacher)
            .SelectMany(arm => arm.Runs[0].Metrics.Series(MetricNames.TeacherWeight))
            .Select(point => point.Value)
            .Append(1)
            .Max();
        LinearAxis weightAxis = PlotCanvas.Axis(AxisPosition.Left, "teacher's weight", 0, 1.05 * highestWeight);
        weightAxis.MajorStep = highestWeight / 2;
        weightAxis.Key = "weight";
        model.Axes.Add(weightAxis);
        LinearAxis rateAxis = PlotCanvas.Axis(AxisPosition.Right, "", 0, 1);
        rateAxis.MajorStep = 0.5;
        if (highestRate > 0)
        {
            rateAxis.Maximum = highestRate * 1.05;
            rateAxis.MajorStep = highestRate / 2;
        }

        rateAxis.Key = "rate";
        rateAxis.LabelFormatter = value => Figures.Format(value, value == 0 ? "0" : "0.#e-0");
        model.Axes.Add(rateAxis);

        LineSeries rateLine = PlotCanvas.Line(0, null);
        rateLine.YAxisKey = "rate";
        rateLine.StrokeThickness = 1.4;
        rateLine.Color = PlotPalette.Muted;
        rateLine.Dashes = [1, 3];
        rateLine.Points.AddRange(Thin(rate));
        model.Series.Add(rateLine);
        foreach (ReportArm arm in arms.Where(arm => arm.Runs[0].HadTeacher))
        {
            LineSeries line = PlotCanvas.Line(arm.Look, null);
            line.YAxisKey = "weight";
            line.Points.AddRange(Thin(arm.Runs[0].Metrics.Series(MetricNames.TeacherWeight)));
            model.Series.Add(line);
            AddSwitch(model, arm);
        }

        return model;
    }

    private static void AddSwitch(PlotModel model, ReportArm arm)
    {
        if (arm.Runs[0].Result.Stage1EndStep is not { } step)
        {
            return;
        }

        model.Annotations.Add(
            new LineAnnotation
            {
                Type = LineAnnotationType.Vertical,
                X = step,
                YAxisKey = "weight",
                Color = PlotPalette.Line(arm.Look),
                StrokeThickness = 1,
                LineStyle = LineStyle.Dot,
            }
        );
    }

    private static IEnumerable<DataPoint> Thin(IReadOnlyList<(int Step, double Value)> series) =>
        Thinning.Keep(series).Select(point => new DataPoint(point.Step, point.Value));
}
