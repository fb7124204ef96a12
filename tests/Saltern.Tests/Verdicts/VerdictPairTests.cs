using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class VerdictPairTests
{
    [Fact]
    public void ChargedSeconds_AreThePassesAndTheTraining_EachOverTheStudents()
    {
        // 825.14 s of its own up to the crossing; passes 100 s and training 361.26 s over K = 4, over the baseline's 1,000 s.
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        salt = salt with { Result = salt.Result with { Teacher = salt.Result.Teacher! with { PassSeconds = 100 } } };

        VerdictPair pair = Verdict.Compute([baseline], [salt], studentsServed: 4).Runs[0].Pairs[0];

        Assert.Equal(0.8251, pair.SecondsRatio!.Value, 4);
        Assert.Equal(0.8251 + 0.025, pair.SecondsRatioPasses!.Value, 4);
        Assert.Equal(0.82514 + 0.025 + 0.09032, pair.SecondsRatioTeacherCharged!.Value, 4);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void SecondsCompare_WhereOneOfTheTwoNamesTheOther(bool baselineNames, bool runNames)
    {
        RunRecord baseline = FakeStudy.Run("baseline", 1, 3.7);
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        baseline = With(baseline, baselineNames ? ["salt-1"] : []);
        salt = With(salt, runNames ? ["baseline-1"] : []);
        Assert.True(Verdict.Compute([baseline], [salt]).Runs[0].Pairs[0].SecondsComparable);

        static RunRecord With(RunRecord run, string[] others) =>
            run with
            {
                Result = run.Result with { InterleavedWith = others },
            };
    }

    [Theory]
    [InlineData("AMD EPYC", 2, true)]
    [InlineData("Xeon", 2, false)]
    [InlineData("AMD EPYC", 4, false)]
    public void SecondsCompare_OnTheSameProcessorWithAsManyCores(string processor, int cores, bool comparable)
    {
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        RunMachine machine = salt.Result.Machine with { Processor = processor, Cores = cores };
        salt = salt with { Result = salt.Result with { Machine = machine } };
        VerdictRun run = Verdict.Compute([FakeStudy.Run("baseline", 1, 3.7)], [salt]).Runs[0];
        Assert.Equal(comparable, run.SecondsComparable);
    }

    [Fact]
    public void ACostOfNothing_HasNoRatio()
    {
        Assert.Null(CostRatio.Of(0, 1));
        Assert.Null(CostRatio.Of(1, 0));
        Assert.Equal(2, CostRatio.Of(1, 0.5)!.Mean);
    }
}
