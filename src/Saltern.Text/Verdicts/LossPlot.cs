using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a curve is drawn against.</summary>
internal enum PlotCost
{
    Steps,
    Seconds,
    Flops,
}

/// <summary>The picture that carries the verdict: every arm's validation curve, the baseline's final value, and where each arm reaches it.</summary>
internal static class LossPlot
{
    /// <summary>The first fall of a loss is ten times its later differences; the vertical axis covers what comes after this share of the run.</summary>
    public const double ShareBeforeAxis = 0.2;

    /// <summary>The model.</summary>
    /// <param name="verdict">What was found.</param>
    /// <param name="arms">Arms to draw; their indices decide colours and dashes.</param>
    /// <param name="cost">The horizontal axis.</param>
    /// <param name="size">Size to draw it in.</param>
    /// <param name="legend">Whether the lines are named in the picture; else the page does so.</param>
    public static PlotModel Build(
        Verdict verdict,
        IReadOnlyList<ReportArm> arms,
        PlotCost cost,
        PlotSize size,
        bool legend = true
    )
    {
        PlotModel model = PlotCanvas.Create(size);
        double largest = LargestCost(arms, verdict.Metric, cost);
        (double divisor, string unit) = cost switch
        {
            PlotCost.Seconds => Figures.SecondsAxis(largest),
            PlotCost.Flops => Figures.FlopsAxis(largest),
            _ => (1, "steps"),
        };
        (double low, double high) = Range(verdict, arms);
        string costName = cost switch
        {
            PlotCost.Seconds => $"training time, {unit}",
            PlotCost.Flops => $"arithmetic, {unit}",
            _ => unit,
        };
        bool falls = verdict.Metric.LowerIsBetter;
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Bottom, costName, 0, largest / divisor));
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Left, verdict.Metric.Axis, low, high));
        if (legend)
        {
            model.Legends.Add(PlotCanvas.Legend(size, falls ? LegendPosition.RightTop : LegendPosition.RightBottom));
        }

        AddTarget(model, verdict, largest / divisor, size);
        foreach (ReportArm arm in arms)
        {
            AddArm(model, arm, verdict.Metric, cost, divisor, size);
        }

        AddTeacher(model, verdict, arms, largest / divisor, size);
        foreach ((int place, ReportArm arm) in arms.Index())
        {
            AddCrossing(
                model,
                verdict,
                arm,
                cost,
                divisor,
                new DataPoint(largest / divisor, low),
                size.Font * 1.3 * (arms.Count - place)
            );
        }

        return model;
    }

    private static void AddArm(
        PlotModel model,
        ReportArm arm,
        VerdictMetric metric,
        PlotCost cost,
        double divisor,
        PlotSize size
    )
    {
        bool hasMean = arm.Runs.Count > 1 && cost == PlotCost.Steps;
        bool isFirst = true;
        foreach (RunRecord run in arm.Runs)
        {
            LineSeries line = PlotCanvas.Line(arm.Index, isFirst && !hasMean ? arm.Label : null, hasMean);
            line.Points.AddRange(
                run.Curve(metric)
                    .Where(point => CostOf(point, cost) is not null)
                    .Select(point => new DataPoint(CostOf(point, cost)!.Value / divisor, point.Value))
            );
            model.Series.Add(line);
            isFirst = false;
        }

        if (hasMean)
        {
            LineSeries mean = PlotCanvas.Line(
                arm.Index,
                size.IsNarrow ? arm.Label : $"{arm.Label}, mean of {arm.Runs.Count} seeds"
            );
            mean.Points.AddRange(arm.Mean(metric).Select(point => new DataPoint(point.Step, point.Value)));
            model.Series.Add(mean);
        }
    }

    private static void AddTarget(PlotModel model, Verdict verdict, double right, PlotSize size)
    {
        model.Annotations.Add(
            new LineAnnotation
            {
                Type = LineAnnotationType.Horizontal,
                Y = verdict.Baseline.Target,
                Color = PlotPalette.Line(0),
                StrokeThickness = 1,
                LineStyle = LineStyle.Solid,
                Layer = AnnotationLayer.BelowSeries,
            }
        );
        model.Annotations.Add(
            new TextAnnotation
            {
                Text = size.IsNarrow
                    ? $"target {Figures.Loss(verdict.Baseline.Target)}"
                    : $"{verdict.Baseline.Label}'s final {(verdict.Metric == VerdictMetric.Loss ? "loss" : verdict.Metric.Noun)} {Figures.Loss(verdict.Baseline.Target)}",
                TextPosition = new DataPoint(right * 0.012, verdict.Baseline.Target),
                TextHorizontalAlignment = HorizontalAlignment.Left,
                TextVerticalAlignment = VerticalAlignment.Middle,
                Offset = new ScreenVector(0, -0.8 * model.DefaultFontSize),
                TextColor = PlotPalette.Muted,
                StrokeThickness = 0,
            }
        );
    }

    private static void AddTeacher(
        PlotModel model,
        Verdict verdict,
        IReadOnlyList<ReportArm> arms,
        double right,
        PlotSize size
    )
    {
        if (verdict.Metric != VerdictMetric.Loss)
        {
            return;
        }

        // On the tokens of the curves; of several teachers (one a seed) the mean.
        double[] losses =
        [
            .. arms.SelectMany(arm => arm.Runs)
                .Select(run => run.Result.Teacher?.CurveLoss)
                .OfType<double>()
                .Distinct(),
        ];
        if (losses.Length == 0)
        {
            return;
        }

        double loss = losses.Average();
        LineSeries line = new()
        {
            Title = size.IsNarrow ? $"teacher {Figures.Loss(loss)}" : $"teacher's loss {Figures.Loss(loss)}",
            Color = PlotPalette.Muted,
            StrokeThickness = 1.6,
            Dashes = [1, 3],
        };
        line.Points.Add(new DataPoint(0, loss));
        line.Points.Add(new DataPoint(right, loss));
        model.Series.Add(line);
    }

    /// <summary>A mark at the arm's crossing with a line down to the axis. With several seeds it stands at their mean cost.</summary>
    private static void AddCrossing(
        PlotModel model,
        Verdict verdict,
        ReportArm arm,
        PlotCost cost,
        double divisor,
        DataPoint rightBottom,
        double labelHeight
    )
    {
        double? at =
            cost switch
            {
                PlotCost.Seconds => arm.Verdict?.SecondsToBaseline,
                PlotCost.Flops => arm.Verdict?.FlopsToBaseline,
                _ => arm.Verdict?.StepsToBaseline,
            } / divisor;
        if (at is not { } x)
        {
            return;
        }

        double y = verdict.Baseline.Target;
        model.Annotations.Add(
            new LineAnnotation
            {
                Type = LineAnnotationType.Vertical,
                X = x,
                MaximumY = y,
                Color = PlotPalette.Line(arm.Index),
                StrokeThickness = 1,
                LineStyle = LineStyle.Dot,
            }
        );
        bool leftOfLine = x > 0.5 * rightBottom.X;
        model.Annotations.Add(
            new PointAnnotation
            {
                X = x,
                Y = y,
                Size = 5,
                Shape = MarkerType.Circle,
                Fill = PlotPalette.Line(arm.Index),
                Stroke = PlotPalette.Card,
                StrokeThickness = 1.5,
            }
        );
        model.Annotations.Add(
            new TextAnnotation
            {
                Text = cost switch
                {
                    PlotCost.Seconds => Figures.Seconds(x * divisor),
                    PlotCost.Flops => Figures.Flops(x * divisor),
                    _ => $"{Figures.Count(x)} steps",
                },
                TextPosition = new DataPoint(x, rightBottom.Y),
                Offset = new ScreenVector(leftOfLine ? -7 : 7, -labelHeight),
                TextHorizontalAlignment = leftOfLine ? HorizontalAlignment.Right : HorizontalAlignment.Left,
                TextVerticalAlignment = VerticalAlignment.Middle,
                TextColor = PlotPalette.Line(arm.Index),
                StrokeThickness = 0,
            }
        );
    }

    private static (double Low, double High) Range(Verdict verdict, IReadOnlyList<ReportArm> arms)
    {
        double lastStep = arms.SelectMany(arm => arm.Runs).Max(run => run.Curve(verdict.Metric)[^1].Step);
        double[] values =
        [
            .. arms.SelectMany(arm => arm.Runs)
                .SelectMany(run =>
                    run.Curve(verdict.Metric)
                        .Where(point => point.Step >= ShareBeforeAxis * lastStep)
                        .Select(point => point.Value)
                ),
        ];
        double low = values.Append(verdict.Baseline.Target).Min();
        double high = values.Append(verdict.Baseline.Target).Max();
        double span = Math.Max(high - low, 1e-3);
        // Room below the curves for the crossings' labels, one line an arm.
        return (low - span * (0.07 + 0.06 * (arms.Count - 1)), high + span * 0.05);
    }

    private static double LargestCost(IReadOnlyList<ReportArm> arms, VerdictMetric metric, PlotCost cost)
    {
        double largest = arms.SelectMany(arm => arm.Runs)
            .SelectMany(run => run.Curve(metric))
            .Max(point => CostOf(point, cost) ?? 0);
        return largest > 0 ? largest : 1;
    }

    private static double? CostOf(CurvePoint point, PlotCost cost) =>
        cost switch
        {
            PlotCost.Seconds => point.Seconds,
            PlotCost.Flops => point.Flops,
            _ => point.Step,
        };
}
