using Saltern.RunFiles;

namespace Saltern.Watch.Tests;

public class RunAxisTests
{
    [Fact]
    public void AStep_LiesBetweenItsLoggedNeighbours_AndNowhereBeyondThem()
    {
        var scale = new RunScale([(10, 100), (20, 300)]);
        Assert.Equal([0, 50, 100, 200, 300, null], new[] { 0, 5, 10, 15, 20, 21 }.Select(scale.At));
        Assert.Equal(7, new RunScale(null).At(7));
        Assert.Null(new RunScale([]).At(7));
    }

    [Fact]
    public void TheGap_OnAnAxisOfCosts_IsThatAtEqualCost()
    {
        // The taught run pays 1.5 times the baseline's FLOPs a step: its step 20 costs what the baseline's step 30 did.
        RunView baseline = Run("BASELINE", false, step => step * 1e9, step => 6 - (0.1 * step));
        RunView run = Run("SALT", true, step => step * 1.5e9, step => 5.5 - (0.1 * step));
        Comparison pair = Comparison.Of(baseline, run);
        IReadOnlyDictionary<string, ArmLook> looks = ArmLook.Of([baseline, run]);
        ChartLine Gap(RunAxis axis) =>
            RunCharts
                .Main([baseline, run], [pair], new ChartChoice(looks, axis))
                .Single(chart => chart.Id == "validation")
                .Lines.Single(line => line.Name == "SALT gap");

        Assert.Equal(
            [(10, 10, -0.5), (20, 20, -0.5), (30, 30, -0.5)],
            Gap(RunAxis.Steps).Points.Select(point => (point.Step, point.X, Math.Round(point.Value, 9)))
        );
        // At 15e9: 4.5 − (6 − 1.5) = 0; at 30e9: 3.5 − 3 = 0.5; at 45e9 the baseline has ended.
        Assert.Equal(
            [(10, 15e9, 0), (20, 30e9, 0.5)],
            Gap(RunAxis.Flops).Points.Select(point => (point.Step, point.X, Math.Round(point.Value, 9)))
        );
    }

    [Fact]
    public void ARunThatLoggedNoTokens_IsLeftOutOfTheirAxis_NotPutAtZero()
    {
        RunView run = Run("BASELINE", false, step => step, step => 6 - (0.1 * step));
        Assert.DoesNotContain(
            RunCharts.Main([run], [], new ChartChoice(ArmLook.Of([run]), RunAxis.Tokens)),
            chart => chart.Id == "validation"
        );
    }

    private static RunView Run(string name, bool distilled, Func<int, double> flops, Func<int, double> loss)
    {
        int[] steps = [10, 20, 30];
        return new RunView
        {
            Folder = name,
            Name = name,
            HadTeacher = distilled,
            State = RunState.Finished,
            Step = 30,
            PlannedSteps = 30,
            Series = new Dictionary<string, IReadOnlyList<(int Step, double Value)>>
            {
                ["valid/loss"] = [.. steps.Select(step => (step, loss(step)))],
                ["cost/flops"] = [.. steps.Select(step => (step, flops(step)))],
            },
            Curve = [.. steps.Select(step => new CurvePoint(step, step, flops(step), loss(step)))],
        };
    }
}
