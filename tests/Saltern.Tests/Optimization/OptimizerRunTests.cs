using Saltern.Optimization;
using Saltern.Runs;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Optimization;

/// <summary>Whole runs with the kinds that the other run tests do not use.</summary>
public class OptimizerRunTests
{
    [Theory]
    [InlineData(OptimizerKind.Muon)]
    [InlineData(OptimizerKind.Adafactor)]
    public void InterruptedRun_EndsWithTheSameWeightsAndALowerLossThanItBeganWith(OptimizerKind kind)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 20) with
        {
            Optimizer = new OptimizerConfig { Kind = kind, LearningRate = 5e-3 },
        };
        List<double> losses = [];
        TrainingRunOptions options = TinyRun.Quick with
        {
            OnStep = report => losses.Add(report.Sums.Loss / report.Sums.Positions),
        };
        float[] straight = Train(config, folder["straight"], options, 20);
        Assert.True(losses[^1] < losses[0] - 0.5, $"{losses[0]} … {losses[^1]}"); // from about ln 300 = 5.7 nats to 5.0 or less
        Train(config, folder["twice"], TinyRun.Quick, 10);
        Assert.Equal(straight, Train(config, folder["twice"], TinyRun.Quick with { Resume = true }, 20));
    }

    private static float[] Train(RunConfig config, string folder, TrainingRunOptions options, int untilStep)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, options);
        run.Continue(untilStep, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }
}
