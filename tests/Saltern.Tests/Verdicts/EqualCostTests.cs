using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class EqualCostTests
{
    private static readonly RunRecord Baseline = FakeStudy.WithCurve("BASELINE", 1, (0, 8), (500, 5), (1000, 4));

    // One FLOP a step: with a teacher of 250 the run has cost 750 at 4.5 and 1,250 at 3.9, so 4.2 at the baseline's 1,000.
    [Theory]
    [InlineData(250, 1, 0.2)]
    [InlineData(250, 5, -0.04)]
    [InlineData(0, 1, -0.1)]
    public void ATaughtRun_AtTheBaselinesWholeCost_HandWorked(double teacher, int studentsServed, double expected) =>
        Assert.Equal(expected, Difference(Taught(teacher), studentsServed)!.Value, 1e-12);

    [Fact]
    public void ACheaperRun_IsComparedWhereItEnds() =>
        Assert.Equal(-0.5, Difference(FakeStudy.WithCurve("SHORT", 1, (0, 8), (250, 6), (500, 4.5)), 1)!.Value, 1e-12);

    [Fact]
    public void WhatIsNotKnown_OrCannotBePaid_HasNone()
    {
        Assert.Null(Difference(Taught(2000), 1));
        Assert.Null(Difference(Taught(null), 1));
        Assert.Equal(0, Difference(Baseline, 1));
    }

    [Fact]
    public void AVerdict_HasItsMean_OnlyWhereEveryPairHasOne()
    {
        RunRecord second = FakeStudy.WithCurve("BASELINE", 2, (0, 8), (500, 5), (1000, 4));
        RunRecord[] taught = [Taught(250), Taught(0, seed: 2)];
        VerdictRun both = Verdict.Compute([Baseline, second], taught).Runs[0];
        Assert.Equal(0.05, both.EqualChargedFlopsDifference!.Value, 1e-12);
        Assert.NotNull(both.EqualChargedFlopsDifferenceInterval);
        VerdictRun one = Verdict.Compute([Baseline, second], [taught[0], Taught(null, seed: 2)]).Runs[0];
        Assert.Null(one.EqualChargedFlopsDifference);
    }

    private static double? Difference(RunRecord run, int studentsServed) =>
        Verdict.Compute([Baseline], [run], studentsServed: studentsServed).Runs[0].Pairs[0].EqualChargedFlopsDifference;

    private static RunRecord Taught(double? teacher, int seed = 1)
    {
        RunRecord run = FakeStudy.WithCurve("SALT", seed, (0, 8), (500, 4.5), (1000, 3.9));
        return run with
        {
            Result = run.Result with
            {
                Stage1EndStep = 500,
                Teacher = new RunTeacher
                {
                    Name = "small",
                    TrainingFlops = teacher,
                    TrainingSeconds = teacher,
                },
            },
        };
    }
}
