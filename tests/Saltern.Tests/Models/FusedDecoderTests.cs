using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

// Own kernels against the naive decoder in float64, weight by weight, and against the model's own path through libtorch's operations.
public class FusedDecoderTests
{
    public static TheoryData<string, int, bool, bool, int, int> Shapes =>
        new()
        {
            // mask, key/value heads, biases, recompute, tokens of a sequence (70: more than one block of queries; 37: no multiple of a vector),
            // head size (10: pairs that no vector divides; 32 with 72 or 200 tokens: attention's own products)
            { "causal", 4, false, false, 70, 10 },
            { "causal", 2, true, false, 37, 10 },
            { "causal", 1, false, true, 70, 10 },
            { "documents", 2, false, false, 70, 10 },
            { "prefix", 4, false, false, 70, 10 },
            { "prefix", 1, true, true, 37, 10 },
            { "causal", 4, false, false, 200, 32 },
            { "causal", 1, false, true, 72, 32 },
            { "documents", 2, false, false, 200, 32 },
            { "documents", 4, true, false, 72, 32 },
            { "prefix", 1, false, false, 200, 32 },
            { "prefix", 2, false, true, 72, 64 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void HiddenStatesAndEveryGradient_EqualTheNaiveDecoderInFloat64(
        string mask,
        int groups,
        bool biases,
        bool recompute,
        int length,
        int headSize
    )
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(groups, biases, length, headSize);
        using var exact = new PlainDecoder(model, trainable: true, ScalarType.Float64);
        Tensor tokens = randint(0, 53, [3, length], ScalarType.Int64);
        AttentionRanges? ranges = Ranges(mask, 3, length);
        Tensor logitGradient = randn(3 * length, 53) / 100;

        model.Recomputes = recompute;
        using TrainingPass pass = model.Train(tokens, ranges);
        using (Tensor headGradient = model.HeadGradient())
        {
            headGradient.add_(logitGradient.t().mm(pass.Hidden));
        }

        pass.Backward(logitGradient.mm(model.Head.detach()).contiguous());

        // The yardstick for rounding is the naive decoder in float32: sums in another order, but no more error than three times its own.
        using var rounded = new PlainDecoder(model, trainable: true);
        Tensor logits = exact.Logits(tokens, ranges);
        Tensor roundedLogits = rounded.Logits(tokens, ranges);
        logits.backward([logitGradient.to(ScalarType.Float64)]);
        roundedLogits.backward([logitGradient]);
        AssertSmallDifference(
            nn.functional.linear(pass.Hidden, model.Head.detach()),
            logits,
            Allowed(roundedLogits, logits),
            "logits"
        );
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            Tensor gradient = model.Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count).view(slice.Shape);
            AssertSmallDifference(
                gradient,
                exact[slice.Name].grad!,
                Allowed(rounded[slice.Name].grad!, exact[slice.Name].grad!),
                slice.Name
            );
        }
    }

    [Theory]
    [InlineData("kernels", false)]
    [InlineData("kernels", true)]
    [InlineData("operations", false)]
    [InlineData("operations", true)]
    public void InnerStateAndEveryGradientOfALossOnIt_EqualTheModelInFloat64(string path, bool recompute)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(2, biases: true, 37);
        using var exact = new Transformer(model.Config, trainable: true, ScalarType.Float64);
        using (no_grad())
        {
            exact.Parameters.FlatWeights.copy_(model.Parameters.FlatWeights);
        }

        (model.UsesKernels, model.Recomputes) = (path == "kernels", recompute);
        Tensor tokens = randint(0, 53, [3, 37], ScalarType.Int64);
        Tensor hiddenGradient = randn(111, 32);
        Tensor innerGradient = randn(111, 32);
        for (int layer = 1; layer <= 2; layer++)
        {
            model.Parameters.ZeroGradients();
            exact.Parameters.ZeroGradients();
            using TrainingPass pass = model.Train(tokens, innerLayer: layer);
            using TrainingPass exactPass = exact.Train(tokens, innerLayer: layer);
            AssertSmallDifference(pass.Inner!, exactPass.Inner!.detach(), 1e-6, $"state after layer {layer}");
            Assert.True(
                (exact.HiddenStatesAfter(layer, tokens) - exactPass.Inner!.detach()).abs().max().item<double>() == 0
            );
            exactPass.Backward(hiddenGradient.to(ScalarType.Float64), innerGradient.to(ScalarType.Float64));
            pass.Backward(hiddenGradient, innerGradient);

            // float32 through three layers; without the inner gradient the difference is above a tenth
            AssertSmallDifference(
                model.Parameters.FlatGradients,
                exact.Parameters.FlatGradients,
                1e-5,
                $"gradients with layer {layer}"
            );
        }
    }

    [Fact]
    public void ALossOnAnInnerState_HasItsFiniteDifferencesAsGradient()
    {
        // Float64 through libtorch's operations; ℒ = Σ a·hidden + Σ b·inner.
        using DisposeScope scope = NewDisposeScope();
        using Transformer small = Model(4, biases: false, 12);
        using var model = new Transformer(small.Config, trainable: true, ScalarType.Float64);
        using (no_grad())
        {
            model.Parameters.FlatWeights.copy_(small.Parameters.FlatWeights);
        }

        Tensor tokens = randint(0, 53, [1, 12], ScalarType.Int64);
        Tensor a = randn(12, 32, ScalarType.Float64);
        Tensor b = randn(12, 32, ScalarType.Float64);
        using (TrainingPass pass = model.Train(tokens, innerLayer: 1))
        {
            pass.Backward(a, b);
        }

        const double Step = 1e-5;
        double Loss() =>
            (
                (model.HiddenStatesAfter(3, tokens) * a).sum() + (model.HiddenStatesAfter(1, tokens) * b).sum()
            ).item<double>();
        using IDisposable _ = no_grad();
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            // The weight of each tensor whose gradient is largest.
            long at =
                slice.Offset
                + model.Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count).abs().argmax().item<long>();
            double expected = model.Parameters.FlatGradients[at].item<double>();
            double before = model.Parameters.FlatWeights[at].item<double>();
            model.Parameters.FlatWeights[at] = before + Step;
            double above = Loss();
            model.Parameters.FlatWeights[at] = before - Step;
            double below = Loss();
            model.Parameters.FlatWeights[at] = before;
            // central differences are off by Step²
            Assert.True(Math.Abs(((above - below) / (2 * Step)) - expected) <= 1e-6 * Math.Abs(expected), slice.Name);
        }
    }

    [Theory]
    [InlineData("causal")]
    [InlineData("documents")]
    public void StatesOfAnyLayer_WithoutGradients_EqualTheTrainingPass(string mask)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(2, biases: false, 70);
        Tensor tokens = randint(0, 53, [2, 70], ScalarType.Int64);
        AttentionRanges? ranges = Ranges(mask, 2, 70);
        for (int layer = 1; layer <= 3; layer++)
        {
            using TrainingPass pass = model.Train(tokens, ranges, layer < 3 ? layer : null);
            Tensor expected = (pass.Inner ?? pass.Hidden).clone();
            Assert.True(
                model.HiddenStatesAfter(layer, tokens, ranges).equal(expected).all().item<bool>(),
                $"layer {layer}"
            );
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => model.HiddenStatesAfter(4, tokens));
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Train(tokens, innerLayer: 3));
    }

    [Theory]
    [InlineData("causal")]
    [InlineData("documents")]
    [InlineData("prefix")]
    public void WithoutGradients_EqualsTheTrainingPassBitForBit(string mask)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(2, biases: false, 70);
        Tensor tokens = randint(0, 53, [2, 70], ScalarType.Int64);
        AttentionRanges? ranges = Ranges(mask, 2, 70);
        using TrainingPass pass = model.Train(tokens, ranges);
        using IDisposable _ = no_grad();
        Assert.True(model.HiddenStates(tokens, ranges).equal(pass.Hidden).all().item<bool>());
    }

    [Fact]
    public void Recomputing_ChangesNoBit()
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(2, biases: false, 40);
        Tensor tokens = randint(0, 53, [2, 40], ScalarType.Int64);
        Tensor gradient = randn(80, 32);
        Tensor[] gradients =
        [
            .. Enumerable
                .Range(0, model.Config.NumHiddenLayers + 1)
                .Select(layers =>
                {
                    model.RecomputedLayers = layers;
                    model.Parameters.ZeroGradients();
                    using TrainingPass pass = model.Train(tokens);
                    pass.Backward(gradient);
                    return model.Parameters.FlatGradients.clone();
                }),
        ];
        Assert.All(gradients, other => Assert.True(gradients[0].equal(other).all().item<bool>()));
    }

    [Fact]
    public void AnyNumberOfThreads_GivesTheSameBitsInOwnKernels()
    {
        // libtorch's products may round differently with other threads; with one row of blocks each they do not here.
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(4, biases: false, 70);
        Tensor tokens = randint(0, 53, [4, 70], ScalarType.Int64);
        Tensor gradient = randn(280, 32);
        int before = get_num_threads();
        try
        {
            Tensor[] results =
            [
                .. new[] { 1, 2 }.Select(threads =>
                {
                    set_num_threads(threads);
                    model.Parameters.ZeroGradients();
                    using TrainingPass pass = model.Train(tokens);
                    pass.Backward(gradient);
                    return model.Parameters.FlatGradients.clone();
                }),
            ];
            AssertSmallDifference(results[1], results[0].to(ScalarType.Float64), 1e-6, "gradients");
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void PlainPath_GivesTheSameToRounding()
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(2, biases: true, 37);
        Tensor tokens = randint(0, 53, [2, 37], ScalarType.Int64);
        Tensor gradient = randn(74, 32);
        Tensor[] gradients =
        [
            .. new[] { true, false }.Select(kernels =>
            {
                model.UsesKernels = kernels;
                model.Parameters.ZeroGradients();
                using TrainingPass pass = model.Train(tokens);
                pass.Backward(gradient);
                return model.Parameters.FlatGradients.clone();
            }),
        ];
        AssertSmallDifference(gradients[0], gradients[1].to(ScalarType.Float64), 1e-5, "gradients");
    }

    [Fact]
    public void TwoPassesWithoutTheWayBack_AndTheWayBackTwice()
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(4, biases: false, 20);
        Tensor gradient = randn(40, 32);
        using TrainingPass first = model.Train(randint(0, 53, [2, 20], ScalarType.Int64));
        using TrainingPass second = model.Train(randint(0, 53, [2, 20], ScalarType.Int64));
        Assert.Throws<InvalidOperationException>(() => first.Backward(gradient));
        second.Backward(gradient);
        Assert.Throws<InvalidOperationException>(() => second.Backward(gradient));
        using TrainingPass third = model.Train(randint(0, 53, [2, 20], ScalarType.Int64));
        using (no_grad())
        {
            model.HiddenStates(randint(0, 53, [1, 20], ScalarType.Int64));
        }

        Assert.Throws<InvalidOperationException>(() => third.Backward(gradient));
    }

    [Fact]
    public void TokenOutsideTheVocabulary_IsNamed()
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(4, biases: false, 20);
        Assert.Contains(
            "53",
            Assert.Throws<ArgumentOutOfRangeException>(() => model.Train(tensor(new long[] { 1, 53 }, 1, 2))).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void OneDnnProducts_EqualFloat64(bool transposeFirst, bool transposeSecond)
    {
        Assert.SkipUnless(
            MatrixProduct.OneDnnIsThere,
            "this processor has no AVX-512, so oneDNN's float32 products are not offered"
        );
        using DisposeScope scope = NewDisposeScope();
        ProductLibrary before = MatrixProduct.Library;
        MatrixProduct.Use(ProductLibrary.OneDnn);
        try
        {
            Tensor a = transposeFirst ? randn(31, 70).t() : randn(70, 31);
            Tensor b = transposeSecond ? randn(45, 31).t() : randn(31, 45);
            Tensor result = randn(70, 45);
            Tensor expected = result.to(ScalarType.Float64) + a.to(ScalarType.Float64).mm(b.to(ScalarType.Float64));
            MatrixProduct.Into(result, a, b, 1);
            AssertSmallDifference(result, expected, 1e-6, "sum");
            MatrixProduct.Into(result, a, b, 0);
            AssertSmallDifference(result, a.to(ScalarType.Float64).mm(b.to(ScalarType.Float64)), 1e-6, "product");
        }
        finally
        {
            MatrixProduct.Use(before);
        }
    }

    internal static Transformer Model(int groups, bool biases, int length, int headSize = 10)
    {
        var model = new Transformer(
            new TransformerConfig
            {
                HiddenSize = 32,
                NumHiddenLayers = 3,
                NumAttentionHeads = 4,
                NumKeyValueHeads = groups,
                HeadDim = headSize,
                IntermediateSize = 44,
                TieWordEmbeddings = groups == 4,
                AttentionBias = biases,
                MlpBias = biases,
            }.Resolve(53, length),
            trainable: true
        );
        model.Initialize(7);
        manual_seed(8);
        using IDisposable _ = no_grad();
        model.Parameters.FlatWeights.add_(randn_like(model.Parameters.FlatWeights) * 0.05); // biases and norms that are not zero and one
        return model;
    }

    internal static AttentionRanges? Ranges(string mask, int batch, int length)
    {
        if (mask == "causal")
        {
            return null;
        }

        int[] positions = [.. Enumerable.Range(0, batch).SelectMany(_ => Enumerable.Range(0, length))];
        if (mask == "documents")
        {
            return new AttentionRanges(
                [.. positions.Select((t, i) => t / (9 + (i / length)) * (9 + (i / length)))],
                [.. positions.Select(t => t + 1)],
                length
            );
        }

        return new AttentionRanges(
            [.. positions.Select(_ => 0)],
            [.. positions.Select((t, i) => Math.Max(t + 1, 11 * ((i / length) + 1)))],
            length
        );
    }

    // Three times the error of float32 itself, and never above 2e-5.
    private static double Allowed(Tensor rounded, Tensor exact) =>
        Math.Min(2e-5, (3 * ((rounded.to(ScalarType.Float64) - exact).norm() / exact.norm()).item<double>()) + 1e-7);

    private static void AssertSmallDifference(Tensor actual, Tensor expected, double relative, string what)
    {
        double difference = (actual.to(ScalarType.Float64) - expected).norm().item<double>();
        double size = expected.norm().item<double>();
        Assert.True(
            difference <= relative * size,
            $"{what} differs by {difference / size:e2} of its norm, allowed {relative:e0}"
        );
    }
}
