using System.Globalization;
using Saltern.Guidance;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Runs;

// What only shows after thousands of steps. MemoryTests is the suite's short form.
public class LongRunTests
{
    private const int Samples = 20;
    private const double MostBytesPerStep = (1 << 20) / 1_000.0;

    [Fact]
    public void ManySteps_WithEvaluationAndSaving_TakeNoMoreMemory()
    {
        string? wanted = Environment.GetEnvironmentVariable("SALTERN_LONG_STEPS");
        Assert.SkipUnless(wanted is { Length: > 0 }, "takes minutes: set SALTERN_LONG_STEPS=10000");
        int steps = int.Parse(wanted!, CultureInfo.InvariantCulture);
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt(
            "long",
            steps,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        config = config with
        {
            Threads = 1,
            Training = config.Training with { EvaluateEvery = 20, CheckpointEvery = 10, LogEvery = 10 },
        };
        using TrainingRun run = TrainingRun.Open(config, folder["long"], TinyRun.Quick);

        // The heaps find their size over some thousand steps (MemoryTests).
        int warm = steps * 3 / 10;
        run.Continue(warm, TestContext.Current.CancellationToken);
        long tensors = torch.Tensor.TotalCount;
        var points = new List<(double Step, double Bytes)>();
        for (int i = 0; i <= Samples; i++)
        {
            int step = warm + ((steps - warm) * i / Samples);
            run.Continue(step, TestContext.Current.CancellationToken);
            Assert.Equal(tensors, torch.Tensor.TotalCount);
            points.Add((step, MemoryTests.ResidentBytes()));
        }

        double meanStep = points.Average(point => point.Step);
        double meanBytes = points.Average(point => point.Bytes);
        double slope =
            points.Sum(point => (point.Step - meanStep) * (point.Bytes - meanBytes))
            / points.Sum(point => Math.Pow(point.Step - meanStep, 2));
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{steps} steps, {steps / 20} evaluations, {steps / 10} checkpoints: {tensors} live tensors throughout; "
                    + $"resident {points[0].Bytes / 1048576:0.0} MiB after step {warm}, {points[^1].Bytes / 1048576:0.0} MiB at the "
                    + $"end, slope {1_000 * slope / 1048576:0.000} MiB per 1,000 steps"
            )
        );
        Assert.True(
            slope < MostBytesPerStep,
            $"resident memory grows by {1_000 * slope / 1048576:0.000} MiB per 1,000 steps"
        );
    }
}
