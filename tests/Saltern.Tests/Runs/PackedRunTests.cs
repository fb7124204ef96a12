using Saltern.Batches;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Tests.Distributed;

namespace Saltern.Tests.Runs;

public class PackedRunTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AResumedRun_IsBitForBitTheUninterruptedOne(bool masked)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(masked);
        (float[] whole, double first, double last) = Train(config, folder["whole"], 20);
        Assert.True(last < first - 0.3, $"{first} … {last}");
        Train(config, folder["cut"], 7);
        Assert.Equal(whole, Train(config, folder["cut"], 20, resume: true).Weights);
    }

    [Fact]
    public void TwoRanks_DrawTheSamplesOfOne()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(masked: false) with { Threads = 1 };
        (_, _, double alone) = Train(config, folder["one"], 5);
        double[] together = ThreadRanks.Run(
            2,
            ranks =>
            {
                double loss = 0;
                TrainingRunOptions options = TinyRun.Quick with
                {
                    Ranks = ranks,
                    OnStep = report => loss = report.Sums.Loss / report.Sums.Positions,
                };
                using TrainingRun run = TrainingRun.Open(config, folder["two"], options);
                run.Continue(5, CancellationToken.None);
                return loss;
            }
        );
        Assert.All(together, loss => Assert.Equal(alone, loss, 1e-5));
    }

    [Fact]
    public void APlan_AndTheLog_SayWhatPackingCosts()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(masked: false);
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick);
        Assert.Contains(
            run.Description(),
            line => line.StartsWith("documents: packed best-fit into ", StringComparison.Ordinal)
        );
        RunPlan plan = RunPlan.Of(config, teacherPreset: null, teacherSteps: null);
        PackingCounts packing = plan.Packing!;
        Assert.InRange(packing.Padding / (packing.Sequences * 32.0), 0, 0.05);
        Assert.Equal(20 * 8 / (double)packing.Sequences, plan.Epochs!.Value, 1e-12);
        Assert.Null(RunPlan.Of(TinyRun.Shared.Plain("plain", 20), null, null).Packing);
    }

    private static RunConfig Config(bool masked)
    {
        RunConfig plain = TinyRun.Shared.Plain("run", 20);
        return plain with { Data = plain.Data with { Packing = PackingKind.BestFit, MaskDocuments = masked } };
    }

    private static (float[] Weights, double First, double Last) Train(
        RunConfig config,
        string folder,
        int untilStep,
        bool resume = false
    )
    {
        List<double> losses = [];
        TrainingRunOptions options = TinyRun.Quick with
        {
            Resume = resume,
            OnStep = report => losses.Add(report.Sums.Loss / report.Sums.Positions),
        };
        using TrainingRun run = TrainingRun.Open(config, folder, options);
        run.Continue(untilStep, CancellationToken.None);
        if (untilStep < config.Training.Steps)
        {
            run.Leave();
        }

        return (run.Student.Parameters.FlatWeights.data<float>().ToArray(), losses[0], losses[^1]);
    }
}
