using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The picture that carries the verdict: every arm's validation curve, the baseline's final value, and where each arm reaches it.</summary>
internal static class LossPlot
{
    /// <summary>The first fall of a loss is ten times its later differences; the vertical axis covers what comes after this share of the run.</summary>
    public const double ShareBeforeAxis = 0.2;

    /// <summary>That share in per cent, as notes say it.</summary>
    public static string PercentBeforeAxis => Figures.Format(100 * ShareBeforeAxis, "0");

    /// <summary>The model.</summary>
    /// <param name="arms">Arms to draw; their indices decide colours and dashes.</param>
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
        (double divisor, string costTitle) = PlotCosts.Axis(cost, largest);
        (double low, double high) = Range(verdict.Metric, arms, [verdict.Baseline.Target]);
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Bottom, costTitle, 0, largest / divisor));
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Left, verdict.Metric.Axis, low, high));
        if (legend)
        {
            model.Legends.Add(PlotCanvas.Legend(size, FreeCorner(verdict.Metric)));
        }

        AddTarget(model, verdict, largest / divisor, size);
        foreach (ReportArm arm in arms)
        {
            AddArm(model, arm, verdict.Metric, cost, divisor, size);
        }

        AddTeacher(model, verdict.Metric, arms, largest / divisor, size);
        (int Place, ReportArm Arm, double X)[] crossings =
        [
            .. from arm in arms.Index()
            let crossing = PlotCosts.Of(arm.Item.Verdict?.ToBaseline, cost)
            where crossing is not null
            select (arm.Index, arm.Item, crossing.Value / divisor),
        ];
        foreach ((_, ReportArm arm, double x) in crossings)
        {
            AddCrossing(model, arm, new DataPoint(x, verdict.Baseline.Target));
        }

        // Over all lines: a label may lie across that of another arm.
        foreach ((int place, ReportArm arm, double x) in crossings)
        {
            AddLabel(
                model,
                arm,
                PlotCosts.Text(cost, x * divisor),
                new DataPoint(x, low),
                new ScreenVector(SideOf(x, largest / divisor), -size.Font * 1.3 * (arms.Count - place))
            );
        }

        return model;
    }

    /// <summary>The curves by themselves, where nothing is to be reached.</summary>
    /// <param name="arms">Arms to draw.</param>
    /// <param name="size">Size to draw it in.</param>
    public static PlotModel Build(VerdictMetric metric, IReadOnlyList<ReportArm> arms, PlotCost cost, PlotSize size)
    {
        PlotModel model = PlotCanvas.Create(size);
        double largest = LargestCost(arms, metric, cost);
        (double divisor, string costTitle) = PlotCosts.Axis(cost, largest);
        (double low, double high) = Range(metric, arms, []);
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Bottom, costTitle, 0, largest / divisor));
        model.Axes.Add(PlotCanvas.Axis(AxisPosition.Left, metric.Axis, low, high));
        model.Legends.Add(PlotCanvas.Legend(size, FreeCorner(metric)));
        foreach (ReportArm arm in arms)
        {
            AddArm(model, arm, metric, cost, divisor, size);
        }

        AddTeacher(model, metric, arms, largest / divisor, size);
        return model;
    }

    // The corner that curves leave free.
    private static LegendPosition FreeCorner(VerdictMetric metric)
    {
        if (metric.LowerIsBetter)
        {
            return LegendPosition.RightTop;
        }

        return LegendPosition.RightBottom;
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
            // One line an arm has a name; of several seeds it is the mean.
            string? title = null;
            if (isFirst && !hasMean)
            {
                title = arm.Label;
            }

            LineSeries line = PlotCanvas.Line(arm.Look, title, hasMean);
            line.Points.AddRange(
                run.Curve(metric)
                    .Select(point => (Cost: PlotCosts.At(point, cost), point.Value))
                    .Where(point => point.Cost is not null)
                    .Select(point => new DataPoint(point.Cost.GetValueOrDefault() / divisor, point.Value))
            );
            model.Series.Add(line);
            isFirst = false;
        }

        if (hasMean)
        {
            string title = $"{arm.Label}, mean of {arm.Runs.Count} seeds";
            if (size.IsNarrow)
            {
                title = arm.Label;
            }

            LineSeries mean = PlotCanvas.Line(arm.Look, title);
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
                Text = TargetText(verdict, size),
                TextPosition = new DataPoint(right * 0.012, verdict.Baseline.Target),
                TextHorizontalAlignment = HorizontalAlignment.Left,
                TextVerticalAlignment = VerticalAlignment.Middle,
                Offset = new ScreenVector(0, -0.8 * model.DefaultFontSize),
                TextColor = PlotPalette.Muted,
                StrokeThickness = 0,
            }
        );
    }

    private static string TargetText(Verdict verdict, PlotSize size)
    {
        string target = Figures.Loss(verdict.Baseline.Target);
        if (size.IsNarrow)
        {
            return $"target {target}";
        }

        return $"{verdict.Baseline.Label}'s final {verdict.Metric.ShortNoun} {target}";
    }

    private static void AddTeacher(
        PlotModel model,
        VerdictMetric metric,
        IReadOnlyList<ReportArm> arms,
        double right,
        PlotSize size
    )
    {
        if (metric != VerdictMetric.Loss)
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
            Title = (size.IsNarrow ? "teacher " : "teacher's loss ") + Figures.Loss(loss),
            Color = PlotPalette.Muted,
            StrokeThickness = 1.6,
            Dashes = [1, 3],
        };
        line.Points.Add(new DataPoint(0, loss));
        line.Points.Add(new DataPoint(right, loss));
        model.Series.Add(line);
    }

    /// <summary>A mark at the arm's crossing with a line down to the axis. With several seeds it stands at their mean cost.</summary>
    private static void AddCrossing(PlotModel model, ReportArm arm, DataPoint at)
    {
        model.Annotations.Add(
            new LineAnnotation
            {
                Type = LineAnnotationType.Vertical,
                X = at.X,
                MaximumY = at.Y,
                Color = PlotPalette.Line(arm.Look),
                StrokeThickness = 1,
                LineStyle = LineStyle.Dot,
            }
        );
        model.Annotations.Add(
            new PointAnnotation
            {
                X = at.X,
                Y = at.Y,
                Size = 5,
                Shape = MarkerType.Circle,
                Fill = PlotPalette.Line(arm.Look),
                Stroke = PlotPalette.Card,
                StrokeThickness = 1.5,
            }
        );
    }

    // Past the middle a label stands left of its line, lest it leave the picture.
    private static double SideOf(double x, double right)
    {
        if (x > 0.5 * right)
        {
            return -7;
        }

        return 7;
    }

    private static void AddLabel(PlotModel model, ReportArm arm, string text, DataPoint at, ScreenVector offset)
    {
        HorizontalAlignment alignment = HorizontalAlignment.Left;
        if (offset.X < 0)
        {
            alignment = HorizontalAlignment.Right;
        }

        model.Annotations.Add(
            new TextAnnotation
            {
                Text = text,
                TextPosition = at,
                Offset = offset,
                TextHorizontalAlignment = alignment,
                TextVerticalAlignment = VerticalAlignment.Middle,
                TextColor = PlotPalette.Line(arm.Look),
                Background = PlotPalette.Card,
                StrokeThickness = 0,
            }
        );
    }

    private static (double Low, double High) Range(
        VerdictMetric metric,
        IReadOnlyList<ReportArm> arms,
        double[] targets
    )
    {
        double lastStep = arms.SelectMany(arm => arm.Runs).Max(run => run.Curve(metric)[^1].Step);
        double[] values =
        [
            .. arms.SelectMany(arm => arm.Runs)
                .SelectMany(run =>
                    run.Curve(metric)
                        .Where(point => point.Step >= ShareBeforeAxis * lastStep)
                        .Select(point => point.Value)
                ),
        ];
        double low = values.Concat(targets).Min();
        double high = values.Concat(targets).Max();
        double span = Math.Max(high - low, 1e-3);
        // Room below the curves for the crossings' labels, one line an arm.
        return (low - span * (0.07 + 0.06 * (arms.Count - 1)), high + span * 0.05);
    }

    private static double LargestCost(IReadOnlyList<ReportArm> arms, VerdictMetric metric, PlotCost cost)
    {
        double largest = arms.SelectMany(arm => arm.Runs)
            .SelectMany(run => run.Curve(metric))
            .Max(point => PlotCosts.At(point, cost) ?? 0);
        if (largest > 0)
        {
            return largest;
        }

        return 1;
    }
}
