using Saltern.RunFiles;

namespace Saltern.Watch;

/// <summary>Which metrics of the runs are drawn, and how.</summary>
internal static class RunCharts
{
    // Mid-tones with at least 3:1 on the light and on the dark page (WCAG 1.4.11), apart with every common colour vision; the first is the baseline's.
    private static readonly string[] Palette =
    [
        "#7d8590",
        "#1f83d6",
        "#d9660a",
        "#12946d",
        "#bf62a0",
        "#a87b00",
        "#7a6ff0",
        "#d1495b",
    ];

    /// <summary>A colour for each arm of the runs, by <see cref="RunView.Arm"/>; the first colour is kept for runs without a small model.</summary>
    public static IReadOnlyDictionary<string, string> Colours(IReadOnlyList<RunView> runs)
    {
        Dictionary<string, string> colours = [];
        int next = runs.Count > 0 && runs[0].HadSmallModel ? 1 : 0;
        foreach (string arm in runs.Select(run => run.Arm).Distinct())
        {
            colours[arm] = Palette[next];
            next++;
            if (next == Palette.Length)
            {
                next = 1;
            }
        }

        return colours;
    }

    /// <summary>The charts that have something to show.</summary>
    /// <param name="colours">As from <see cref="Colours"/>, of all runs.</param>
    /// <param name="axis">What to draw them against.</param>
    public static IEnumerable<Chart> Main(
        IReadOnlyList<RunView> runs,
        IReadOnlyList<Comparison> comparisons,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis
    )
    {
        ChartMark[] switches =
        [
            .. from run in runs
            where run.SwitchStep < run.PlannedSteps
            let x = RunScale.Of(run, axis).At(run.SwitchStep!.Value)
            where x is not null
            select new ChartMark(x.Value, colours[run.Arm], $"{run.Name}: the teacher left"),
            .. from run in runs
            from step in run.GrowthSteps
            let x = RunScale.Of(run, axis).At(step)
            where x is not null
            select new ChartMark(x.Value, colours[run.Arm], $"{run.Name}: the model grew after step {step}"),
        ];
        return WithContent(
            axis,
            [
                new Chart
                {
                    Id = "training",
                    Title = "Training loss, teacher's weight and learning rate",
                    Note =
                        "Loss on the same tokens: full line student, dotted teacher. "
                        + "Below: full line the teacher's weight; dashed the learning rate. "
                        + "Vertical lines: the teacher leaves, or the model grows.",
                    IsWide = true,
                    Panels =
                    [
                        new("loss, nats per token", Height: 2.2, SkipsFirstFall: true),
                        new("weight", RightTitle: "learning rate"),
                    ],
                    Lines =
                    [
                        .. Lines(runs, colours, axis, new(MetricNames.StudentNll)),
                        .. Lines(runs, colours, axis, new(MetricNames.TeacherNll, Suffix: " teacher", Dash: "dot")),
                        .. Lines(runs, colours, axis, new(MetricNames.TeacherWeight, Suffix: " weight", Panel: 1)),
                        .. Lines(
                            runs,
                            colours,
                            axis,
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
                Validation(runs, comparisons, colours, axis) with
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
                        .. Lines(runs, colours, axis, new(MetricNames.KlToTeacher, Suffix: " KL")),
                        .. Lines(runs, colours, axis, new(MetricNames.Agreement, Suffix: " agreement", Panel: 1)),
                    ],
                    Marks = switches,
                },
                new Chart
                {
                    Id = "speed",
                    Title = "Speed and memory",
                    Note = "Share of peak: of this machine's measured speed of matrix products.",
                    Panels = [new("tokens/s"), new("share of peak"), new("memory, MiB")],
                    Lines =
                    [
                        .. Lines(runs, colours, axis, new(MetricNames.TokensPerSecond, Suffix: " tokens/s")),
                        .. Lines(runs, colours, axis, new(MetricNames.Mfu, Suffix: " share of peak", Panel: 1)),
                        .. Lines(runs, colours, axis, new(MetricNames.ResidentMib, Suffix: " MiB", Panel: 2)),
                    ],
                },
            ]
        );
    }

    private static Chart Validation(
        IReadOnlyList<RunView> runs,
        IReadOnlyList<Comparison> comparisons,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis
    )
    {
        var losses = new Chart
        {
            Id = "validation",
            Title = "Validation loss and gap to the baseline",
            Note = "On the curve set.",
            IsWide = true,
            Panels = [new("loss, nats per token", SkipsFirstFall: true)],
            Lines = [.. Lines(runs, colours, axis, new(MetricNames.ValidLoss))],
        };
        if (comparisons.Count == 0)
        {
            return losses;
        }

        return losses with
        {
            Note =
                "On the curve set; horizontal: the baseline's last loss. "
                + $"Below: minus the baseline's loss at the same {RunAxes.Unit(axis)}, below 0 is better.",
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
                    colours[pair.Run.Arm],
                    "solid",
                    Gap(pair, axis),
                    1
                )),
            ],
        };
    }

    /// <summary>Validation loss by domain, one chart each.</summary>
    /// <param name="colours">As from <see cref="Colours"/>, of all runs.</param>
    /// <param name="axis">What to draw them against.</param>
    public static IEnumerable<Chart> Domains(
        IReadOnlyList<RunView> runs,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis
    ) =>
        WithContent(
            axis,
            runs.SelectMany(run => run.Series.Keys)
                .Distinct()
                .Order(StringComparer.Ordinal)
                .Select(MetricNames.DomainOf)
                .OfType<string>()
                .Select(domain =>
                    Small("domain-" + domain, domain, MetricNames.DomainLoss(domain), runs, colours, axis)
                )
        );

    /// <summary>Validation loss by difficulty for the teacher of <c>evaluation.buckets</c>, one chart each.</summary>
    /// <param name="colours">As from <see cref="Colours"/>, of all runs.</param>
    /// <param name="axis">What to draw them against.</param>
    public static IEnumerable<Chart> Difficulty(
        IReadOnlyList<RunView> runs,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis
    ) =>
        WithContent(
            axis,
            MetricNames.Buckets.Select(bucket =>
                Small("bucket-" + bucket, bucket + " tokens", MetricNames.BucketLoss(bucket), runs, colours, axis)
            )
        );

    private static Chart Small(
        string id,
        string title,
        string series,
        IReadOnlyList<RunView> runs,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis
    ) =>
        new()
        {
            Id = id,
            Title = title,
            Panels = [new("nats per token", SkipsFirstFall: true)],
            Lines = [.. Lines(runs, colours, axis, new(series))],
        };

    private static IEnumerable<ChartLine> Lines(
        IReadOnlyList<RunView> runs,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis,
        MetricCurve curve
    ) =>
        runs.Select(run => new ChartLine(
            run.Name + curve.Suffix,
            colours[run.Arm],
            curve.Dash,
            RunScale.Of(run, axis).Place(run.Points(curve.Series)),
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

    /// <summary>A metric that is drawn of every run.</summary>
    private sealed record MetricCurve(
        string Series,
        string Suffix = "",
        string Dash = "solid",
        int Panel = 0,
        bool OnRight = false
    );
}
