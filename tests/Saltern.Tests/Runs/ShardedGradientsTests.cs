using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Runs;
using Saltern.Tests.Distributed;
using TorchSharp;

namespace Saltern.Tests.Runs;

/// <summary>ZeRO stage 2: whole runs on ranks that keep their share of the gradients, against stage 1 and one process.</summary>
public class ShardedGradientsTests
{
    private const int Steps = 10;

    [Theory]
    [InlineData("adamw", 2)]
    [InlineData("adamw", 4)]
    [InlineData("muon", 2)]
    [InlineData("muon", 4)]
    [InlineData("adamw salt", 2)]
    [InlineData("muon salt", 2)]
    [InlineData("adamw 8bit", 3)]
    public void StageTwo_HasTheBitsOfStageOne_AndTheLossesOfOneProcess(string kind, int ranks)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(kind);
        (float[] Weights, double[] Losses)[] one = Train(
            Sharded(config, state: true, gradients: false),
            folder["1"],
            ranks
        );
        (float[] Weights, double[] Losses)[] two = Train(
            Sharded(config, state: true, gradients: true),
            folder["2"],
            ranks
        );
        Assert.All(two, rank => Assert.Equal(two[0].Weights, rank.Weights));
        Assert.Equal(one[0].Weights, two[0].Weights);
        Assert.Equal(one[0].Losses, two[0].Losses);

        // Rounded state turns another order of sums into another neighbour, a step of which is up to some percent of a moment.
        double tolerance = kind.Contains("8bit", StringComparison.Ordinal) ? 1e-2 : 1e-5;
        (float[] Weights, double[] Losses)[] alone = Train(config, folder["0"], 1);
        Assert.Equal(alone[0].Losses, two[0].Losses, (a, b) => Math.Abs(a - b) <= tolerance * a);
    }

    [Fact]
    public void Accumulation_ExchangesEachMicroBatch_WhereRanksHaveUnlikeNumbersToo()
    {
        // 8 samples over 3 ranks: 3, 3 and 2, in micro-batches of 1.
        using var folder = new TemporaryFolder();
        RunConfig config = Config("adamw");
        config = config with { Training = config.Training with { MicroBatchSequences = 1 } };
        (float[] Weights, double[] Losses)[] two = Train(Sharded(config, state: true, gradients: true), folder["2"], 3);
        (float[] Weights, double[] Losses)[] alone = Train(config, folder["0"], 1);
        Assert.All(two, rank => Assert.Equal(two[0].Weights, rank.Weights));
        Assert.Equal(alone[0].Losses, two[0].Losses, (a, b) => Math.Abs(a - b) <= 1e-5 * a);
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("muon 8bit")]
    public void Checkpoints_GoFromOneToTwoToFourAndBack_AcrossStages(string kind)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = Config(kind) with { Name = "stages" };
        (int Ranks, bool State, bool Gradients)[] parts =
        [
            (1, false, false),
            (2, true, true),
            (4, true, false),
            (1, true, true),
        ];
        double[] losses = [];
        for (int i = 0; i < parts.Length; i++)
        {
            (int ranks, bool state, bool gradients) = parts[i];
            int last = i == parts.Length - 1 ? Steps : 2 * (i + 1);
            losses =
            [
                .. losses,
                .. Train(Sharded(config, state, gradients), folder["run"], ranks, last, i > 0)[0].Losses,
            ];
        }

        (float[] Weights, double[] Losses)[] alone = Train(config, folder["0"], 1);
        double tolerance = kind.Contains("8bit", StringComparison.Ordinal) ? 1e-2 : 1e-5;
        Assert.Equal(Steps, losses.Length);
        Assert.Equal(alone[0].Losses, losses, (a, b) => Math.Abs(a - b) <= tolerance * a);
    }

    [Fact]
    public void AfterTheExchange_ARankHasTheSumsOfItsShareAndNothingElse()
    {
        TransformerConfig shape = Config("adamw").Model.Resolve(301, 16);
        float[][] kept = ThreadRanks.Run(
            3,
            ranks =>
            {
                using var model = new Transformer(shape, trainable: true);
                OptimizerConfig config = new() { ShardState = true, ShardGradients = true };
                using Optimizer optimizer = Optimizer.Create(model.Parameters, config, 1, ranks);
                model.Parameters.FlatGradients.fill_(1 + ranks.Rank);
                for (int layer = shape.NumHiddenLayers - 1; layer >= Optimizer.NoLayer; layer--)
                {
                    optimizer.ReduceLayer(layer);
                }

                // √Σ 6² over all weights, whoever has them.
                double norm = Math.Sqrt(36.0 * model.Parameters.Layout.ParameterCount);
                Assert.Equal(norm, optimizer.GradientNorm(), 1e-9 * norm);
                return Gradients(model);
            }
        );
        for (int i = 0; i < kept[0].Length; i++)
        {
            // 1 + 2 + 3 on one rank, 0 on the others.
            Assert.Equal([0f, 0f, 6f], kept.Select(rank => rank[i]).Order());
        }

        Assert.All(kept, rank => Assert.InRange(rank.Count(value => value != 0), rank.Length / 4, rank.Length / 2));
    }

    [Fact]
    public void WithoutSharedState_ItIsAnError()
    {
        var config = new OptimizerConfig { ShardGradients = true };
        string problem = Assert.Single(((IValidated)config).Validate()).ToString();
        Assert.Contains("shard_state: true", problem, StringComparison.Ordinal);
    }

    private static RunConfig Config(string kind)
    {
        RunConfig plain = TinyRun.Shared.Plain("run", Steps);
        if (kind.EndsWith("salt", StringComparison.Ordinal))
        {
            plain = TinyRun.Shared.Salt(
                "run",
                Steps,
                new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(6) }
            );
        }

        bool isMuon = kind.StartsWith("muon", StringComparison.Ordinal);
        return plain with
        {
            Threads = 1,
            Optimizer = new OptimizerConfig
            {
                Kind = isMuon ? OptimizerKind.Muon : OptimizerKind.Adamw,
                LearningRate = 3e-3,
                State = kind.Contains("8bit", StringComparison.Ordinal)
                    ? OptimizerStateType.EightBit
                    : OptimizerStateType.Full,
            },
            Training = plain.Training with { CheckpointEvery = 2 },
        };
    }

    private static RunConfig Sharded(RunConfig config, bool state, bool gradients) =>
        config with
        {
            Optimizer = config.Optimizer with { ShardState = state, ShardGradients = gradients },
        };

    private static (float[] Weights, double[] Losses)[] Train(
        RunConfig config,
        string folder,
        int size,
        int last = Steps,
        bool resume = false
    ) =>
        ThreadRanks.Run(
            size,
            ranks =>
            {
                List<double> losses = [];
                TrainingRunOptions options = TinyRun.Quick with
                {
                    Ranks = ranks,
                    Resume = resume,
                    OnStep = report => losses.Add(report.Sums.Loss / report.Sums.Positions),
                };
                using TrainingRun run = TrainingRun.Open(config, folder, options);
                run.Continue(last, CancellationToken.None);
                return (run.Student.Parameters.FlatWeights.data<float>().ToArray(), losses.ToArray());
            }
        );

    private static float[] Gradients(Transformer model)
    {
        using DisposeScope scope = torch.NewDisposeScope();
        return
        [
            .. model.Parameters.Layout.Slices.SelectMany(slice =>
                model.Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count).data<float>().ToArray()
            ),
        ];
    }
}
