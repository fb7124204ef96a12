using System.Text;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>A report on runs by themselves: one run, a teacher, a fine-tuning, or several side by side where nothing is the baseline. As a page and as Markdown, from the same tables.</summary>
internal sealed class RunsReport
{
    // Evaluations that a Markdown table of a curve has at most.
    private const int MostCurveRows = 25;

    private readonly IReadOnlyList<ReportArm> _arms;
    private readonly IReadOnlyList<RunRecord> _runs;
    private readonly List<(string Heading, ReportTable Table)> _tables;

    private RunsReport(IReadOnlyList<RunRecord> runs)
    {
        _arms = ReportArm.Of(runs);
        _runs = [.. _arms.SelectMany(arm => arm.Runs)];
        Headline = RunsHeadline.Of(_runs);
        _tables = [("The figures", Finals()), .. Optional()];
    }

    /// <summary>What is to be said first, one sentence each.</summary>
    public IReadOnlyList<string> Headline { get; }

    /// <summary>Looks at the runs.</summary>
    /// <exception cref="DataFormatException">One was never evaluated, or two are the same.</exception>
    public static RunsReport Of(IReadOnlyList<RunRecord> runs) => new(runs);

    /// <summary>The page as text.</summary>
    public string ToHtml()
    {
        VerdictMetric metric = VerdictMetric.Loss;
        return ReportFile.Page(
            Title,
            [
                Html.Element("h1", "", Title),
                Html.Element("div", "verdict", [.. Headline.Select((line, i) => Html.Element("p", Look(i), line))]),
                RunsFigures.Curves(metric, _arms),
                _arms.Any(arm => arm.Runs[0].HadTeacher) ? ReportFigures.Schedules(metric, _arms) : null,
                .. _tables.Select(each => Html.Section(each.Heading, each.Table.ToHtml())),
                ReportProvenance.Samples(_arms),
                ReportProvenance.Section(_arms),
                Html.Element("footer", "", ReportFile.Written() + " Losses in nats per token."),
            ]
        );
    }

    /// <summary>The same as Markdown; the curve is a table there.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.Append(null, $"# {Title}\n\n");
        foreach (string line in Headline)
        {
            text.Append(null, $"{ReportTable.Escape(line)}\n\n");
        }

        foreach ((string heading, ReportTable table) in _tables.Append(("The curve", Curve())))
        {
            text.Append(null, $"## {heading}\n\n{table.ToMarkdown()}\n");
        }

        foreach (RunRecord run in _runs.Where(run => run.Result.TextSamples.Count > 0))
        {
            text.Append(null, $"## What {run.Result.Name}, seed {run.Result.Seed}, writes\n\n");
            foreach (TextSample sample in run.Result.TextSamples)
            {
                string whole = Html.Clean(sample.Prompt + sample.Text).ReplaceLineEndings("\n");
                text.Append(null, $"    {whole.Replace("\n", "\n    ", StringComparison.Ordinal)}\n\n");
            }
        }

        return text.ToString();
    }

    private string Title
    {
        get
        {
            if (_runs is [var run])
            {
                return $"{run.Result.Name}: {KindOf(run)}, seed {run.Result.Seed}";
            }

            return $"{_runs.Count} runs side by side: {string.Join(", ", _arms.Select(arm => arm.Label))}";
        }
    }

    private static string Look(int line) => line == 0 ? "free" : "charged";

    private static string KindOf(RunRecord run) => run.Result.FineTuning is null ? run.Result.Arm : "fine-tuning";

    private ReportTable Finals()
    {
        var table = new ReportTable(
            "After the last step, on the whole validation set; of fine-tuning, of the best checkpoint",
            [
                "run",
                "seed",
                "steps",
                "tokens",
                "parameters",
                "loss, nats",
                "bits per byte",
                "accuracy",
                "time in steps",
                "FLOPs",
            ],
            [
                .. _runs.Select(run =>
                    (string[])
                        [
                            run.Result.Name,
                            Figures.Count(run.Result.Seed),
                            Steps(run),
                            Figures.Count(run.Result.Tokens),
                            Figures.Count(run.Result.StudentParameters),
                            Figures.Loss(run.FinalLoss),
                            Figures.Loss(run.Result.Final?.BitsPerByte),
                            Figures.Percent(run.FinalAccuracy),
                            Figures.Seconds(run.Result.Seconds),
                            Figures.Flops(run.Result.Flops),
                        ]
                ),
            ]
        );
        if (_runs.Count > 1)
        {
            return table;
        }

        // Of one run a figure a line: that fits on a phone.
        return table with
        {
            Headings = ["", table.Rows[0][0]],
            Rows =
            [
                .. table.Headings.Zip(table.Rows[0]).Skip(1).Select(figure => (string[])[figure.First, figure.Second]),
            ],
        };
    }

    private static string Steps(RunRecord run)
    {
        string steps = Figures.Count(run.Result.Steps);
        if (!run.Finished)
        {
            return steps + ", not finished";
        }

        return run.Result.Truncated ? $"{steps} of {Figures.Count(run.Result.PlannedSteps)}" : steps;
    }

    private IEnumerable<(string Heading, ReportTable Table)> Optional()
    {
        string[][] tuned = [.. _runs.SelectMany(FineTuningRows)];
        if (tuned.Length > 0)
        {
            yield return (
                "Before and after fine-tuning",
                new ReportTable(
                    "Paired by item; 95 % intervals by bootstrap over items, which say nothing of other seeds",
                    ["run, task", "metric", "items", "before", "after", "after less before, points", "p", "cut"],
                    tuned
                )
            );
        }

        string[][] examples = [.. _runs.SelectMany(ExampleRows)];
        if (examples.Length > 0)
        {
            yield return (
                "What it was fine-tuned on",
                new ReportTable(
                    "Examples, and what became of them",
                    [
                        "run",
                        "from",
                        "trained on",
                        "validated on",
                        "targets",
                        "too long",
                        "passed over",
                        "trained parameters",
                    ],
                    examples
                )
            );
        }

        string[][] tasks =
        [
            .. from run in _runs
            from task in run.Result.Tasks
            select new[]
            {
                $"{run.Result.Name}, {task.Task}",
                task.Metric,
                Figures.Count(task.Items),
                Figures.Score(task.Value),
                Figures.Score(task.StandardError),
                Figures.Score(task.Chance),
            },
        ];
        if (tasks.Length > 0)
        {
            yield return (
                "Tasks",
                new ReportTable(
                    "After the last step",
                    ["run, task", "metric", "items", "score", "standard error", "chance"],
                    tasks
                )
            );
        }

        string[] domains =
        [
            .. _runs.SelectMany(run => run.Result.Final?.Domains.Keys ?? []).Distinct().Order(StringComparer.Ordinal),
        ];
        if (domains.Length > 1)
        {
            yield return (
                "By domain",
                new ReportTable(
                    "Final loss, nats per token",
                    ["domain", .. _runs.Select(NameOf)],
                    [
                        .. domains.Select(domain =>
                            (string[])
                                [
                                    domain,
                                    .. _runs.Select(run =>
                                        Figures.Loss(run.Result.Final?.Domains.GetValueOrDefault(domain)?.Loss)
                                    ),
                                ]
                        ),
                    ]
                )
            );
        }
    }

    private static IEnumerable<string[]> FineTuningRows(RunRecord run) =>
        from task in run.Result.FineTuning?.Tasks ?? new Dictionary<string, TaskChange>()
        from score in task.Value.Metrics
        select new[]
        {
            $"{run.Result.Name}, {task.Key}",
            score.Key,
            Figures.Count(task.Value.Items),
            Figures.Percent(score.Value.Before),
            Figures.Percent(score.Value.After),
            RunsHeadline.Points(score.Value),
            Figures.PValue(score.Value.PValue),
            Figures.Count(task.Value.TooLong.Count),
        };

    private static IEnumerable<string[]> ExampleRows(RunRecord run)
    {
        if (run.Result.FineTuning is not FineTuningOutcome outcome)
        {
            yield break;
        }

        ExampleCounts counts = outcome.Examples;
        yield return
        [
            run.Result.Name,
            Path.GetFileName(outcome.InitFrom.TrimEnd('/')),
            Figures.Count(counts.Train),
            Figures.Count(counts.Valid),
            Figures.Count(counts.Targets),
            Figures.Count(counts.TooLong.Count),
            Figures.Count(counts.PassedOver),
            Figures.Count(outcome.TrainedParameters),
        ];
    }

    private ReportTable Curve()
    {
        var curves = _runs.Select(run => run.Curve(VerdictMetric.Loss).ToDictionary(point => point.Step)).ToList();
        List<int> steps = [.. curves.SelectMany(curve => curve.Keys).Distinct().Order()];
        return new ReportTable(
            "Validation loss along the run, nats per token",
            ["step", .. _runs.Select(NameOf)],
            [
                .. Thinning
                    .Keep(steps, MostCurveRows)
                    .Select(step =>
                        (string[])
                            [
                                Figures.Count(step),
                                .. curves.Select(curve => Figures.Loss(curve.GetValueOrDefault(step)?.Value)),
                            ]
                    ),
            ]
        );
    }

    private string NameOf(RunRecord run)
    {
        bool isOnly = _runs.Count(other => other.Result.Name == run.Result.Name) == 1;
        return isOnly ? run.Result.Name : $"{run.Result.Name}, seed {run.Result.Seed}";
    }
}
