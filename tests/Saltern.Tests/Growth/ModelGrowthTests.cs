using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Tests.ModelFiles;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Growth;

public class ModelGrowthTests
{
    public static TheoryData<string, string> Growths()
    {
        var data = new TheoryData<string, string>();
        foreach (string family in FamilyModel.Names)
        {
            foreach (string growth in new[] { "zero", "wide", "wider", "inner", "both" })
            {
                if (CanGrow(family, growth))
                {
                    data.Add(family, growth);
                }
            }
        }

        return data;
    }

    // New layers between the old ones would break a pattern of layers; a wider Gemma would scale its embedding by another root.
    private static bool CanGrow(string family, string growth)
    {
        bool isDeeper = growth is "zero" or "both";
        bool isWider = growth is "wide" or "wider" or "both";
        bool hasPattern = family is "qwen3-mixed" or "smollm3" or "gemma2" or "gemma3" or "gpt-neo";
        return !(hasPattern && isDeeper) && !(family.StartsWith("gemma", StringComparison.Ordinal) && isWider);
    }

    [Theory]
    [InlineData("gemma", "hidden_size 24 cannot become 48: scale_embeddings")]
    [InlineData("gpt-neo", "layer 1 would be a copy of layer 0, whose kind is another by window_pattern")]
    [InlineData(
        "smollm3",
        "layer 1 would be a copy of layer 0, whose kind is another by window_pattern or rope_pattern"
    )]
    public void WhatAFamilysOptionsForbid_IsNamed(string family, string reason)
    {
        using Transformer small = Load(family);
        GrowthModelConfig sizes = family == "gemma" ? new() { HiddenSize = 48 } : new() { NumHiddenLayers = 4 };
        ConfigurationException refusal = Assert.Throws<ConfigurationException>(() =>
            GrowthMap.Of(small.Config, sizes.Of(small.Config), DepthOperator.Interleave, "growth")
        );
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-neo")]
    [InlineData("gemma2")]
    [InlineData("gemma3")]
    [InlineData("smollm3")]
    [InlineData("qwen3-mixed")]
    public void AStackOfWholePatterns_KeepsEachLayersKind(string family)
    {
        using Transformer small = Load(family);
        TransformerConfig wanted = new GrowthModelConfig { NumHiddenLayers = 4 }.Of(small.Config);
        using Transformer large = Grown(small, wanted, DepthOperator.Stack, noise: 0);
        for (int layer = 0; layer < 4; layer++)
        {
            Assert.Equal(small.Config.WindowOf(layer % 2), large.Config.WindowOf(layer));
            Assert.Equal(small.Config.IsRotated(layer % 2), large.Config.IsRotated(layer));
        }
    }

    [Theory]
    [MemberData(nameof(Growths))]
    public void WhatPreservesTheFunction_GivesTheSameLogits(string family, string growth)
    {
        using Transformer small = Load(family);
        TransformerConfig c = small.Config;
        var sizes = new GrowthModelConfig
        {
            NumHiddenLayers = growth is "zero" or "both" ? 5 : null,
            HiddenSize = growth switch
            {
                "wide" or "both" => 2 * c.HiddenSize,
                "wider" => 3 * c.HiddenSize,
                _ => null,
            },
            IntermediateSize = growth == "inner" ? c.IntermediateSize + 7 : null,
        };
        using Transformer large = Grown(small, sizes.Of(c), DepthOperator.Zero, noise: 0.5);
        Assert.True(ModelFlops.Parameters(large.Config) > ModelFlops.Parameters(c));
        Assert.True(Difference(small, large) < 1e-12);
    }

    // Grouped-query families alone have fewer key/value heads.
    [Theory]
    [InlineData("llama", 8, 2)]
    [InlineData("llama", 4, 4)]
    [InlineData("qwen3", 12, 4)]
    [InlineData("qwen2", 8, 4)]
    public void Heads_GrowByThemselves(string family, int heads, int keyHeads)
    {
        using Transformer small = Load(family);
        TransformerConfig wanted = small.Config with { NumAttentionHeads = heads, NumKeyValueHeads = keyHeads };
        using Transformer large = Grown(small, wanted, DepthOperator.Zero, noise: 1);
        Assert.True(Difference(small, large) < 1e-12);
    }

    [Fact]
    public void Stack_ChangesTheFunction_AndIsTheWeightsRepeated()
    {
        using Transformer small = Load("llama");
        using Transformer large = Grown(
            small,
            small.Config with
            {
                NumHiddenLayers = 4,
            },
            DepthOperator.Stack,
            noise: 1
        );
        Assert.True(Difference(small, large) > 1e-3);
        Dictionary<string, ParameterSlice> sources = small.Parameters.Layout.Slices.ToDictionary(slice => slice.Name);
        foreach (ParameterSlice slice in large.Parameters.Layout.Slices)
        {
            string source = slice
                .Name.Replace("layers.2.", "layers.0.", StringComparison.Ordinal)
                .Replace("layers.3.", "layers.1.", StringComparison.Ordinal);
            using Tensor grown = large.Parameters.Weight(slice);
            using Tensor old = small.Parameters.Weight(sources[source]);
            Assert.True(grown.equal(old).all().ToBoolean());
        }
    }

    // One layer, one head of two channels, width 2: worked by hand.
    [Fact]
    public void Width_IsTheWorkedExample()
    {
        var shape = new TransformerConfig
        {
            VocabSize = 2,
            HiddenSize = 2,
            NumHiddenLayers = 1,
            NumAttentionHeads = 1,
            IntermediateSize = 1,
            TieWordEmbeddings = true,
        };
        TransformerConfig before = shape.Resolve(2, 4);
        using var small = new Transformer(before, trainable: false, ScalarType.Float64);
        Set(small, "model.embed_tokens.weight", 1, 2, 3, 4);
        Set(small, "model.norm.weight", 5, 6);
        Set(small, "model.layers.0.input_layernorm.weight", 7, 8);
        Set(small, "model.layers.0.self_attn.q_proj.weight", 1, 2, 3, 4);
        Set(small, "model.layers.0.self_attn.o_proj.weight", 1, 2, 3, 4);
        Set(small, "model.layers.0.mlp.up_proj.weight", 6, 8);
        Set(small, "model.layers.0.mlp.down_proj.weight", 10, 20);
        TransformerConfig after = new GrowthModelConfig { HiddenSize = 4 }.Of(before);
        Assert.Equal((2, 2, 2), (after.NumAttentionHeads, after.NumKeyValueHeads, after.IntermediateSize));
        using Transformer large = Grown(small, after, DepthOperator.Stack, noise: 0);
        Assert.Equal([1, 2, 1, 2, 3, 4, 3, 4], Get(large, "model.embed_tokens.weight"));
        Assert.Equal([2.5, 3, 2.5, 3], Get(large, "model.norm.weight")); // the head is the embedding, which sums twice
        Assert.Equal([7, 8, 7, 8], Get(large, "model.layers.0.input_layernorm.weight"));
        Assert.Equal(
            [0.5, 1, 0.5, 1, 1.5, 2, 1.5, 2, 0.5, 1, 0.5, 1, 1.5, 2, 1.5, 2],
            Get(large, "model.layers.0.self_attn.q_proj.weight")
        );
        Assert.Equal(
            [0.5, 1, 0.5, 1, 1.5, 2, 1.5, 2, 0.5, 1, 0.5, 1, 1.5, 2, 1.5, 2],
            Get(large, "model.layers.0.self_attn.o_proj.weight")
        );
        Assert.Equal([3, 4, 3, 4, 3, 4, 3, 4], Get(large, "model.layers.0.mlp.up_proj.weight"));
        Assert.Equal([5, 5, 10, 10, 5, 5, 10, 10], Get(large, "model.layers.0.mlp.down_proj.weight"));
    }

    [Fact]
    public void Noise_TellsCopiesApart_AndHasTheRootMeanSquareOfFreshWeights()
    {
        using Transformer small = Load("llama");
        TransformerConfig wanted = new GrowthModelConfig { HiddenSize = 2 * small.Config.HiddenSize }.Of(small.Config);
        const string Name = "model.layers.0.mlp.up_proj.weight";
        double[] quiet = Get(Grown(small, wanted, DepthOperator.Stack, noise: 0), Name);
        double[] noisy = Get(Grown(small, wanted, DepthOperator.Stack, noise: 1), Name);
        double[] again = Get(Grown(small, wanted, DepthOperator.Stack, noise: 1), Name);
        Assert.Equal(noisy, again);
        int width = small.Config.HiddenSize;
        Assert.Equal(quiet[0], quiet[width]);
        Assert.NotEqual(noisy[0], noisy[width]);

        // Half the weight twice, and as much noise: together 1/√2 of what it was.
        double before = RootMeanSquare(Get(small, Name));
        Assert.Equal(before / 2, RootMeanSquare(quiet), 1e-9);
        Assert.Equal(before / Math.Sqrt(2), RootMeanSquare(noisy), 0.05 * before);
    }

    [Fact]
    public void ShapesThatCannotGrow_AreListedTogether()
    {
        using Transformer small = Load("llama");
        TransformerConfig wanted = small.Config with
        {
            NumHiddenLayers = 3,
            HiddenSize = 30,
            IntermediateSize = 8,
            RopeTheta = 5,
            TieWordEmbeddings = !small.Config.IsTied,
        };
        IReadOnlyList<string> problems = Assert
            .Throws<ConfigurationException>(() =>
                GrowthMap.Of(small.Config, wanted, DepthOperator.Stack, "init_from.grow")
            )
            .Problems;
        Assert.All(problems, problem => Assert.StartsWith("init_from.grow: ", problem, StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("from 2 to 2 or 4 layers", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("such as 24 or 48", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("Give at least 40", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("rope_theta is 10000", StringComparison.Ordinal));
        Assert.Contains(problems, problem => problem.Contains("tie_word_embeddings", StringComparison.Ordinal));
    }

    [Fact]
    public void HeadsOfAnotherSize_NameTheirNumber()
    {
        using Transformer small = Load("llama");
        TransformerConfig wanted = small.Config with { HiddenSize = 48, HeadDim = 12 };
        Assert.Contains(
            "with hidden_size 48, 8 heads of head_dim 6",
            Assert
                .Throws<ConfigurationException>(() => GrowthMap.Of(small.Config, wanted, DepthOperator.Stack, ""))
                .Message,
            StringComparison.Ordinal
        );
    }

    // What a step of the grown model sees of its own gradient must be what the copied state says: the same direction, shared.
    [Theory]
    [InlineData(OptimizerKind.Adamw)]
    [InlineData(OptimizerKind.Muon)]
    [InlineData(OptimizerKind.Adafactor)]
    [InlineData(OptimizerKind.Adamw, "gpt2")]
    public void CopiedState_IsScaledAsTheGradientsAre(OptimizerKind kind, string family = "llama")
    {
        using Transformer small = Trainable(family);
        TransformerConfig wanted = new GrowthModelConfig { HiddenSize = 48, NumHiddenLayers = 4 }.Of(small.Config);
        using var large = new Transformer(wanted, trainable: true);
        GrowthMap map = GrowthMap.Of(small.Config, wanted, DepthOperator.Zero, "");
        ModelGrowth.Fill(small, large, map, noise: 0, seed: 1);
        var config = new OptimizerConfig { Kind = kind, Beta1 = kind == OptimizerKind.Adafactor ? 0.9 : null };
        using var before = Optimizer.Create(small.Parameters, config, 1);
        using var after = Optimizer.Create(large.Parameters, config, 1);
        using var own = Optimizer.Create(large.Parameters, config, 1);
        Step(small, before);
        Step(large, own);
        using var state = StateTensors.Of(before, gathered: null);
        using StateTensors grown = ModelGrowth.GrowState(state, large.Parameters.Layout, map, OptimizerTransfer.Copied);
        grown.GiveTo(after);
        Assert.Equal(1, after.UpdateCount);

        // Of layers that were there before; new ones have gradients of their own, and their state is their source's.
        foreach ((OptimizerTensor given, OptimizerTensor seen) in after.State.Zip(own.State))
        {
            // A key's bias changes no softmax: its gradient is what rounding leaves.
            if (
                !given.Name.EndsWith("k_proj.bias", StringComparison.Ordinal)
                && !given.Name.Contains("layers.1", StringComparison.Ordinal)
                && !given.Name.Contains("layers.3", StringComparison.Ordinal)
            )
            {
                double difference =
                    given.Values.sub(seen.Values).norm().ToDouble() / (1e-30 + seen.Values.norm().ToDouble());
                Assert.True(difference < 1e-3, $"{given.Name}: {difference:e1}");
            }
        }
    }

    [Theory]
    [InlineData(UpdateNormalization.Neurons)]
    [InlineData(UpdateNormalization.LongSide)]
    public void SecondMomentsOfMuonsUpdates_AreThoseOfTheirSources(UpdateNormalization normalization)
    {
        using Transformer small = Trainable("llama");
        TransformerConfig wanted = new GrowthModelConfig { HiddenSize = 48, NumHiddenLayers = 4 }.Of(small.Config);
        using var large = new Transformer(wanted, trainable: true);
        GrowthMap map = GrowthMap.Of(small.Config, wanted, DepthOperator.Stack, "");
        ModelGrowth.Fill(small, large, map, noise: 0, seed: 1);
        var config = new OptimizerConfig { Kind = OptimizerKind.Muon, Normalization = normalization };
        using var before = Optimizer.Create(small.Parameters, config, 1);
        using var after = Optimizer.Create(large.Parameters, config, 1);
        Step(small, before);
        using var state = StateTensors.Of(before, gathered: null);
        using StateTensors grown = ModelGrowth.GrowState(state, large.Parameters.Layout, map, OptimizerTransfer.Copied);
        grown.GiveTo(after);
        OptimizerTensor[] moments =
        [
            .. after.State.Where(tensor => tensor.Name.StartsWith("update_", StringComparison.Ordinal)),
        ];
        Assert.Equal(4 * 7, moments.Length);

        // Orthogonal updates are of one size whatever the gradients': each moment is that of the unit it was copied from, as it was.
        foreach (OptimizerTensor moment in moments)
        {
            string source = moment.Name.Replace("layers.2", "layers.0", StringComparison.Ordinal);
            source = source.Replace("layers.3", "layers.1", StringComparison.Ordinal);
            Assert.Equal(
                state[source].data<float>().ToArray().ToHashSet(),
                moment.Values.data<float>().ToArray().ToHashSet()
            );
        }
    }

    [Fact]
    public void KeptState_IsZeroForWhatIsNew()
    {
        using Transformer small = Trainable("llama");
        TransformerConfig wanted = new GrowthModelConfig { HiddenSize = 48, NumHiddenLayers = 4 }.Of(small.Config);
        using var large = new Transformer(wanted, trainable: true);
        GrowthMap map = GrowthMap.Of(small.Config, wanted, DepthOperator.Stack, "");
        using var before = Optimizer.Create(small.Parameters, new OptimizerConfig(), 1);
        Step(small, before);
        using var state = StateTensors.Of(before, gathered: null);
        using StateTensors kept = ModelGrowth.GrowState(state, large.Parameters.Layout, map, OptimizerTransfer.Kept);
        using StateTensors copied = ModelGrowth.GrowState(
            state,
            large.Parameters.Layout,
            map,
            OptimizerTransfer.Copied
        );
        const string Old = OptimizerTensor.FirstMoment + "model.layers.0.mlp.up_proj.weight";
        const string New = OptimizerTensor.FirstMoment + "model.layers.2.mlp.up_proj.weight";
        Assert.Equal(0, kept[New].abs().sum().ToDouble());
        Assert.True(copied[New].abs().sum().ToDouble() > 0);
        (long rows, long columns) = (kept[Old].shape[0] / 2, kept[Old].shape[1] / 2);
        using Tensor first = kept[Old].narrow(0, 0, rows).narrow(1, 0, columns);
        using Tensor whole = copied[Old].narrow(0, 0, rows).narrow(1, 0, columns);
        Assert.True(first.equal(whole).all().ToBoolean());
        Assert.Equal(first.abs().sum().ToDouble(), kept[Old].abs().sum().ToDouble(), 1e-6);
    }

    private static Transformer Load(string family)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        return ModelFolder.Load(folder.Path, trainable: false, type: ScalarType.Float64);
    }

    private static Transformer Trainable(string family)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        return ModelFolder.Load(folder.Path, trainable: true);
    }

    private static Transformer Grown(Transformer small, TransformerConfig wanted, DepthOperator growth, double noise)
    {
        var large = new Transformer(wanted, trainable: false, ScalarType.Float64);
        ModelGrowth.Fill(small, large, GrowthMap.Of(small.Config, wanted, growth, ""), noise, seed: 3);
        return large;
    }

    private static double Difference(Transformer small, Transformer large)
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor tokens = tensor(new long[] { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8 }).view(2, 6);
        Tensor before = small.LogitsOf(small.HiddenStates(tokens));
        Tensor after = large.LogitsOf(large.HiddenStates(tokens));
        return after.sub(before).abs().max().ToDouble() / before.abs().max().ToDouble();
    }

    private static void Step(Transformer model, Optimizer optimizer)
    {
        model.Parameters.ZeroGradients();
        using (DisposeScope scope = NewDisposeScope())
        {
            model.UsesKernels = false;
            Tensor tokens = tensor(new long[] { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8 }).view(2, 6);
            Tensor logits = model.LogitsOf(model.HiddenStates(tokens));
            Tensor loss = nn.functional.cross_entropy(logits, tokens.roll(-1, 1).flatten());
            loss.backward();
        }

        optimizer.Update(1e-3, gradientNorm: 0);
    }

    private static void Set(Transformer model, string name, params double[] values)
    {
        using IDisposable _ = no_grad();
        using Tensor weight = model.Parameters.Weight(Slice(model, name));
        using Tensor given = tensor(values).view(weight.shape);
        weight.copy_(given);
    }

    private static double[] Get(Transformer model, string name)
    {
        using Tensor weight = model.Parameters.Weight(Slice(model, name));
        using Tensor copy = weight.detach().to(ScalarType.Float64).clone();
        return copy.data<double>().ToArray();
    }

    private static ParameterSlice Slice(Transformer model, string name) =>
        model.Parameters.Layout.Slices.Single(slice => slice.Name == name);

    private static double RootMeanSquare(double[] values) => Math.Sqrt(values.Average(value => value * value));
}
