using System.Runtime.InteropServices;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Tests.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class CompactOptimizerTests
{
    // No size is a multiple of 256, and a window holds parts of query, key and value.
    private static readonly TransformerConfig Shape = new TransformerConfig
    {
        HiddenSize = 20,
        NumHiddenLayers = 2,
        NumAttentionHeads = 2,
        NumKeyValueHeads = 1,
        IntermediateSize = 28,
        AttentionBias = true,
    }.Resolve(301, 16);

    public static TheoryData<string> Kinds =>
        [
            "adamw 8bit",
            "adamw bf16",
            "muon 8bit",
            "muon bf16",
            "adamw split24",
            "muon split24",
            "adamw 8bit split24",
            "adamw 8bit short",
            "muon 8bit short",
        ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void PlainTwin_DequantisesStepsInFloat32AndRequantises(string kind)
    {
        OptimizerConfig config = Config(kind);
        using Transformer model = Model(kind);
        using Optimizer ours = Optimizer.Create(model.Parameters, config, 1, seed: 11);
        Assert.IsType<CompactOptimizer>(ours);
        using Transformer other = Model();
        using Optimizer twin = Optimizer.Create(other.Parameters, config with { State = OptimizerStateType.Full }, 1);
        using var alone = new SingleProcess();
        for (int update = 1; update <= 5; update++)
        {
            // The twin begins with what our state stands for, and our weights.
            Dictionary<string, float[]> state = Decoded(ours, model.Parameters.Layout);
            foreach (StateSlot slot in twin.Slots)
            {
                slot.Fill(bytes => MemoryMarshal.AsBytes(state[slot.Name].AsSpan()).CopyTo(bytes));
            }

            foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
            {
                using DisposeScope scope = NewDisposeScope();
                other.Parameters.SetWeight(slice, model.Parameters.Weight(slice));
            }

            twin.UpdateCount = ours.UpdateCount;
            Run(ours, model, update, update, alone);
            Run(twin, other, update, update, alone);

            // The decoding in float64 here rounds once more: an update is 1e-2, its last bits 1e-9. A packed weight is one of its two neighbours.
            double spacing = model.Parameters.Form switch
            {
                WeightForm.Split24 => Math.Pow(2, -15),
                WeightForm.BFloat16 => Math.Pow(2, -7),
                _ => 0,
            };
            Assert.Equal(Weights(other), Weights(model), (a, b) => Math.Abs(a - b) < 2e-7 + (spacing * Math.Abs(a)));
            Dictionary<string, float[]> after = Decoded(ours, model.Parameters.Layout);
            foreach (OptimizerTensor tensor in twin.State)
            {
                float[] exact = tensor.Values.data<float>().ToArray();
                float[] kept = after[tensor.Name];
                ParameterSlice slice = SliceOf(tensor.Name, model.Parameters.Layout);
                for (int i = 0; i < exact.Length; i++)
                {
                    double step = Step(kind, tensor.Name, exact, i, slice);
                    Assert.True(
                        Math.Abs(exact[i] - kept[i]) <= step,
                        $"{tensor.Name}[{i}] after update {update}: {kept[i]} for {exact[i]}, more than {step} away"
                    );
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void FromTheSameSums_RanksHaveTheBitsOfOneProcess(string kind)
    {
        (float[] weights, string[] state, double norm) = Whole(kind);
        foreach ((int size, int bucketLength) in new[] { (2, 1 << 22), (2, 300), (3, 1 << 22), (4, 1000), (9, 256) })
        {
            (float[] Weights, double Norm, long Bytes)[] sharded = ThreadRanks.Run(
                size,
                ranks =>
                {
                    using Transformer model = Model(kind);
                    using var optimizer = new CompactOptimizer(
                        model.Parameters,
                        Config(kind),
                        1,
                        ranks,
                        seed: 11,
                        bucketLength: bucketLength
                    );
                    double norm = Run(optimizer, model, 1, 4, ranks);
                    using GatheredState? gathered = optimizer.Gather(keep: ranks.Rank == 1);
                    Assert.Equal(ranks.Rank == 1, gathered is not null);
                    if (gathered is not null)
                    {
                        Assert.Equal(state, gathered.Tensors.Select(Text));
                    }

                    return (Weights(model), norm, optimizer.State.Sum(tensor => tensor.ByteCount));
                }
            );
            Assert.All(sharded, rank => Assert.Equal(weights, rank.Weights));
            Assert.All(sharded, rank => Assert.Equal(norm, rank.Norm, norm * 1e-14)); // float64 sums in another order
            Assert.Equal(StateBytes(kind), sharded.Sum(rank => rank.Bytes));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ACheckpoint_GoesFromOneToTwoToFourAndBack(string kind)
    {
        using var folder = new TemporaryFolder();
        (float[] weights, string[] state, _) = Whole(kind);
        int[] sizes = [1, 2, 4, 1];
        for (int part = 0; part < sizes.Length; part++)
        {
            string from = folder[$"c{part}"];
            string to = folder[$"c{part + 1}"];
            int update = part + 1;
            ThreadRanks.Run(
                sizes[part],
                ranks =>
                {
                    using Transformer model = Model(kind);
                    OptimizerConfig config = Config(kind) with { ShardState = true };
                    using Optimizer optimizer = Optimizer.Create(model.Parameters, config, 1, ranks, seed: 11);
                    if (update > 1)
                    {
                        Checkpoint.Load(from, model, optimizer);
                    }

                    Run(optimizer, model, update, update, ranks);
                    GatheredState? gathered = optimizer.Gather(keep: ranks.Rank == 0);
                    if (ranks.Rank == 0)
                    {
                        var train = new TrainState { Updates = optimizer.UpdateCount };
                        using CheckpointContent content =
                            update % 2 == 0
                                ? CheckpointContent.CopyOf(model, optimizer, train, gathered: gathered)
                                : CheckpointContent.Of(model, optimizer, train, gathered: gathered);
                        Checkpoint.Save(to, content, "{}");
                    }

                    return 0;
                }
            );
        }

        using Transformer last = Model(kind);
        using Optimizer whole = Optimizer.Create(last.Parameters, Config(kind), 1, seed: 11);
        Checkpoint.Load(folder["c4"], last, whole);
        Assert.Equal(4, whole.UpdateCount);
        Assert.Equal(weights, Weights(last));
        Assert.Equal(state, whole.State.Select(Text));
    }

    [Theory]
    [InlineData("adamw 8bit")]
    [InlineData("muon 8bit")]
    public void ABackgroundCopy_HasTheBytesOfTheState(string kind)
    {
        using Transformer model = Model();
        using Optimizer optimizer = Optimizer.Create(model.Parameters, Config(kind), 1, seed: 11);
        using var alone = new SingleProcess();
        Run(optimizer, model, 1, 2, alone);
        using CheckpointContent copy = CheckpointContent.CopyOf(model, optimizer, new TrainState());
        string[] before = [.. optimizer.State.Select(Text)];
        Run(optimizer, model, 3, 3, alone);
        Assert.Equal(before, copy.OptimizerTensors.Select(Text));
        Assert.NotEqual(before, optimizer.State.Select(Text));
    }

    [Fact]
    public void AnotherSeedOrUpdate_RoundsOtherwise()
    {
        string[] first = StateOf(seed: 1, updates: 0);
        Assert.Equal(first, StateOf(seed: 1, updates: 0));
        Assert.NotEqual(first, StateOf(seed: 2, updates: 0));
        Assert.NotEqual(first, StateOf(seed: 1, updates: 1_000_000)); // where bias correction is 1

        string[] StateOf(long seed, long updates)
        {
            using Transformer model = Model();
            using Optimizer optimizer = Optimizer.Create(model.Parameters, Config("adamw 8bit"), 1, seed: seed);
            using var alone = new SingleProcess();
            optimizer.UpdateCount = updates;
            Run(optimizer, model, 1, 1, alone);
            return [.. optimizer.State.Select(Text)];
        }
    }

    [Theory]
    [InlineData("adamw 8bit", 2.04)]
    [InlineData("adamw bf16", 4.00)]
    [InlineData("muon 8bit", 1.05)]
    [InlineData("muon bf16", 2.05)]
    public void BytesAParameter_OfAModelThatIsMostlyLayers(string kind, double most)
    {
        TransformerConfig shape = new TransformerConfig
        {
            HiddenSize = 256,
            NumHiddenLayers = 4,
            NumAttentionHeads = 4,
            IntermediateSize = 704,
        }.Resolve(64, 16);
        using var model = new Transformer(shape, trainable: true);
        using Optimizer optimizer = Optimizer.Create(model.Parameters, Config(kind), 1);
        double bytes = optimizer.State.Sum(tensor => tensor.ByteCount);

        // Norms keep float32: 9 of 256 numbers among 3.2 million.
        Assert.InRange(bytes / model.Parameters.Layout.ParameterCount, most - 0.03, most + 0.006);
    }

    [Fact]
    public void ALayerWhoseGradientIsNoNumber_IsNotUpdated()
    {
        using Transformer model = Model();
        OptimizerConfig config = Config("adamw") with { MaxGradientNorm = 0, Gradients = OptimizerGradients.Released };
        using Optimizer optimizer = Optimizer.Create(model.Parameters, config, 1);
        model.Parameters.FlatGradients.fill_(1);
        ParameterSlice down = model.Parameters.Layout.Slices.Single(slice =>
            slice.Name == "model.layers.1.mlp.down_proj.weight"
        );
        model.Parameters.FlatGradients[down.Offset] = float.NaN;
        float[] before = Weights(model);
        optimizer.BeginLayers();
        var step = new UpdateStep(1e-2, 0);
        Assert.True(double.IsNaN(optimizer.UpdateLayer(step, 1)));
        Assert.Equal(before, Weights(model));

        // Another layer is, and its gradients alone are gone.
        Assert.True(optimizer.UpdateLayer(step, 0) > 0);
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            bool isUpdated = slice.Name.Contains(".layers.0.", StringComparison.Ordinal);
            float[] gradients = model
                .Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count)
                .data<float>()
                .ToArray();
            Assert.Equal(isUpdated, gradients.All(value => value == 0));
        }
    }

    [Fact]
    public void Adafactor_HasNothingToPack()
    {
        var config = new OptimizerConfig { Kind = OptimizerKind.Adafactor, State = OptimizerStateType.EightBit };
        string problem = Assert.Single(((IValidated)config).Validate()).ToString();
        Assert.Contains("state", problem, StringComparison.Ordinal);
        Assert.Contains("'kind: adamw' and 'kind: muon'", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void WeightsOfAnotherType_AreRefused()
    {
        using ParameterSet parameters = SampleWeights.Create(ScalarType.BFloat16);
        string message = Assert
            .Throws<ConfigurationException>(() => Optimizer.Create(parameters, Config("adamw 8bit"), 1))
            .Message;
        Assert.Contains("optimizer.state", message, StringComparison.Ordinal);
        Assert.Contains("BFloat16", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("adamw 8bit", "adamw", "is I8 [301, 20], expected F32")]
    [InlineData("adamw", "adamw 8bit", "is F32 [301, 20], expected I8")]
    [InlineData("adamw bf16", "adamw 8bit", "is BF16 [301, 20], expected I8")]
    public void StateOfAnotherForm_IsNamed(string written, string read, string expected)
    {
        using var folder = new TemporaryFolder();
        using Transformer model = Model();
        using Optimizer writer = Optimizer.Create(model.Parameters, Config(written), 1);
        using Optimizer reader = Optimizer.Create(model.Parameters, Config(read), 1);
        Checkpoint.Save(folder["c"], CheckpointContent.Of(model, writer, new TrainState()), "{}");
        string message = Assert.Throws<CheckpointException>(() => Checkpoint.Load(folder["c"], model, reader)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("optimizer.state", message, StringComparison.Ordinal);
    }

    internal static WeightForm FormOf(string kind)
    {
        if (kind.EndsWith("split24", StringComparison.Ordinal))
        {
            return WeightForm.Split24;
        }

        return kind.EndsWith("short", StringComparison.Ordinal) ? WeightForm.BFloat16 : WeightForm.Float32;
    }

    internal static OptimizerConfig Config(string kind)
    {
        OptimizerConfig config = kind.StartsWith("muon", StringComparison.Ordinal)
            ? new()
            {
                Kind = OptimizerKind.Muon,
                Normalization = UpdateNormalization.LongSide,
                MaxGradientNorm = 2,
                Embedding = new WeightGroupConfig { LearningRate = 5e-3, Betas = [0.8, 0.9] },
            }
            : new() { MaxGradientNorm = 2 };
        if (kind.Contains(" 8bit", StringComparison.Ordinal))
        {
            return config with { State = OptimizerStateType.EightBit };
        }

        return kind.Contains(" bf16", StringComparison.Ordinal)
            ? config with
            {
                State = OptimizerStateType.Bf16,
            }
            : config;
    }

    // What the state stands for, by the names of float32's.
    private static Dictionary<string, float[]> Decoded(Optimizer optimizer, ParameterLayout layout)
    {
        Dictionary<string, Tensor> byName = optimizer.State.ToDictionary(
            tensor => tensor.Name,
            tensor => tensor.Values
        );
        var decoded = new Dictionary<string, float[]>();
        foreach ((string name, Tensor values) in byName)
        {
            if (name.Contains("_scale.", StringComparison.Ordinal))
            {
                continue;
            }

            using DisposeScope scope = NewDisposeScope();
            double[] numbers = values.to(ScalarType.Float64).flatten().data<double>().ToArray();
            if (values.dtype is ScalarType.Int8 or ScalarType.Byte)
            {
                ParameterSlice slice = SliceOf(name, layout);
                float[] scales = byName[name[..^(slice.Name.Length + 1)] + "_scale." + slice.Name]
                    .data<float>()
                    .ToArray();
                for (int i = 0; i < numbers.Length; i++)
                {
                    float scale = scales[((slice.Offset + i) / 256) - (slice.Offset / 256)];
                    numbers[i] =
                        values.dtype == ScalarType.Int8
                            ? Math.Sign(numbers[i]) * Math.Pow(numbers[i] / 127, 2) * scale
                            : Math.Pow(numbers[i] / 255, 4) * scale;
                }
            }

            decoded[name] = [.. numbers.Select(number => (float)number)];
        }

        return decoded;
    }

    // How far a number may be from what is kept for it: one step of its form where it is.
    private static double Step(string kind, string name, float[] exact, int index, ParameterSlice slice)
    {
        double rounding = 1e-6 * Math.Abs(exact[index]);
        if (name.StartsWith("update_", StringComparison.Ordinal))
        {
            // Of an orthogonalised matrix: Newton and Schulz enlarge what the decoding here rounds.
            return 100 * rounding;
        }

        if (slice.Shape.Length != 2)
        {
            return rounding + 1e-12;
        }

        bool isEightBit = kind.Contains(" 8bit", StringComparison.Ordinal);
        bool isBFloat16 = kind.Contains(" bf16", StringComparison.Ordinal);
        if (!isEightBit && !isBFloat16)
        {
            return rounding + 1e-12;
        }

        if (isBFloat16)
        {
            return rounding + (Math.Abs(exact[index]) / 128);
        }

        long window = (slice.Offset + index) / 256;
        double scale = 0;
        for (
            long at = Math.Max(window * 256, slice.Offset);
            at < Math.Min((window + 1) * 256, slice.Offset + slice.Count);
            at++
        )
        {
            scale = Math.Max(scale, Math.Abs(exact[at - slice.Offset]));
        }

        double share = Math.Abs(exact[index]) / scale;
        if (name.StartsWith(OptimizerTensor.SecondMoment, StringComparison.Ordinal))
        {
            double level = Math.Sqrt(Math.Sqrt(share)) * 255;
            return rounding + (scale * (Math.Pow((level + 1) / 255, 4) - share));
        }

        return rounding + (scale * (Math.Pow(((Math.Sqrt(share) * 127) + 1) / 127, 2) - share));
    }

    private static ParameterSlice SliceOf(string name, ParameterLayout layout) =>
        layout.Slices.Single(slice => name.EndsWith('.' + slice.Name, StringComparison.Ordinal));

    private static (float[] Weights, string[] State, double Norm) Whole(string kind)
    {
        using Transformer model = Model(kind);
        using Optimizer optimizer = Optimizer.Create(model.Parameters, Config(kind), 1, seed: 11);
        using var alone = new SingleProcess();
        double norm = Run(optimizer, model, 1, 4, alone);
        return (Weights(model), [.. optimizer.State.Select(Text)], norm);
    }

    private static long StateBytes(string kind)
    {
        using Transformer model = Model(kind);
        using Optimizer optimizer = Optimizer.Create(model.Parameters, Config(kind), 1);
        return optimizer.State.Sum(tensor => tensor.ByteCount);
    }

    private static string Text(OptimizerTensor tensor) => $"{tensor.Name} {Convert.ToHexString(tensor.ToBytes())}";

    private static string Text(StateBytes tensor) => $"{tensor.Name} {Convert.ToHexString(tensor.Bytes().Span)}";

    private static float[] Weights(Transformer model)
    {
        using DisposeScope scope = NewDisposeScope();
        return
        [
            .. model.Parameters.Layout.Slices.SelectMany(slice =>
                model.Parameters.Weight(slice).detach().data<float>().ToArray()
            ),
        ];
    }

    private static Transformer Model(string kind = "")
    {
        var model = new Transformer(Shape, trainable: true, FormOf(kind));
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
