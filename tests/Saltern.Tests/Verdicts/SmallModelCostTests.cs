using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

/// <summary>The run costs 800 FLOPs up to the crossing, BASELINE 1,000.</summary>
public class SmallModelCostTests
{
    [Fact]
    public void ARunThatGrows_IsFreeOfItsSmallStages_AndChargedWithAll()
    {
        VerdictRun run = Of(new RunResultParts { Stages = [Stage(300)] });
        Assert.Equal(0.5, run.Ratios.Free.Flops!.Mean, 9);
        Assert.Equal(0.8, run.Ratios.Charged.Flops!.Mean, 9);
        Assert.Equal(
            0.5 + (0.3 / 3),
            Of(new RunResultParts { Stages = [Stage(300)] }, students: 3).Ratios.Charged.Flops!.Mean,
            9
        );
        Assert.Contains("the small model's training not counted", run.SentenceFree, StringComparison.Ordinal);
        Assert.Contains(
            "With the small model's training charged to this one run",
            run.SentenceCharged,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AStartFromAModel_IsChargedWithItsWholeHistory()
    {
        VerdictRun run = Of(new RunResultParts { Origin = [Ancestor("trunk", 100), Ancestor("small", 150), Growth()] });
        Assert.Equal(0.8, run.Ratios.Free.Flops!.Mean, 9);
        Assert.Equal(1.05, run.Ratios.Charged.Flops!.Mean, 9);
    }

    [Fact]
    public void AHistoryThatNobodyRecorded_HasNoChargedFigure_AndIsNamed()
    {
        RunAncestor foreign = Ancestor("SmolLM", null);
        Verdict verdict = Compute(new RunResultParts { Origin = [foreign, Growth()] });
        Assert.Null(verdict.Runs[0].Ratios.Charged.Flops);
        Assert.Contains(
            verdict.Warnings,
            warning => warning.Contains("'SmolLM', which the first weights came from", StringComparison.Ordinal)
        );
        Assert.Contains(
            "the small model's training cost is not known",
            verdict.Runs[0].SentenceCharged,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void KnownTokens_AreReckonedAsSixAParameter()
    {
        RunRecord run = Run(
            new RunResultParts { Origin = [Ancestor("SmolLM", null) with { Operation = "foreign", Parameters = 10 }] }
        );
        Verdict verdict = Verdict.Compute([Baseline()], [run.WithTeacherTokens(2)]);
        Assert.Equal((800 + (6 * 10 * 2)) / 1000.0, verdict.Runs[0].Ratios.Charged.Flops!.Mean, 9);
        RunRecord taught = Run(
            new RunResultParts
            {
                Teacher = new RunTeacher { Name = "public", Parameters = 5 },
            }
        );
        Assert.Equal(
            0.86,
            Verdict.Compute([Baseline()], [taught.WithTeacherTokens(2)]).Runs[0].Ratios.Charged.Flops!.Mean,
            9
        );
    }

    [Fact]
    public void TokensOfAModelOfUnknownSize_AreNoCost()
    {
        RunAncestor old = Ancestor("before", null) with { Operation = RunAncestor.Foreign };
        RunRecord run = Run(new RunResultParts { Origin = [old] }).WithTeacherTokens(2);
        Assert.Null(Verdict.Compute([Baseline()], [run]).Runs[0].Ratios.Charged.Flops);
    }

    // The small model that the student grew out of was trained on into its teacher: what both have in common is paid once.
    [Theory]
    [InlineData("trunk", 0.8 + 0.4)]
    [InlineData("another", 0.8 + 0.4 + 0.1)]
    public void WhatTeacherAndOriginShare_IsPaidOnce(string teachersTrunk, double expected)
    {
        var teacher = new RunTeacher
        {
            Name = "teacher",
            TrainingFlops = 400,
            TrainingSeconds = 400,
            History = [Ancestor(teachersTrunk, 400)],
        };
        VerdictRun run = Of(new RunResultParts { Origin = [Ancestor("trunk", 100), Growth()], Teacher = teacher });
        Assert.Equal(expected, run.Ratios.Charged.Flops!.Mean, 9);
        Assert.Contains("the teacher's and the small model's training", run.SentenceFree, StringComparison.Ordinal);
    }

    [Fact]
    public void ATeacherBranchedFromTheRunsOwnSmallStage_SharesIt()
    {
        var teacher = new RunTeacher
        {
            Name = "teacher",
            TrainingFlops = 400,
            History = [Ancestor("run-1", 400)], // the run itself, up to its growth and on
        };
        VerdictRun run = Of(new RunResultParts { Stages = [Stage(300)], Teacher = teacher });
        Assert.Equal(0.8 + 0.4 - 0.3, run.Ratios.Charged.Flops!.Mean, 9);
    }

    [Fact]
    public void TheBaseline_IsChargedForItsOwnHistoryToo()
    {
        RunRecord baseline = Baseline();
        baseline = baseline with { Result = baseline.Result with { Origin = [Ancestor("trunk", 600)] } };
        Verdict verdict = Verdict.Compute([baseline], [Run(new RunResultParts())]);
        Assert.Equal(0.8, verdict.Runs[0].Ratios.Free.Flops!.Mean, 9);
        Assert.Equal(0.5, verdict.Runs[0].Ratios.Charged.Flops!.Mean, 9);
    }

    private static VerdictRun Of(RunResultParts parts, int students = 1) => Compute(parts, students).Runs[0];

    private static Verdict Compute(RunResultParts parts, int students = 1) =>
        Verdict.Compute([Baseline()], [Run(parts)], studentsServed: students);

    private static RunRecord Baseline() => FakeStudy.WithCurve("baseline", 1, (500, 3.5), (1000, 3.0));

    private static RunRecord Run(RunResultParts parts)
    {
        RunRecord run = FakeStudy.WithCurve("other", 1, (400, 3.5), (800, 3.0));
        return run with
        {
            Result = run.Result with
            {
                Stages = parts.Stages,
                Origin = parts.Origin,
                Teacher = parts.Teacher,
                Run = "run-1",
            },
        };
    }

    private static RunStage Stage(double flops) =>
        new()
        {
            LastStep = 300,
            Flops = flops,
            Seconds = flops,
        };

    private static RunAncestor Ancestor(string name, double? flops) =>
        new()
        {
            Name = name,
            Operation = "trained",
            Flops = flops,
            Seconds = flops,
            Run = name,
        };

    private static RunAncestor Growth() =>
        new()
        {
            Name = "growth",
            Operation = "grown",
            Flops = 0,
            Seconds = 0,
        };

    private sealed record RunResultParts
    {
        public IReadOnlyList<RunStage> Stages { get; init; } = [];

        public IReadOnlyList<RunAncestor> Origin { get; init; } = [];

        public RunTeacher? Teacher { get; init; }
    }
}
