using System.Runtime.InteropServices;
using Saltern.Checkpoints;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class OptimizerStateTests
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

    public static TheoryData<string> Kinds => ["adamw", "muon", "muon of today", "adafactor", "adafactor with beta1"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void SixUpdates_AreThreeAndACheckpointAndThree(string kind)
    {
        using var folder = new TemporaryFolder();
        OptimizerConfig config = Config(kind);
        using Transformer straight = Model();
        using Optimizer through = Optimizer.Create(straight.Parameters, config, 1);
        Run(through, straight, 1, 6);

        using (Transformer first = Model())
        {
            using Optimizer optimizer = Optimizer.Create(first.Parameters, config, 1);
            Run(optimizer, first, 1, 3);
            Checkpoint.Save(
                folder["c"],
                CheckpointContent.Of(first, optimizer, new TrainState { Updates = optimizer.UpdateCount }),
                "{}"
            );
        }

        using Transformer resumed = Model();
        using Optimizer second = Optimizer.Create(resumed.Parameters, config, 1);
        Checkpoint.Load(folder["c"], resumed, second);
        Assert.Equal(3, second.UpdateCount);
        Run(second, resumed, 4, 6);
        Assert.Equal(
            straight.Parameters.FlatWeights.data<float>().ToArray(),
            resumed.Parameters.FlatWeights.data<float>().ToArray()
        );
        Assert.Equal(
            through.State.Select(tensor => Convert.ToHexString(tensor.ToBytes())),
            second.State.Select(tensor => Convert.ToHexString(tensor.ToBytes()))
        );
    }

    [Theory]
    [InlineData("muon", "adamw")]
    [InlineData("adafactor", "adamw")]
    [InlineData("adamw", "muon")]
    [InlineData("adafactor", "muon")]
    [InlineData("adamw", "adafactor")]
    public void AnotherKindsState_IsNamed(string written, string read)
    {
        string message = Refusal(written, read);
        Assert.Contains(
            $"holds the state of 'optimizer.kind: {written}', but the recipe says '{read}'. Go on with '{written}', or start a new run.",
            message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void StateThatTheRecipeDoesNotKeepOrLacks_IsNamed()
    {
        Assert.Contains(
            "'exp_avg.model.embed_tokens.weight' belongs to nothing that the recipe's optimizer keeps",
            Refusal("adafactor with beta1", "adafactor"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'exp_avg.model.embed_tokens.weight' is missing, expected F32 [11, 8]",
            Refusal("adafactor", "adafactor with beta1"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void MuonWithoutItsNormalization_ReadsOldStateAndNamesWhatIsMissing()
    {
        // All keys but normalization leave the state as it was.
        using var folder = new TemporaryFolder();
        using Transformer model = Model();
        using Optimizer old = Optimizer.Create(model.Parameters, Config("muon"), 1);
        Run(old, model, 1, 2);
        Checkpoint.Save(folder["c"], CheckpointContent.Of(model, old, new TrainState()), "{}");
        OptimizerConfig without = Config("muon of today") with { Normalization = null };
        using Optimizer reader = Optimizer.Create(model.Parameters, without, 1);
        Checkpoint.Load(folder["c"], model, reader);
        Assert.Equal(
            old.State.Select(tensor => Convert.ToHexString(tensor.ToBytes())),
            reader.State.Select(tensor => Convert.ToHexString(tensor.ToBytes()))
        );
        Assert.Contains(
            "'update_row.model.layers.0.self_attn.q_proj.weight' is missing, expected F32 [8]",
            Refusal("muon", "muon of today"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void DamagedState_ChangesNothingInTheOptimizer()
    {
        using var folder = new TemporaryFolder();
        using Transformer model = Model();
        using Optimizer optimizer = Optimizer.Create(model.Parameters, Config("adamw"), 1);
        Run(optimizer, model, 1, 1);
        string[] before = [.. optimizer.State.Select(tensor => Convert.ToHexString(tensor.ToBytes()))];
        IEnumerable<OptimizerTensor> allButTheLast = optimizer.State.SkipLast(1);
        SafeTensorsFile.WriteFloat32(
            folder["o"],
            [.. allButTheLast.Select(tensor => (tensor.Name, tensor.Shape, Zeros(tensor)))],
            new Dictionary<string, string>()
        );
        Assert.Contains(
            "'exp_avg_sq.lm_head.weight' is missing",
            Assert.Throws<CheckpointException>(() => OptimizerStateReader.Read(folder["o"], optimizer)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, optimizer.State.Select(tensor => Convert.ToHexString(tensor.ToBytes())));
    }

    [Fact]
    public void AdamWState_OfOlderCheckpoints_Loads()
    {
        // As written before there were other kinds: both moments of every weight, in the order of the weights.
        using var folder = new TemporaryFolder();
        using Transformer model = Model();
        List<(string, long[], Func<ReadOnlyMemory<byte>>)> moments = [];
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            float[] first = [.. Enumerable.Range(0, (int)slice.Count).Select(i => i + 0.5f)];
            float[] second = [.. first.Select(value => value * 2)];
            moments.Add(("exp_avg." + slice.Name, slice.Shape, () => MemoryMarshal.AsBytes<float>(first).ToArray()));
            moments.Add(
                ("exp_avg_sq." + slice.Name, slice.Shape, () => MemoryMarshal.AsBytes<float>(second).ToArray())
            );
        }

        SafeTensorsFile.WriteFloat32(
            folder["optimizer.safetensors"],
            moments,
            new Dictionary<string, string> { ["updates"] = "7" }
        );
        using Optimizer fused = new AdamW(model.Parameters, new OptimizerConfig(), 1);
        using Optimizer plain = new PlainAdamW(model.Parameters, new OptimizerConfig(), 1);
        foreach (Optimizer optimizer in new[] { fused, plain })
        {
            OptimizerStateReader.Read(folder["optimizer.safetensors"], optimizer);
            Assert.Equal(
                moments.Select(moment => (moment.Item1, Convert.ToHexString(moment.Item3().Span))),
                optimizer.State.Select(tensor => (tensor.Name, Convert.ToHexString(tensor.ToBytes())))
            );
        }
    }

    private static Func<ReadOnlyMemory<byte>> Zeros(OptimizerTensor tensor) => () => new byte[tensor.ByteCount];

    private static OptimizerConfig Config(string kind) =>
        kind switch
        {
            "muon" => new() { Kind = OptimizerKind.Muon },
            "muon of today" => new()
            {
                Kind = OptimizerKind.Muon,
                Orthogonalization = OrthogonalizationKind.PolarExpress,
                Normalization = UpdateNormalization.LongSide,
                CautiousWeightDecay = true,
                Embedding = new WeightGroupConfig { Betas = [0.8, 0.99] },
            },
            "adafactor" => new() { Kind = OptimizerKind.Adafactor },
            "adafactor with beta1" => new() { Kind = OptimizerKind.Adafactor, Beta1 = 0.9 },
            _ => new(),
        };

    private static string Refusal(string written, string read)
    {
        using var folder = new TemporaryFolder();
        using Transformer model = Model();
        using Optimizer writer = Optimizer.Create(model.Parameters, Config(written), 1);
        using Optimizer reader = Optimizer.Create(model.Parameters, Config(read), 1);
        Checkpoint.Save(folder["c"], CheckpointContent.Of(model, writer, new TrainState()), "{}");
        return Assert.Throws<CheckpointException>(() => Checkpoint.Load(folder["c"], model, reader)).Message;
    }

    private static Transformer Model()
    {
        var model = new Transformer(Shape, trainable: true);
        model.Initialize(3);
        return model;
    }

    private static void Run(Optimizer optimizer, Transformer model, int first, int last)
    {
        for (int update = first; update <= last; update++)
        {
            using DisposeScope scope = NewDisposeScope();
            manual_seed(update);
            model.Parameters.FlatGradients.copy_(randn(model.Parameters.Layout.Length));
            optimizer.Update(1e-2, optimizer.GradientNorm());
        }
    }
}
