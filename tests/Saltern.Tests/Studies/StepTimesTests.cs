using Saltern.Configuration;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Studies;
using Saltern.Tests.Growth;
using Saltern.Tests.Runs;
using Saltern.Tests.Verdicts;
using Saltern.Verdicts;

namespace Saltern.Tests.Studies;

public class StepTimesTests
{
    [Fact]
    public void Seconds_AreStepsOfEachKindTimesTheirMedian()
    {
        var times = new StepTimes
        {
            Machine = new RunMachine
            {
                Processor = "P",
                Cores = 2,
                Threads = 1,
            },
            Rounds = 1,
            LoadedShare = 0,
            Arms = new Dictionary<string, ArmStepTimes>
            {
                ["baseline"] = new(2.0, null, null, null),
                ["salt"] = new(2.0, 2.5, 0.5, 600),
            },
        };
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        RunRecord plain = times.Apply(baseline);
        RunRecord taught = times.Apply(salt);

        // 250 steps with the teacher at 2.5 s, the rest at 2 s.
        Assert.Equal([(500, 1000.0), (1000, 2000.0)], plain.Metrics.Series("seconds"));
        Assert.Equal(
            [(750, 625.0 + 1000), (800, 625.0 + 1100), (1000, 625.0 + 1500)],
            taught.Metrics.Series("seconds")
        );
        Assert.Equal(
            (2000.0, 2125.0, 300.0),
            (plain.Result.Seconds, taught.Result.Seconds, taught.Result.Teacher!.TrainingSeconds!.Value)
        );

        // The worked study's crossing, 795.03 steps: (2.5·250 + 2·545.03)/2000.
        VerdictRun verdict = Verdict.Compute([plain], [taught]).Runs[0];
        Assert.True(verdict.SecondsComparable);
        Assert.Equal(
            ((2.5 * 250) + (2 * (verdict.StepsToBaseline!.Value - 250))) / 2000,
            verdict.SecondsRatio!.Value,
            1e-9
        );
        Assert.Equal(verdict.SecondsRatio!.Value + (300.0 / 2000), verdict.SecondsRatioTeacherCharged!.Value, 1e-9);
    }

    // 300 steps at 1 s, up to 700 at 1.5 s, then 2 s; 0.5 s more for each of the first 400 with a teacher.
    [Theory]
    [InlineData(0, 1000, 300 + 600 + 600)]
    [InlineData(0, 250, 250)]
    [InlineData(400, 1000, 450 + 600)]
    [InlineData(800, 1000, 400)]
    [InlineData(500, 500, 0)]
    public void StepsOfAModelThatGrows_AreThoseOfItsStages(int after, int last, double expected)
    {
        var times = new ArmStepTimes(2.0, null, null, null) { Stages = [new(300, 1.0), new(700, 1.5)] };
        Assert.Equal(expected, times.PlainSeconds(after, last), 1e-9);
    }

    [Fact]
    public void ARunThatGrew_HasTheSecondsOfItsStages()
    {
        StepTimes times = StepTimes.Measure(
            new Dictionary<string, RunConfig>
            {
                ["baseline"] = TinyRun.Shared.Plain("plain", 40),
                ["grown"] = GrownRunTests.Config(OptimizerTransfer.Fresh),
            },
            threads: 1,
            rounds: 2,
            _ => { },
            CancellationToken.None
        );
        ArmStepTimes grown = times.Arms["grown"];
        Assert.Equal([14, 25], grown.Stages.Select(stage => stage.LastStep));
        Assert.All(grown.Stages, stage => Assert.True(stage.Seconds > 0));
        RunRecord run = FakeStudy.WithCurve("grown", 1, (500, 4.0), (1000, 3.5));
        run = times.Apply(
            run with
            {
                Result = run.Result with
                {
                    Stages =
                    [
                        new RunStage
                        {
                            LastStep = 25,
                            Seconds = 7,
                            Flops = 1,
                        },
                    ],
                },
            }
        );
        Assert.Equal(grown.PlainSeconds(0, 500), run.Metrics.Series("seconds")[0].Value, 1e-9);
        Assert.Equal(grown.PlainSeconds(0, 25), run.Result.Stages[0].Seconds, 1e-9);
        Assert.Empty(times.Arms["baseline"].Stages);
    }

    [Fact]
    public void AnArmThatWasNotMeasured_HasNoSecondsToCompare()
    {
        var times = new StepTimes
        {
            Machine = new RunMachine(),
            Rounds = 1,
            LoadedShare = null,
            Arms = new Dictionary<string, ArmStepTimes> { ["baseline"] = new(2.0, null, null, null) },
        };
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        Assert.True(salt.Result.SecondsComparable);
        Assert.False(times.Apply(salt).Result.SecondsComparable);
    }

    [Fact]
    public void Measured_ShareKinds_AndCountTheTeacher()
    {
        var salt = TinyRun.Shared.Salt(
            "salt",
            40,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromShare(0.5) }
        );
        StepTimes times = StepTimes.Measure(
            new Dictionary<string, RunConfig>
            {
                ["A"] = TinyRun.Shared.Plain("a", 40),
                ["B"] = TinyRun.Shared.Plain("b", 28) with { Seed = 9 },
                ["S"] = salt,
            },
            threads: 2,
            rounds: 2,
            _ => { },
            TestContext.Current.CancellationToken
        );
        Assert.Equal(times.Arms["A"].Plain, times.Arms["B"].Plain);
        Assert.Equal(times.Arms["A"].Plain, times.Arms["S"].Plain);
        Assert.True(times.Arms["S"].Taught > 0 && times.Arms["S"].TeacherTraining > 0);
        Assert.Equal(40, times.Arms["S"].TeacherSteps);
        Assert.Null(times.Arms["A"].Taught);
    }
}
