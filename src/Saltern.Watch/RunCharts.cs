namespace Saltern.Watch;

/// <summary>Which figures of the runs are drawn, and how.</summary>
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

    private static readonly string[] Buckets = ["easy", "medium", "hard"];

    /// <summary>A colour for each arm of the runs, by <see cref="RunView.Arm"/>; the first colour is kept for runs without a teacher.</summary>
    public static IReadOnlyDictionary<string, string> Colours(IReadOnlyList<RunView> runs)
    {
        Dictionary<string, string> colours = [];
        int next = runs.Count > 0 && runs[0].IsDistilled ? 1 : 0;
        foreach (string arm in runs.Select(run => run.Arm).Distinct())
        {
            colours[arm] = next < Palette.Length ? Palette[next] : Palette[1 + (next - 1) % (Palette.Length - 1)];
            next++;
        }

        return colours;
    }

    /// <summary>The charts that have something to show.</summary>
    /// <param name="runs">Runs to draw.</param>
    /// <param name="comparisons">Of those runs.</param>
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
        ];
        return WithContent(
            axis,
            [
                new Chart
                {
                    Id = "training",
                    Title = "Training loss, ω and learning rate",
                    Note =
                        "Loss on the same tokens: full line student, dotted teacher. Below: full line ω, the teacher's weight; dashed the learning rate. Vertical lines: the teacher leaves.",
                    IsWide = true,
                    Panels =
                    [
                        new("loss, nats per token", Height: 2.2, SkipsFirstFall: true),
                        new("ω", RightTitle: "learning rate"),
                    ],
                    Lines =
                    [
                        .. Each(runs, colours, axis, "train/student_nll", "", "solid", 0),
                        .. Each(runs, colours, axis, "train/teacher_nll", " teacher", "dot", 0),
                        .. Each(runs, colours, axis, "train/weight", " ω", "solid", 1),
                        .. Each(runs, colours, axis, "train/learning_rate", " learning rate", "dash", 1)
                            .Select(line => line with { OnRight = true }),
                    ],
                    Marks = switches,
                },
                new Chart
                {
                    Id = "validation",
                    Title = "Validation loss and gap to the baseline",
                    Note =
                        comparisons.Count == 0
                            ? "On the curve set."
                            : $"On the curve set; horizontal: the baseline's last loss. Below: minus the baseline's loss at the same {RunAxes.Unit(axis)}, below 0 is better.",
                    IsWide = true,
                    Panels =
                        comparisons.Count == 0
                            ? [new("loss, nats per token", SkipsFirstFall: true)]
                            :
                            [
                                new(
                                    "loss, nats per token",
                                    Height: 2.2,
                                    SkipsFirstFall: true,
                                    Level: comparisons[0].Target
                                ),
                                new("gap, nats", SkipsFirstFall: true, Level: 0),
                            ],
                    Lines =
                    [
                        .. Each(runs, colours, axis, "valid/loss", "", "solid", 0),
                        .. comparisons.Select(pair => new ChartLine(
                            pair.Run.Name + " gap",
                            colours[pair.Run.Arm],
                            "solid",
                            Gap(pair, axis),
                            1
                        )),
                    ],
                    Marks = switches,
                },
                new Chart
                {
                    Id = "agreement",
                    Title = "Teacher and student",
                    Note =
                        "While the teacher runs: KL(teacher‖student), and the share of tokens on which both find the same one most likely.",
                    Panels = [new("KL, nats", SkipsFirstFall: true), new("agreement")],
                    Lines =
                    [
                        .. Each(runs, colours, axis, "train/kl_teacher_student", " KL", "solid", 0),
                        .. Each(runs, colours, axis, "train/agreement", " agreement", "solid", 1),
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
                        .. Each(runs, colours, axis, "perf/tokens_per_second", " tokens/s", "solid", 0),
                        .. Each(runs, colours, axis, "perf/mfu", " share of peak", "solid", 1),
                        .. Each(runs, colours, axis, "perf/resident_mib", " MiB", "solid", 2),
                    ],
                },
            ]
        );
    }

    /// <summary>Validation loss by domain, one chart each.</summary>
    /// <param name="runs">Runs to draw.</param>
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
                .Where(name => name.Split('/') is ["valid", not "bucket", "loss"])
                .Order(StringComparer.Ordinal)
                .Select(name => Small("domain-" + name.Split('/')[1], name.Split('/')[1], name, runs, colours, axis))
        );

    /// <summary>Validation loss by difficulty for the teacher of <c>evaluation.buckets</c>, one chart each.</summary>
    /// <param name="runs">Runs to draw.</param>
    /// <param name="colours">As from <see cref="Colours"/>, of all runs.</param>
    /// <param name="axis">What to draw them against.</param>
    public static IEnumerable<Chart> Difficulty(
        IReadOnlyList<RunView> runs,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis
    ) =>
        WithContent(
            axis,
            Buckets.Select(bucket =>
                Small("bucket-" + bucket, bucket + " tokens", $"valid/bucket/{bucket}/loss", runs, colours, axis)
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
            Lines = [.. Each(runs, colours, axis, series, "", "solid", 0)],
        };

    private static IEnumerable<ChartLine> Each(
        IReadOnlyList<RunView> runs,
        IReadOnlyDictionary<string, string> colours,
        RunAxis axis,
        string series,
        string suffix,
        string dash,
        int panel
    ) =>
        runs.Select(run => new ChartLine(
            run.Name + suffix,
            colours[run.Arm],
            dash,
            RunScale.Of(run, axis).Place(run.Points(series)),
            panel
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
}
