using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern compare RUN…</c>: the paired verdict, and a report.</summary>
public static class CompareCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description =
                "Run folders, or archives of results (results.zip, results.zip/SALT, results.zip/SALT/seed-1); "
                + "the baseline may be among them.",
            Arity = ArgumentArity.OneOrMore,
        };
        var baseline = new Option<string[]>("--baseline")
        {
            Description =
                "Run folder of the baseline, or its place in an archive; by default the runs without distillation.",
        };
        var metric = new Option<string>("--metric")
        {
            Description =
                "Measure that has to be reached: loss, accuracy, or a task run along the runs, such as lastword/acc.",
            DefaultValueFactory = _ => VerdictMetric.Loss.Name,
        };
        var report = new Option<string?>("--report")
        {
            Description =
                "HTML report to write; report.html in the last run folder, or beside the archive, by default.",
        };
        var picture = new Option<string?>("--picture") { Description = "SVG of the loss curves to write." };
        var against = new Option<string>("--picture-against")
        {
            Description = "What the picture is drawn against: steps, seconds or flops.",
            DefaultValueFactory = _ => "steps",
        };
        against.AcceptOnlyFromAmong("steps", "seconds", "flops");
        var served = new Option<int>("--students-served")
        {
            Description = "K: what small models cost counts by its K-th part.",
            DefaultValueFactory = _ => 1,
        };
        Option<long?> tokens = CommonOptions.TeacherTokens();
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "compare",
            "Say what runs saved against a baseline.",
            [
                "saltern compare runs/core-baseline runs/core-salt --report report.html",
                "saltern compare --baseline results.zip/MUON results.zip/SALT-MUON",
            ]
        )
        {
            runs,
            baseline,
            metric,
            report,
            picture,
            against,
            served,
            tokens,
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, _) =>
                {
                    if (parsed.GetValue(served) < 1)
                    {
                        throw new ConfigurationException(
                            $"--students-served = {parsed.GetValue(served)} must be at least 1."
                        );
                    }

                    CommonOptions.CheckTeacherTokens(parsed.GetValue(tokens));
                    VerdictMetric measure = VerdictMetric.Parse(parsed.GetRequiredValue(metric));
                    string[] paths = parsed.GetRequiredValue(runs);
                    string[] baselinePaths = parsed.GetValue(baseline) ?? [];
                    List<RunSource> named = [.. baselinePaths.SelectMany(NamedRuns.Of)];
                    List<RunRecord> others =
                    [
                        .. paths
                            .SelectMany(NamedRuns.Of)
                            .ExceptBy(named.Select(run => run.Name), run => run.Name)
                            .Select(NamedRuns.Load),
                    ];
                    List<RunRecord> baselines = [.. named.Select(NamedRuns.Load)];
                    if (baselines.Count == 0)
                    {
                        baselines = [.. RunRecord.Baselines(others)];
                        others = [.. others.Except(baselines)];
                    }

                    string path =
                        parsed.GetValue(report) ?? Path.Combine(NamedRuns.ReportFolder(paths[^1]), RunLayout.Report);
                    if (baselines.Count == 0 || others.Count == 0)
                    {
                        RefuseVerdict(console, named.Count > 0, baselines.Count, others.Count);
                        console.Line(
                            $"There are {baselines.Count} runs without a small model and {others.Count} others. "
                                + "A verdict needs one of each (--baseline names the baseline): here are the curves."
                        );
                        ReportCommand.Write(console, [.. baselines, .. others], path, markdown: null);
                        return ExitCode.Done;
                    }

                    if (parsed.GetValue(tokens) is long trained)
                    {
                        baselines = [.. baselines.Select(run => run.WithTeacherTokens(trained))];
                        others = [.. others.Select(run => run.WithTeacherTokens(trained))];
                    }

                    Verdict verdict = Verdict.Compute(baselines, others, measure, parsed.GetValue(served));
                    ReportPage.Write(path, verdict, baselines, others);
                    if (parsed.GetValue(picture) is string svg)
                    {
                        var cost = Enum.Parse<PlotCost>(parsed.GetRequiredValue(against), ignoreCase: true);
                        if (cost == PlotCost.Seconds && !verdict.SecondsComparable)
                        {
                            throw new ConfigurationException(
                                "--picture-against seconds: the seconds of these runs do not compare "
                                    + "(other load, another machine, or neither alone nor in turns). Take steps or flops."
                            );
                        }

                        CurvePicture.Write(svg, verdict, baselines, others, cost);
                    }

                    if (console.IsJson)
                    {
                        Output.Json(verdict.ToJson());
                    }
                    else
                    {
                        console.Write(verdict);
                    }

                    console.Line($"report: {path}");
                    console.Next($"open {path} in a browser, or saltern watch RUN… for the curves as they come");
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    // Who asks for the verdict itself gets no curves in its place.
    private static void RefuseVerdict(Output console, bool isNamed, int baselines, int others)
    {
        if (isNamed || console.IsJson)
        {
            throw new ConfigurationException(
                $"There are {baselines} runs without a small model and {others} "
                    + "others; at least one of each is needed. Name the baseline with --baseline."
            );
        }
    }
}
