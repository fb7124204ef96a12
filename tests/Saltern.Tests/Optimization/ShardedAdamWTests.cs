using Saltern.Checkpoints;
using Saltern.Distributed;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Tests.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class ShardedAdamWTests
{
    private static readonly TransformerConfig Shape = new TransformerConfig
    {
        HiddenSize = 8,
        NumHiddenLayers = 1,
        NumAttentionHeads = 2,
        NumKeyValueHeads = 1,
        IntermediateSize = 8,
        AttentionBias = true,
    }.Resolve(11, 16);
    private static readonly OptimizerConfig Config = new() { ShardState = true, MaxGradientNorm = 2 };

    [Theory]
    [InlineData(2, 1 << 22)] // one bucket, longer than the weights
    [InlineData(2, 64)] // many, the last one short
    [InlineData(3, 100)] // parts that do not divide
    [InlineData(5, 1 << 22)]
    public void FromTheSameSums_WeightsAndStateHaveTheBitsOfTheWhole(int size, int bucketLength)
    {
        (float[] weights, string[] state, double norm) = Whole();
        (float[] Weights, double Norm, long Bytes)[] sharded = ThreadRanks.Run(
            size,
            ranks =>
            {
                using Transformer model = Model();
                using var optimizer = new ShardedAdamW(model.Parameters, Config, 1, ranks, bucketLength);
                double norm = Run(optimizer, model, 1, 4, ranks);
                using GatheredState? gathered = optimizer.Gather(keep: ranks.Rank == 1);
                Assert.Equal(ranks.Rank == 1, gathered is not null);
                Assert.Equal(
                    gathered is null
                        ? state
                        : [.. gathered.Tensors.Select(tensor => Convert.ToHexString(tensor.Bytes().Span))],
                    state
                );
                return (
                    model.Parameters.FlatWeights.data<float>().ToArray(),
                    norm,
                    optimizer.State.Sum(tensor => tensor.ByteCount)
                );
            }
        );
        Assert.All(sharded, rank => Assert.Equal(weights, rank.Weights));

        // float64 sums in another order.
        Assert.All(sharded, rank => Assert.Equal(norm, rank.Norm, norm * 1e-14));
        long all = 8 * Model().Parameters.Layout.Length;
        Assert.Equal(all, sharded.Sum(rank => rank.Bytes));
        Assert.All(sharded, rank => Assert.InRange(rank.Bytes, 0, (all / size) + (8 * 16 * size)));
    }

    [Fact]
    public void ACheckpoint_GoesFromOneToTwoToThreeAndBack()
    {
        using var folder = new TemporaryFolder();
        (float[] weights, string[] state, _) = Whole();
        int[] sizes = [1, 2, 3, 1];
        for (int part = 0; part < sizes.Length; part++)
        {
            string from = folder[$"c{part}"];
            string to = folder[$"c{part + 1}"];
            int update = part + 1;
            ThreadRanks.Run(
                sizes[part],
                ranks =>
                {
                    using Transformer model = Model();
                    using Optimizer optimizer = Optimizer.Create(model.Parameters, Config, 1, ranks);
                    Assert.Equal(ranks.Size > 1, optimizer is ShardedAdamW);
                    if (update > 1)
                    {
                        Checkpoint.Load(from, model, optimizer);
                    }

                    Run(optimizer, model, update, update, ranks);
                    GatheredState? gathered = optimizer.Gather(keep: ranks.Rank == 0);
                    if (ranks.Rank == 0)
                    {
                        using CheckpointContent content =
                            update % 2 == 0
                                ? CheckpointContent.CopyOf(
                                    model,
                                    optimizer,
                                    new TrainState { Updates = optimizer.UpdateCount },
                                    gathered: gathered
                                )
                                : CheckpointContent.Of(
                                    model,
                                    optimizer,
                                    new TrainState { Updates = optimizer.UpdateCount },
                                    gathered: gathered
                                );
                        Checkpoint.Save(to, content, "{}");
                    }

                    return 0;
                }
            );
        }

        using Transformer last = Model();
        using var whole = new AdamW(last.Parameters, Config, 1);
        Checkpoint.Load(folder["c4"], last, whole);
        Assert.Equal(4, whole.UpdateCount);
        Assert.Equal(weights, last.Parameters.FlatWeights.data<float>().ToArray());
        Assert.Equal(state, whole.State.Select(tensor => Convert.ToHexString(tensor.ToBytes())));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void ABadGradientOfAnyRank_IsInEveryNorm(float bad)
    {
        foreach (long place in new[] { 0L, Model().Parameters.Layout.Length / 2 })
        {
            double[] norms = ThreadRanks.Run(
                2,
                ranks =>
                {
                    using Transformer model = Model();
                    using var optimizer = new ShardedAdamW(model.Parameters, Config, 1, ranks);
                    if (ranks.Rank == 1)
                    {
                        model.Parameters.FlatGradients[place] = bad;
                    }

                    optimizer.SumGradients(ranks);
                    return optimizer.GradientNorm();
                }
            );
            Assert.All(norms, norm => Assert.False(double.IsFinite(norm)));
        }
    }

    [Fact]
    public void Adafactor_IsRefused()
    {
        var config = new OptimizerConfig { Kind = OptimizerKind.Adafactor, ShardState = true };
        string problem = Assert.Single(config.Validate()).ToString();
        Assert.Contains("shard_state", problem, StringComparison.Ordinal);
        Assert.Contains(
            "is used by 'kind: adamw' and 'kind: muon', which have state",
            problem,
            StringComparison.Ordinal
        );
    }

    private static (float[] Weights, string[] State, double Norm) Whole()
    {
        using Transformer model = Model();
        using var optimizer = new AdamW(model.Parameters, Config, 1);
        using var alone = new SingleProcess();
        double norm = Run(optimizer, model, 1, 4, alone);
        return (
            model.Parameters.FlatWeights.data<float>().ToArray(),
            [.. optimizer.State.Select(tensor => Convert.ToHexString(tensor.ToBytes()))],
            norm
        );
    }

    private static Transformer Model()
    {
        var model = new Transformer(Shape, trainable: true);
        model.Initialize(3);
        return model;
    }

    // Rank 0 brings the whole gradient and the others zeros: the sums are then exact for any number of ranks.
    private static double Run(Optimizer optimizer, Transformer model, int first, int last, ICommunicator ranks)
    {
        double norm = 0;
        for (int update = first; update <= last; update++)
        {
            using DisposeScope scope = NewDisposeScope();
            model.Parameters.ZeroGradients();
            if (ranks.Rank == 0)
            {
                using var generator = new Generator((ulong)update);
                foreach (ParameterBlock block in model.Parameters.Layout.Blocks)
                {
                    model
                        .Parameters.FlatGradients.narrow(0, block.Offset, block.Count)
                        .copy_(randn(block.Count, generator: generator));
                }
            }

            optimizer.SumGradients(ranks);
            norm = optimizer.GradientNorm();
            optimizer.Update(1e-2, norm);
        }

        return norm;
    }
}
