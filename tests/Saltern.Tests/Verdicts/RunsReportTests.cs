using System.Text.RegularExpressions;
using System.Xml.Linq;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public partial class RunsReportTests
{
    private static readonly RunRecord Baseline = FakeStudy.Run("baseline", 1, 3.715);

    [Fact]
    public void OneRun_OpensWithItsLoss_AndHasEveryFigureInBothForms()
    {
        RunsReport report = RunsReport.Of([Baseline]);
        string bits = Figures.Loss(Baseline.Result.Final!.BitsPerByte);
        Assert.StartsWith(
            $"{Baseline.Result.Name} ended at a validation loss of 3.715 nats per token",
            Assert.Single(report.Headline),
            StringComparison.Ordinal
        );
        XElement main = Parse(report.ToHtml()).Descendants("main").Single();
        Assert.Equal(report.Headline[0], main.Descendants("p").First().Value);
        Assert.Single(main.Descendants("figure")); // no teacher: no schedule of its weight
        string markdown = report.ToMarkdown();
        foreach (
            string figure in new[]
            {
                "3.715",
                bits,
                Figures.Count(Baseline.Result.Tokens),
                Figures.Flops(Baseline.Result.Flops),
            }
        )
        {
            Assert.Contains(main.Descendants("td"), cell => cell.Value == figure);
            Assert.Contains($"| {figure} |", markdown, StringComparison.Ordinal);
        }

        Assert.Contains("## By domain", markdown, StringComparison.Ordinal);
        Assert.Contains("| stories | 3.315 |", markdown, StringComparison.Ordinal); // 3.715 − 0.4

        // The curve as a table: every evaluation of this short run, the last one with the last loss.
        CurvePoint last = Baseline.Curve(VerdictMetric.Loss)[^1];
        Assert.Contains(
            $"| {Figures.Count(last.Step)} | {Figures.Loss(last.Value)} |",
            markdown,
            StringComparison.Ordinal
        );
        Assert.All(
            TableLines()
                .Matches(markdown)
                .GroupBy(line => markdown[..line.Index].LastIndexOf("\n\n", StringComparison.Ordinal)),
            table =>
                Assert.Single(
                    table
                        .Select(line => line.Value.Replace("\\|", "", StringComparison.Ordinal).Count(c => c == '|'))
                        .Distinct()
                )
        );
    }

    [Fact]
    public void FineTuning_SaysWhatChanged_AndThatOneSeedIsAReading()
    {
        var score = new MetricChange(0.01, [0, 0.02], 0.25, [0.2, 0.3], 0.24, [0.19, 0.29], 1e-9, "mcnemar_exact");
        RunRecord run = Baseline with
        {
            Result = Baseline.Result with
            {
                Arm = "finetune",
                BestStep = 400,
                BestLoss = 0.5,
                FineTuning = new FineTuningOutcome
                {
                    InitFrom = "runs/core-salt",
                    Checkpoint = "checkpoints/step-00000400",
                    TrainedParameters = 12_345,
                    Examples = new ExampleCounts
                    {
                        Train = 90,
                        Valid = 10,
                        Rows = 5,
                        Targets = 700,
                        TooLong = [],
                    },
                    Tasks = new Dictionary<string, TaskChange>
                    {
                        ["sums"] = new TaskChange
                        {
                            MainMetric = "exact_match",
                            Items = 200,
                            TooLong = ["a", "b"],
                            Metrics = new Dictionary<string, MetricChange> { ["exact_match"] = score },
                        },
                    },
                },
            },
        };
        RunsReport report = RunsReport.Of([run]);
        Assert.Equal(
            "It got better at sums: exact_match 1.0 % before, 25.0 % after, +24.0 [+19.0, +29.0] points over 200 items.",
            report.Headline[0].Replace('\u00A0', ' ')
        );
        Assert.Contains("another seed may give another difference", report.Headline[^1], StringComparison.Ordinal);
        string markdown = report.ToMarkdown();
        Assert.Contains(
            "| <0.001 | 2 |".Replace("<", "&lt;", StringComparison.Ordinal),
            markdown,
            StringComparison.Ordinal
        );
        Assert.Contains("| core-salt | 90 | 10 | 700 | 0 | 0 | 12,345 |", markdown, StringComparison.Ordinal);

        MetricChange unclear = score with { DifferenceCi95 = [-0.01, 0.2] };
        RunRecord tied = With(run, unclear);
        Assert.StartsWith(
            "No difference is shown at sums",
            RunsReport.Of([tied]).Headline[0],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void SeveralRuns_StandSideBySide_WithoutAVerdict()
    {
        RunsReport report = RunsReport.Of([
            Baseline,
            FakeStudy.Run("salt", 1, 3.625, 250),
            FakeStudy.Run("salt", 2, 3.6, 250),
        ]);
        Assert.Contains("(seed 2) ended lowest, at 3.600 nats per token", report.Headline[0], StringComparison.Ordinal);
        Assert.Contains("without a verdict", report.Headline[1], StringComparison.Ordinal);
        XElement main = Parse(report.ToHtml()).Descendants("main").Single();
        Assert.Equal("3 runs side by side: BASELINE, SALT", main.Element("h1")!.Value);
        Assert.Equal(2, main.Descendants("figure").Count()); // the curves, and the schedule, as a teacher took part
        Assert.DoesNotContain("minus baseline", main.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunThatIsNotFinished_IsSaidToBeSo()
    {
        RunsReport report = RunsReport.Of([Baseline with { Finished = false }]);
        Assert.Contains("is not finished: after step", Assert.Single(report.Headline), StringComparison.Ordinal);
        Assert.Contains(", not finished |", report.ToMarkdown(), StringComparison.Ordinal);
    }

    [Fact]
    public void WhatModelsAndNamesSay_StaysText()
    {
        RunRecord run = Baseline with
        {
            Result = Baseline.Result with
            {
                Name = "a|b*<script>",
                TextSamples = [new TextSample("| x", "\n</p><script>alert(2)</script>\0")],
            },
        };
        string html = RunsReport.Of([run]).ToHtml();
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("http", html, StringComparison.OrdinalIgnoreCase);
        string markdown = RunsReport.Of([run]).ToMarkdown();
        Assert.Contains("a\\|b\\*&lt;script>", markdown, StringComparison.Ordinal);
        Assert.Contains("    | x\n    </p><script>alert(2)</script>\uFFFD", markdown, StringComparison.Ordinal);
    }

    private static RunRecord With(RunRecord run, MetricChange score)
    {
        FineTuningOutcome outcome = run.Result.FineTuning!;
        var tasks = outcome.Tasks.ToDictionary(
            task => task.Key,
            task =>
                task.Value with
                {
                    Metrics = new Dictionary<string, MetricChange> { [task.Value.MainMetric] = score },
                }
        );
        return run with { Result = run.Result with { FineTuning = outcome with { Tasks = tasks } } };
    }

    private static XElement Parse(string html) => XElement.Parse(html["<!DOCTYPE html>".Length..]);

    [GeneratedRegex(@"^\|.*\|$", RegexOptions.Multiline)]
    private static partial Regex TableLines();
}
