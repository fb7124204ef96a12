using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

public class AveragingTests
{
    // Averages over steps 15 to 20.
    [Theory]
    [InlineData(12)]
    [InlineData(15)]
    [InlineData(18)]
    public void AResumedRun_HasTheVeryAverageOfTheUninterruptedOne(int cutAfter)
    {
        using var folder = new TemporaryFolder();
        (float[] weights, float[] average) = Train(folder["whole"], 20);
        Train(folder["cut"], cutAfter);
        (float[] resumedWeights, float[] resumedAverage) = Train(folder["cut"], 20, resume: true);
        Assert.Equal(weights, resumedWeights);
        Assert.Equal(average, resumedAverage);
    }

    [Fact]
    public void Averaging_ChangesNothingElse_AndIsMeasuredAndKeptBesideTheWeights()
    {
        using var folder = new TemporaryFolder();
        RunConfig plain = TinyRun.Shared.Plain("run", 20);
        using TrainingRun without = TrainingRun.Open(plain, folder["without"], TinyRun.Quick);
        without.Continue(20, CancellationToken.None);
        using TrainingRun with = TrainingRun.Open(Config(), folder["with"], TinyRun.Quick);
        with.Continue(20, CancellationToken.None);
        Assert.Equal(
            without.Student.Parameters.FlatWeights.data<float>().ToArray(),
            with.Student.Parameters.FlatWeights.data<float>().ToArray()
        );
        RunResult result = with.Finish();
        Assert.Equal(without.Finish().Final!.Loss, result.Final!.Loss);
        Assert.NotEqual(result.Final.Loss, result.FinalEma!.Loss);

        // The folder inside the checkpoint is a model of its own, with the loss that was measured.
        string checkpoint = with.Folder.Checkpoints.PathOf(20);
        Assert.Null(Checkpoint.Problem(checkpoint));
        string average = ModelLocation.Resolve(checkpoint, average: true);
        Assert.Equal(average, ModelLocation.Resolve(folder["with"], average: true));
        using Transformer loaded = ModelFolder.Load(average, trainable: false);
        using WeightAverage again = new(with.Student.Parameters, null);
        Checkpoint.LoadAverage(checkpoint, with.Student, again);
        Assert.Equal(loaded.Parameters.FlatWeights.data<float>().ToArray(), again.Flat.data<float>().ToArray());
        string[] lines = File.ReadAllLines(Path.Combine(folder["with"], RunLayout.Metrics));
        Assert.Contains(
            $"\"{MetricNames.ValidAverageLoss}\"",
            lines.Last(line => line.Contains(MetricNames.ValidLoss, StringComparison.Ordinal)),
            StringComparison.Ordinal
        );

        // The same work made both; the weights are others.
        Assert.Equal(Lineage.Of(checkpoint, checkpoint)[^1].Flops, Lineage.Of(average, average)[^1].Flops);
        Assert.NotEqual(Lineage.Of(checkpoint, checkpoint)[^1].Weights, Lineage.Of(average, average)[^1].Weights);
    }

    [Fact]
    public void ADamagedAverage_IsADamagedCheckpoint()
    {
        using var folder = new TemporaryFolder();
        Train(folder["run"], 20);
        string checkpoint = new CheckpointStore(folder["run"]).PathOf(20);
        string file = Path.Combine(checkpoint, Checkpoint.AverageFolder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);
        Assert.Contains("ema/model.safetensors", Checkpoint.Problem(checkpoint), StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutAnAverage_AskingForOneSaysSo()
    {
        using var folder = new TemporaryFolder();
        Train(folder["run"], 10);
        string message = Assert
            .Throws<CheckpointException>(() => ModelLocation.Resolve(folder["run"], average: true))
            .Message;
        Assert.Contains("has no average of its weights (ema)", message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAverageOverAGrowth_IsAnError()
    {
        RunConfig config = Config() with
        {
            Growth =
            [
                new GrowthStageConfig
                {
                    Until = StepPoint.FromSteps(15),
                    Model = new GrowthModelConfig { NumHiddenLayers = 1 },
                },
            ],
        };
        using var folder = new TemporaryFolder();
        string message = Assert
            .Throws<ConfigurationException>(() => TrainingRun.Open(config, folder["run"], TinyRun.Quick).Dispose())
            .Message;
        Assert.Contains(
            "averaging.last = 6 begins with step 15, before the model's last growth after step 15",
            message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(0)]
    [InlineData(21)]
    public void AnAverageOfNoStepOrMoreThanThereAre_IsAnError(int last)
    {
        RunConfig config = Config() with { Averaging = new AveragingConfig { Last = StepPoint.FromSteps(last) } };
        Assert.Contains(
            "averaging.last",
            Assert.Single(((IValidated)config).Validate()).ToString(),
            StringComparison.Ordinal
        );
    }

    private static RunConfig Config() =>
        TinyRun.Shared.Plain("run", 20) with
        {
            Averaging = new AveragingConfig { Last = StepPoint.FromSteps(6), Decay = 0.7 },
        };

    private static (float[] Weights, float[] Average) Train(string folder, int untilStep, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(Config(), folder, TinyRun.Quick with { Resume = resume });
        run.Continue(untilStep, CancellationToken.None);
        if (untilStep < 20)
        {
            run.Leave();
            return ([], []);
        }

        using Transformer average = ModelFolder.Load(ModelLocation.Resolve(folder, average: true), trainable: false);
        return (
            run.Student.Parameters.FlatWeights.data<float>().ToArray(),
            average.Parameters.FlatWeights.data<float>().ToArray()
        );
    }
}
