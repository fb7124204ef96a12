using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

public class LowRankAdaptersTests
{
    private const int Length = 40;

    private static readonly LowRankConfig Config = new() { Rank = 3, Alpha = 5 };

    public static TheoryData<string, bool> Families()
    {
        var data = new TheoryData<string, bool> { { "Llama", false }, { "Llama", true } };
        foreach (string family in FamilyShapes.All.Keys)
        {
            data.Add(family, family.Length % 2 == 0);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void EveryGradient_IsItsFiniteDifference(string family, bool recompute)
    {
        // Float64, ℒ = Σ a·hidden; a tensor's gradient along a random direction v is (ℒ(θ + hv) − ℒ(θ − hv))/2h, whose error is h² times a third derivative.
        using DisposeScope scope = NewDisposeScope();
        manual_seed(11);
        using Transformer model = Adapted(family, ScalarType.Float64);
        model.Recomputes = recompute;
        Tensor tokens = randint(0, 53, [2, Length], ScalarType.Int64);
        Tensor a = randn(2 * Length, model.Config.HiddenSize, ScalarType.Float64);
        Train(model, tokens, a);
        const double Step = 1e-6;
        using IDisposable _ = no_grad();
        double Loss() => (model.HiddenStates(tokens) * a).sum().item<double>();
        foreach (ParameterSlice slice in model.Trained.Layout.Slices)
        {
            Tensor values = model.Trained.Weight(slice);
            Tensor gradient = GradientOf(model, slice);
            Tensor direction = randn(slice.Shape, ScalarType.Float64);
            double expected = (gradient * direction).sum().item<double>();
            values.add_(direction, Step);
            double above = Loss();
            values.add_(direction, -2 * Step);
            double difference = (above - Loss()) / (2 * Step);
            values.add_(direction, Step);

            // A gradient that is wrong by a part of itself is off by some tenth of this product.
            double size = gradient.norm().item<double>() * direction.norm().item<double>();
            Assert.True(
                Math.Abs(difference - expected) <= 1e-5 * (1 + size),
                $"{slice.Name}: {difference:r} by differences, {expected:r} by gradient"
            );
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void OwnKernels_GiveTheGradientsOfFloat64(string family, bool recompute)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(11);
        using Transformer model = Adapted(family, ScalarType.Float32);
        using Transformer exact = Adapted(family, ScalarType.Float64);
        model.Recomputes = recompute;
        Assert.True(model.UsesKernels);
        Tensor tokens = randint(0, 53, [2, Length], ScalarType.Int64);
        Tensor a = randn(2 * Length, model.Config.HiddenSize);
        Tensor hidden = Train(model, tokens, a);
        AssertClose(hidden, Train(exact, tokens, a.to(ScalarType.Float64)), 3e-5, "hidden states");
        foreach (
            (ParameterSlice own, ParameterSlice same) in model.Trained.Layout.Slices.Zip(exact.Trained.Layout.Slices)
        )
        {
            // float32 through two layers, as FusedFamiliesTests has it
            AssertClose(GradientOf(model, own), GradientOf(exact, same), 3e-5, own.Name);
        }
    }

    [Fact]
    public void BFloat16Passes_AreAsCloseToFloat64AsTheTwins()
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        manual_seed(11);
        using Transformer own = Adapted("Llama", ScalarType.Float32);
        using Transformer twin = Adapted("Llama", ScalarType.Float32);
        using Transformer exact = Adapted("Llama", ScalarType.Float64);
        own.ProductType = ScalarType.BFloat16;
        (twin.ProductType, twin.UsesKernels) = (ScalarType.BFloat16, false);
        Assert.True(own.UsesKernels);
        Tensor tokens = randint(0, 53, [2, Length], ScalarType.Int64);
        Tensor a = randn(2 * Length, own.Config.HiddenSize);
        Train(own, tokens, a);
        Train(twin, tokens, a);
        Train(exact, tokens, a.to(ScalarType.Float64));
        foreach (ParameterSlice slice in own.Trained.Layout.Slices)
        {
            Tensor wanted = exact.Trained.FlatGradients.narrow(0, slice.Offset, slice.Count);
            double Error(Transformer model)
            {
                Tensor found = model.Trained.FlatGradients.narrow(0, slice.Offset, slice.Count);
                return (found.to(ScalarType.Float64) - wanted).norm().item<double>() / wanted.norm().item<double>();
            }

            // As BFloat16DecoderTests has it.
            Assert.True(
                Error(own) <= Math.Min(0.1, (2 * Error(twin)) + 1e-3),
                $"{slice.Name}: {Error(own):e2} of its norm, the twin {Error(twin):e2}"
            );
        }
    }

    [Theory]
    [MemberData(nameof(FamilyShapes.Names), MemberType = typeof(FamilyShapes))]
    public void MergedWeights_SayWhatWeightsAndAdaptersSay(string family)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        manual_seed(11);
        using Transformer model = Adapted(family, ScalarType.Float64);
        using var merged = new Transformer(model.Config, trainable: false, ScalarType.Float64);
        merged.Parameters.FlatWeights.copy_(
            model.Adapters!.Merged(model.Parameters, 0, model.Parameters.FlatWeights.numel())
        );
        Tensor tokens = randint(0, 53, [2, Length], ScalarType.Int64);
        Tensor wanted = model.HiddenStates(tokens);
        AssertClose(merged.HiddenStates(tokens), wanted, 1e-12, "merged");
        model.RemoveAdapters();
        Assert.True(Difference(model.HiddenStates(tokens), wanted) > 1e-3, "the adapters change nothing");
    }

    [Fact]
    public void ATextThatGoesOn_ReadsAsItDoesWhole()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        manual_seed(11);
        using Transformer model = Adapted("Llama", ScalarType.Float32);
        Tensor tokens = randint(0, 53, [2, Length], ScalarType.Int64);
        Tensor whole = model.HiddenStates(tokens).view(2, Length, -1);
        using var cache = new KeyValueCache(model.Config, 2, Length, ScalarType.Float32, CPU);
        Tensor first = model.HiddenStates(tokens.narrow(1, 0, Length - 1), cache).view(2, Length - 1, -1);
        Tensor last = model.HiddenStates(tokens.narrow(1, Length - 1, 1), cache).view(2, 1, -1);
        AssertClose(cat([first, last], 1), whole, 3e-5, "hidden states");
    }

    [Fact]
    public void FreshAdapters_ChangeNothing_AndOneStepChangesThemAlone()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(11);
        using Transformer plain = Frozen("Llama", ScalarType.Float32);
        using Transformer model = Frozen("Llama", ScalarType.Float32);
        model.Adapt(Config, seed: 1);
        Tensor tokens = randint(0, 53, [2, Length], ScalarType.Int64);
        Tensor a = randn(2 * Length, model.Config.HiddenSize);
        using (no_grad())
        {
            Assert.Equal(0, Difference(model.HiddenStates(tokens), plain.HiddenStates(tokens)));
        }

        using Optimizer optimizer = Optimizer.Create(model.Trained, new OptimizerConfig(), threads: 1);
        Train(model, tokens, a);
        optimizer.Update(1e-2, optimizer.GradientNorm());
        Assert.Equal(0, Difference(model.Parameters.FlatWeights, plain.Parameters.FlatWeights));
        using (no_grad())
        {
            Assert.True(Difference(model.HiddenStates(tokens), plain.HiddenStates(tokens)) > 1e-3);
        }
    }

    [Fact]
    public void FrozenWeights_HaveNeitherGradientsNorState()
    {
        using Transformer model = Frozen("Llama", ScalarType.Float32);
        model.Adapt(Config, seed: 1);
        Assert.Throws<InvalidOperationException>(() => model.Parameters.FlatGradients);
        using Optimizer optimizer = Optimizer.Create(model.Trained, new OptimizerConfig(), threads: 1);

        // By hand: D = 36, F = 50, 3 heads of 12, so q, k, v, o are 36 x 36 and gate, up, down 36 with 50; r·(rows + columns) each, in 2 layers.
        const long Expected = 2 * 3 * ((4 * 72) + (3 * 86));
        Assert.Equal(Expected, model.Trained.Layout.ParameterCount);
        Assert.Equal(2 * sizeof(float) * Expected, optimizer.State.Sum(tensor => tensor.ByteCount));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LossHead_GivesTheSameHiddenGradient_WithoutTheHeads(bool plain)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = randn(6, 8);
        Tensor matrix = randn(11, 8);
        var request = new LossRequest
        {
            HiddenStates = hidden,
            Head = matrix,
            Labels = [1, 2, 3, -1, 5, 10],
        };
        using LossHead head = plain ? new TensorLossHead(11, 11) : new FusedLossHead(11, 11, threads: 1);
        var losses = new PositionLosses(6);
        Tensor with = empty(6, 8);
        Tensor without = empty(6, 8);
        Tensor headGradient = zeros(11, 8);
        head.Train(request, 5, losses, with, headGradient);
        head.Train(request, 5, losses, without, headGradient: null);
        Assert.True(headGradient.abs().max().item<float>() > 0);
        Assert.Equal(0, Difference(without, with));
    }

    [Fact]
    public void Targets_ChooseProjections_AndOnesThatAreMissingAreRefused()
    {
        using Transformer model = Frozen("Llama", ScalarType.Float32);
        model.Adapt(Config with { Targets = ["v_proj", "down_proj"] }, seed: 1);
        Assert.Equal(
            [
                "model.layers.0.self_attn.v_proj.lora_A.weight",
                "model.layers.0.self_attn.v_proj.lora_B.weight",
                "model.layers.0.mlp.down_proj.lora_A.weight",
                "model.layers.0.mlp.down_proj.lora_B.weight",
            ],
            model.Trained.Layout.Slices.Select(slice => slice.Name).Take(4)
        );
        Assert.Equal(8, model.Trained.Layout.Blocks.Count);
        using Transformer gateless = Frozen("GPT-2", ScalarType.Float32);
        Assert.Contains(
            "lora.targets: the model has no gate_proj",
            Assert
                .Throws<ConfigurationException>(() =>
                    gateless.Adapt(Config with { Targets = ["q_proj", "gate_proj"] }, 1)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Flops_AreThoseOfTheProductsThatAreMade()
    {
        // By hand, per token: P products forward and as many back to the input, none to the weights; attention as before; every A and B three times.
        TransformerConfig shape = Shape("Llama").Resolve(53, Length);
        double full = ModelFlops.TrainingPerToken(shape, Length);
        double p = ModelFlops.ProductWeights(shape);
        double attention = full - (6 * p);
        Assert.Equal((4 * p) + attention + (6 * 1000), full + ModelFlops.AdaptersPerToken(shape, 1000), 1e-6);
    }

    private static TransformerConfig Shape(string family)
    {
        if (family != "Llama")
        {
            return FamilyShapes.All[family];
        }

        return new TransformerConfig
        {
            HiddenSize = 36,
            NumHiddenLayers = 2,
            NumAttentionHeads = 3,
            IntermediateSize = 50,
        };
    }

    private static Transformer Frozen(string family, ScalarType type)
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        var model = new Transformer(Shape(family).Resolve(53, Length), trainable: false, type);
        model.Initialize(7);
        AddNoise(model.Parameters.FlatWeights, 0.05);
        return model;
    }

    // With values in B, which a fresh adapter has not.
    private static Transformer Adapted(string family, ScalarType type)
    {
        Transformer model = Frozen(family, type);
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        model.Adapt(Config, seed: 1);
        AddNoise(model.Trained.FlatWeights, 0.1);
        return model;
    }

    // The same for models of every type; from a generator of its own, because other tests draw from libtorch's meanwhile.
    private static void AddNoise(Tensor values, double size)
    {
        using var generator = new Generator(8, CPU);
        values.add_(randn(values.shape, ScalarType.Float32, CPU, generator: generator).mul_(size));
    }

    private static Tensor Train(Transformer model, Tensor tokens, Tensor gradient)
    {
        model.Trained.ZeroGradients();
        using TrainingPass pass = model.Train(tokens);
        Tensor hidden = pass.Hidden.detach().clone();
        pass.Backward(gradient);
        return hidden;
    }

    private static Tensor GradientOf(Transformer model, ParameterSlice slice) =>
        model.Trained.FlatGradients.narrow(0, slice.Offset, slice.Count).view(slice.Shape);

    private static double Difference(Tensor a, Tensor b) =>
        (a.to(ScalarType.Float64) - b.to(ScalarType.Float64)).abs().max().item<double>();

    private static void AssertClose(Tensor actual, Tensor expected, double tolerance, string what)
    {
        double size = expected.to(ScalarType.Float64).abs().max().item<double>();
        double difference = Difference(actual, expected);
        Assert.True(difference <= tolerance * size, $"{what} differs by {difference / size:e2} of its largest value");
    }
}
