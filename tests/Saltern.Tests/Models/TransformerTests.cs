using Saltern.Losses;
using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

public class TransformerTests
{
    private static TransformerConfig Tiny(bool tied = true, int groups = 2, bool biases = false) =>
        new TransformerConfig
        {
            HiddenSize = 16,
            NumHiddenLayers = 2,
            NumAttentionHeads = 4,
            NumKeyValueHeads = groups,
            IntermediateSize = 24,
            TieWordEmbeddings = tied,
            AttentionBias = biases,
            MlpBias = biases,
        }.Resolve(tokenizerVocabulary: 37, sequenceLength: 12);

    [Theory]
    [InlineData(true, 4, false)]
    [InlineData(false, 2, false)]
    [InlineData(false, 1, true)]
    public void Shapes_AreAsDocumented(bool tied, int groups, bool biases)
    {
        using var model = new Transformer(Tiny(tied, groups, biases), trainable: true);
        model.Initialize(1);
        using Tensor tokens = randint(0, 37, [3, 12], ScalarType.Int64);
        using Tensor hidden = model.HiddenStates(tokens);
        using Tensor logits = model.Logits(tokens);
        Assert.Equal([36, 16], hidden.shape);
        Assert.Equal([36, 37], logits.shape);
        Assert.Equal([37, 16], model.Head.shape);
    }

    [Fact]
    public void ParameterCount_CountsEveryWeightOnce()
    {
        // Tied: V·D + L·(q + k + v + o + gate + up + down + 2 norms) + last norm.
        using var tied = new Transformer(Tiny(), trainable: false);
        int layer = (16 * 16) + (2 * 8 * 16) + (16 * 16) + (3 * 16 * 24) + 32;
        Assert.Equal((37 * 16) + (2 * layer) + 16, tied.Parameters.Layout.ParameterCount);
        using var untied = new Transformer(Tiny(tied: false), trainable: false);
        Assert.Equal(tied.Parameters.Layout.ParameterCount + (37 * 16), untied.Parameters.Layout.ParameterCount);
    }

    [Fact]
    public void ALaterToken_ChangesNothingBeforeIt()
    {
        using DisposeScope scope = NewDisposeScope();
        using var model = new Transformer(Tiny(), trainable: false);
        model.Initialize(2);
        long[] ids = [.. Enumerable.Range(0, 12).Select(i => (long)(i * 5 % 37))];
        Tensor before = model.HiddenStates(tensor(ids, 1, 12));
        ids[7] = 30;
        Tensor after = model.HiddenStates(tensor(ids, 1, 12));
        Assert.Equal(0f, (before - after).narrow(0, 0, 7).abs().max().item<float>());
        Assert.NotEqual(0f, (before - after).narrow(0, 7, 5).abs().max().item<float>());
    }

    [Theory]
    [InlineData(4)]
    [InlineData(1)]
    public void Cache_GivesTheSameAsWholeSequences(int groups)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var model = new Transformer(Tiny(groups: groups), trainable: false);
        model.Initialize(3);
        Tensor tokens = randint(0, 37, [2, 12], ScalarType.Int64);
        Tensor whole = model.HiddenStates(tokens).view(2, 12, 16);
        using var cache = new KeyValueCache(model.Config, 2, 12, ScalarType.Float32, CPU);
        model.HiddenStates(tokens.narrow(1, 0, 5), cache);
        for (int t = 5; t < 12; t++)
        {
            Tensor one = model.HiddenStates(tokens.narrow(1, t, 1), cache);
            Assert.True((one - whole.select(1, t)).abs().max().item<float>() < 2e-5f, $"position {t}");
        }

        Assert.Throws<InvalidOperationException>(() => model.HiddenStates(tokens.narrow(1, 0, 1), cache));
    }

    [Fact]
    public void Initialize_IsAPureFunctionOfTheSeed()
    {
        using var first = new Transformer(Tiny(), trainable: false);
        using var second = new Transformer(Tiny(), trainable: false);
        first.Initialize(5);
        using Tensor drawn = randn(10);
        second.Initialize(5);
        Assert.True(first.Parameters.FlatWeights.eq(second.Parameters.FlatWeights).all().item<bool>());
        second.Initialize(6);
        Assert.False(first.Parameters.FlatWeights.eq(second.Parameters.FlatWeights).all().item<bool>());
    }

    [Theory]
    [InlineData(true, 4, false)]
    [InlineData(true, 2, true)]
    [InlineData(false, 1, false)]
    public void TrainingPath_GivesTheGradientsOfTheWholeLogits(bool tied, int groups, bool biases)
    {
        // As a step does it (fused head, hidden.backward) against automatic differentiation through whole logits, same weights in float64.
        using DisposeScope scope = NewDisposeScope();
        using var fast = new Transformer(Tiny(tied, groups, biases), trainable: true);
        using var exact = new Transformer(Tiny(tied, groups, biases), trainable: true, ScalarType.Float64);
        fast.Initialize(4);
        using (no_grad())
        {
            exact.Parameters.FlatWeights.copy_(fast.Parameters.FlatWeights);
        }

        Tensor tokens = randint(0, 37, [3, 12], ScalarType.Int64);
        long[] labels = [.. Enumerable.Range(0, 36).Select(i => (long)(i * 7 % 37))];
        Tensor hidden = fast.HiddenStates(tokens);
        Tensor hiddenGradient = empty_like(hidden);
        using var head = new FusedLossHead(37, 37, 1);
        head.Train(
            new LossRequest
            {
                HiddenStates = hidden,
                Head = fast.Head,
                Labels = labels,
            },
            36,
            new PositionLosses(36),
            hiddenGradient,
            fast.HeadGradient()
        );
        hidden.backward([hiddenGradient]);
        SoftLabelLoss.Compute(exact.Logits(tokens), tensor(labels), null, null, 1, 36).backward();

        Tensor expected = exact.Parameters.FlatGradients;
        Tensor actual = fast.Parameters.FlatGradients.to(ScalarType.Float64);
        double relative = ((expected - actual).norm() / expected.norm()).item<double>();
        Assert.True(relative < 1e-5, $"gradients differ by {relative:e2}");
    }

    [Fact]
    public void OneBatch_IsLearntByHeart()
    {
        using var model = new Transformer(Tiny(), trainable: true);
        model.Initialize(1);
        using var optimizer = new AdamW(
            model.Parameters,
            new OptimizerConfig { LearningRate = 1e-2, WeightDecay = 0 },
            1
        );
        using var head = new FusedLossHead(37, 37, 1);
        using Tensor tokens = tensor([.. Enumerable.Range(0, 12).Select(i => (long)(i * 11 % 37))], 1, 12);
        long[] labels = [.. Enumerable.Range(1, 12).Select(i => (long)(i * 11 % 37))];
        var losses = new PositionLosses(12);
        for (int step = 0; step < 200; step++)
        {
            using DisposeScope scope = NewDisposeScope();
            model.Parameters.ZeroGradients();
            Tensor hidden = model.HiddenStates(tokens);
            Tensor gradient = empty_like(hidden);
            head.Train(
                new LossRequest
                {
                    HiddenStates = hidden,
                    Head = model.Head,
                    Labels = labels,
                },
                12,
                losses,
                gradient,
                model.HeadGradient()
            );
            hidden.backward([gradient]);
            optimizer.Update(1e-2, optimizer.GradientNorm());
        }

        Assert.True(losses.Loss.Average() < 0.01, $"loss {losses.Loss.Average()}");
    }

    [Fact]
    public void RotaryPositions_TurnByTheAngleOfThePaper()
    {
        // Head size 4, θ = 100: pair 0 turns by t, pair 1 by t/10. A unit vector in element 0 becomes (cos t, ·, sin t, ·).
        using DisposeScope scope = NewDisposeScope();
        using var table = new RotaryTable(
            8,
            new TransformerConfig { HeadDim = 4, RopeTheta = 100 },
            isLocal: false,
            ScalarType.Float64,
            CPU
        );
        (Tensor cosines, Tensor sines) = table.Rows(3, 1);
        double[] turned = TensorMath
            .Rotate(tensor(new double[] { 1, 1, 0, 0 }, 1, 1, 1, 4), cosines, sines)
            .data<double>()
            .ToArray();
        Assert.Equal(
            [Math.Cos(3), Math.Cos(0.3), Math.Sin(3), Math.Sin(0.3)],
            turned,
            (a, b) => Math.Abs(a - b) < 1e-12
        );
    }

    [Fact]
    public void RmsNorm_HandWorked()
    {
        using Tensor x = tensor(new double[] { 3, 4 }, 1, 2);
        using Tensor weight = tensor(new double[] { 1, 2 });
        using Tensor y = TensorMath.RmsNorm(x, weight, 0);
        double rms = Math.Sqrt(12.5);
        Assert.Equal([3 / rms, 8 / rms], y.data<double>().ToArray(), (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void SwiGlu_HandWorked()
    {
        using Tensor x = tensor(new double[] { 1, 3 }, 1, 2);
        using Tensor y = TensorMath.Activate(x, Activation.Silu, isGated: true);
        Assert.Equal(3 / (1 + Math.Exp(-1)), y.item<double>(), 12);
    }

    [Fact]
    public void LayerNorm_HandWorked()
    {
        // Mean 3, variance 4: (1 − 3)/2 = −1 and 1, times the weight, plus the bias.
        using Tensor x = tensor(new double[] { 1, 5 }, 1, 2);
        using Tensor weight = tensor(new double[] { 1, 2 });
        using Tensor bias = tensor(new double[] { 10, 20 });
        using Tensor y = TensorMath.LayerNorm(x, weight, bias, 0);
        Assert.Equal([9, 22], y.data<double>().ToArray(), (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void Gelu_HasTheValuesOfTheNormalDistribution()
    {
        // Φ(1) = 0.8413447460685429; with tanh 0.8411919906082768 (arXiv:1606.08415's approximation at 1).
        using Tensor one = tensor(new double[] { 1 });
        using Tensor exact = TensorMath.Activate(one, Activation.Gelu, isGated: false);
        Assert.Equal(0.8413447460685429, exact.item<double>(), 12);
        foreach (Activation word in new[] { Activation.GeluNew, Activation.GeluFast, Activation.GeluPytorchTanh })
        {
            using Tensor approximate = TensorMath.Activate(one, word, isGated: false);
            Assert.Equal(0.8411919906082768, approximate.item<double>(), 12);
        }
    }

    [Fact]
    public void LearnedPositions_EndWhereTheTableEnds()
    {
        TransformerConfig shape = (
            Tiny(groups: 4) with
            {
                LayerNormEps = 1e-5,
                HiddenAct = Activation.Gelu,
                AttentionBias = true,
                MlpBias = true,
                LearnedPositions = true,
            }
        ).Resolve(37, 12);
        using var model = new Transformer(shape, trainable: false);
        using Tensor tokens = zeros([1, 13], ScalarType.Int64);
        Assert.Contains(
            "learned 12 positions",
            Assert.Throws<ArgumentException>(() => model.HiddenStates(tokens)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(ModelFlops.Parameters(shape), model.Parameters.Layout.ParameterCount);
    }
}
