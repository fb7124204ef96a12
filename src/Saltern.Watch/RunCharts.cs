using Saltern.RunFiles;

namespace Saltern.Watch;

/// <summary>Which metrics of the runs are drawn, and how.</summary>
internal static class RunCharts
{
    /// <summary>The charts that have something to show.</summary>
    public static IEnumerable<Chart> Main(
        IReadOnlyList<RunView> runs,
        IReadOnlyList<Comparison> comparisons,
        ChartChoice choice
    )
    {
        RunAxis axis = choice.Axis;
        ChartMark[] switches =
        [
            .. from run in runs
            where run.SwitchStep < run.PlannedSteps
            let x = RunScale.Of(run, axis).At(run.SwitchStep!.Value)
            where x is not null
            select new ChartMark(x.Value, choice.Looks[run.Arm].Colour, $"{run.Name}: the teacher left"),
            .. from run in runs
            from step in run.GrowthSteps
            let x = RunScale.Of(run, axis).At(step)
            where x is not null
            select new ChartMark(
                x.Value,
                choice.Looks[run.Arm].Colour,
                $"{run.Name}: the model grew after step {step}"
            ),
        ];
        return WithContent(
            axis,
            [
                new Chart
                {
                    Id = "training",
                    Title = "Training loss, teacher's weight and learning rate",
                    Note =
                        "Loss on the same tokens: the student's, and dotted the teacher's. "
                        + "Below: the teacher's weight, and in short dashes the learning rate. "
                        + "Vertical lines: the teacher leaves, or the model grows.",
                    IsWide = true,
                    Panels =
                    [
                        new("loss, nats per token", Height: 2.2, SkipsFirstFall: true),
                        new("weight", RightTitle: "learning rate"),
                    ],
                    Lines =
                    [
                        .. Lines(runs, choice, new(MetricNames.StudentNll, IsNoisy: true)),
                        .. Lines(
                            runs,
                            choice,
                            new(MetricNames.TeacherNll, Suffix: " teacher", Dash: "dot", IsNoisy: true)
                        ),
                        .. Lines(runs, choice, new(MetricNames.TeacherWeight, Suffix: " weight", Panel: 1)),
                        .. Lines(
                            runs,
                            choice,
                            new(
                                MetricNames.LearningRate,
                                Suffix: " learning rate",
                                Dash: "dash",
                                Panel: 1,
                                OnRight: true
                            )
                        ),
                    ],
                    Marks = switches,
                },
                Validation(runs, comparisons, choice) with
                {
                    Marks = switches,
                },
                new Chart
                {
                    Id = "agreement",
                    Title = "Teacher and student",
                    Note =
                        "While the teacher runs: KL(teacher‖student), "
                        + "and the share of tokens on which both find the same one most likely.",
                    Panels = [new("KL, nats", SkipsFirstFall: true), new("agreement")],
                    Lines =
                    [
                        .. Lines(runs, choice, new(MetricNames.KlToTeacher, Suffix: " KL", IsNoisy: true)),
                        .. Lines(
                            runs,
                            choice,
                            new(MetricNames.Agreement, Suffix: " agreement", Panel: 1, IsNoisy: true)
                        ),
                    ],
                    Marks = switches,
                },
                new Chart
                {
                    Id = "speed",
                    Title = "Speed and memory",
                    Note =
                        "Share of peak: of this machine's measured speed of matrix products, 1 where it was measured too low.",
                    Panels = [new("tokens/s"), new("share of peak"), new("memory, MiB")],
                    Lines =
                    [
                        .. Lines(runs, choice, new(MetricNames.TokensPerSecond, Suffix: " tokens/s", IsNoisy: true)),
                        .. Lines(runs, choice, new(MetricNames.Mfu, Suffix: " share of peak", Panel: 1, IsNoisy: true)),
                        .. Lines(runs, choice, new(MetricNames.ResidentMib, Suffix: " MiB", Panel: 2)),
                    ],
                },
            ]
        );
    }

    private static Chart Validation(
        IReadOnlyList<RunView> runs,
        IReadOnlyList<Comparison> comparisons,
        ChartChoice choice
    )
    {
        var losses = new Chart
        {
            Id = "validation",
            Title = "Validation loss and gap to the baseline",
            Note = "On the curve set.",
            IsWide = true,
            Panels = [new("loss, nats per token", SkipsFirstFall: true)],
            Lines = [.. Lines(runs, choice, new(MetricNames.ValidLoss))],
        };
        if (comparisons.Count == 0)
        {
            return losses;
        }

        return losses with
        {
            Note =
                "On the curve set; horizontal: the baseline's last loss. "
                + $"Below: minus the baseline's loss at the same {RunAxes.Unit(choice.Axis)}, below 0 is better.",
            Panels =
            [
                new("loss, nats per token", Height: 2.2, SkipsFirstFall: true, Level: comparisons[0].Target),
                new("gap, nats", SkipsFirstFall: true, Level: 0),
            ],
            Lines =
            [
                .. losses.Lines,
                .. comparisons.Select(pair => new ChartLine(
                    pair.Run.Name + " gap",
                    choice.Looks[pair.Run.Arm].Colour,
                    choice.Looks[pair.Run.Arm].Dash,
                    Gap(pair, choice.Axis),
                    1
                )),
            ],
        };
    }

    /// <summary>Validation loss by domain, one chart each.</summary>
    public static IEnumerable<Chart> Domains(IReadOnlyList<RunView> runs, ChartChoice choice) =>
        WithContent(
            choice.Axis,
            runs.SelectMany(run => run.Series.Keys)
                .Distinct()
                .Order(StringComparer.Ordinal)
                .Select(MetricNames.DomainOf)
                .OfType<string>()
                .Select(domain => Small("domain-" + domain, domain, MetricNames.DomainLoss(domain), runs, choice))
        );

    /// <summary>Validation loss by difficulty for the teacher of <c>evaluation.buckets</c>, one chart each.</summary>
    public static IEnumerable<Chart> Difficulty(IReadOnlyList<RunView> runs, ChartChoice choice) =>
        WithContent(
            choice.Axis,
            MetricNames.Buckets.Select(bucket =>
                Small("bucket-" + bucket, bucket + " tokens", MetricNames.BucketLoss(bucket), runs, choice)
            )
        );

    private static Chart Small(
        string id,
        string title,
        string series,
        IReadOnlyList<RunView> runs,
        ChartChoice choice
    ) =>
        new()
        {
            Id = id,
            Title = title,
            Panels = [new("nats per token", SkipsFirstFall: true)],
            Lines = [.. Lines(runs, choice, new(series))],
        };

    private static IReadOnlyList<(int Step, double Value)> Values(RunView run, ChartChoice choice, MetricCurve curve)
    {
        IReadOnlyList<(int Step, double Value)> points = run.Points(curve.Series);
        if (curve.Series == MetricNames.Mfu)
        {
            points = [.. points.Select(point => (point.Step, Show.ShareOfPeak(point.Value) ?? point.Value))];
        }

        return curve.IsNoisy ? Smoothing.Of(points, choice.Smoothing) : points;
    }

    private static IEnumerable<ChartLine> Lines(IReadOnlyList<RunView> runs, ChartChoice choice, MetricCurve curve) =>
        runs.Select(run => new ChartLine(
            run.Name + curve.Suffix,
            choice.Looks[run.Arm].Colour,
            curve.Dash ?? choice.Looks[run.Arm].Dash,
            RunScale.Of(run, choice.Axis).Place(Values(run, choice, curve)),
            curve.Panel,
            curve.OnRight
        ));

    /// <summary>The run's loss minus the baseline's: at the same step where both were evaluated, on another axis at the same place of the baseline's curve.</summary>
    private static IReadOnlyList<ChartPoint> Gap(Comparison pair, RunAxis axis)
    {
        RunScale own = RunScale.Of(pair.Run, axis);
        if (axis == RunAxis.Steps)
        {
            return own.Place(pair.Gap);
        }

        IReadOnlyList<ChartPoint> baseline = RunScale.Of(pair.Baseline, axis).Place(Losses(pair.Baseline));
        return
        [
            .. from point in own.Place(Losses(pair.Run))
            let level = RunScale.Interpolate(baseline, point.X)
            where level is not null
            select point with
            {
                Value = point.Value - level.Value,
            },
        ];
    }

    private static List<(int Step, double Value)> Losses(RunView run) =>
        [.. run.Curve.Select(point => (point.Step, point.Value))];

    private static IEnumerable<Chart> WithContent(RunAxis axis, IEnumerable<Chart> charts) =>
        charts
            .Select(chart => chart with { Axis = axis, Lines = [.. chart.Lines.Where(line => line.Points.Count > 0)] })
            .Where(chart => chart.Lines.Count > 0);

    /// <summary>A metric that is drawn of every run; without dashes of its own it has the arm's. Noisy ones follow the reader's smoothing.</summary>
    private sealed record MetricCurve(
        string Series,
        string Suffix = "",
        string? Dash = null,
        int Panel = 0,
        bool OnRight = false,
        bool IsNoisy = false
    );
}
