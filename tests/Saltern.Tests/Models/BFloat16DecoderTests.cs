using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

// Own bfloat16 passes against the same model in float64. The yardstick is the twin: libtorch's operations with the same roundings (ProductType = bfloat16, kernels off).
public class BFloat16DecoderTests
{
    [Theory]
    [MemberData(nameof(FusedDecoderTests.Shapes), MemberType = typeof(FusedDecoderTests))]
    public void HiddenStatesAndEveryGradient_AreAsCloseToFloat64AsTheTwins(
        string mask,
        int groups,
        bool biases,
        bool recompute,
        int length,
        int headSize
    )
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = FusedDecoderTests.Model(groups, biases, length, headSize);
        model.Recomputes = recompute;
        AssertAsCloseAsTheTwin(model, length, FusedDecoderTests.Ranges(mask, 3, length));
    }

    [Theory]
    [MemberData(nameof(FamilyShapes.Names), MemberType = typeof(FamilyShapes))]
    public void OtherFamilies_AreAsCloseToFloat64AsTheTwins(string family)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = FamilyShapes.Model(family, 53, 70);
        AssertAsCloseAsTheTwin(model, 70, ranges: null);
    }

    private static void AssertAsCloseAsTheTwin(Transformer model, int length, AttentionRanges? ranges)
    {
        using var exact = new Transformer(model.Config, trainable: true, ScalarType.Float64);
        using var twin = new Transformer(model.Config, trainable: true);
        using (no_grad())
        {
            exact.Parameters.FlatWeights.copy_(model.Parameters.FlatWeights);
            twin.Parameters.FlatWeights.copy_(model.Parameters.FlatWeights);
        }

        model.ProductType = ScalarType.BFloat16;
        (twin.ProductType, twin.UsesKernels) = (ScalarType.BFloat16, false);
        Assert.True(model.UsesKernels);
        Tensor tokens = randint(0, 53, [3, length], ScalarType.Int64);
        Tensor gradient = randn(3 * length, model.Config.HiddenSize) / 100;
        Tensor own = HiddenAndGradients(model, tokens, ranges, gradient);
        Tensor plain = HiddenAndGradients(twin, tokens, ranges, gradient);
        Tensor wanted = HiddenAndGradients(exact, tokens, ranges, gradient.to(ScalarType.Float64));
        long hidden = gradient.numel();
        AssertAsClose(own, plain, wanted, 0, hidden, "hidden states");
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices.Where(HasGradient))
        {
            AssertAsClose(own, plain, wanted, hidden + slice.Offset, slice.Count, slice.Name);
        }
    }

    // The head's gradient is the loss's business; a key's bias moves all scores of a query alike, so its gradient is zero but for rounding.
    private static bool HasGradient(ParameterSlice slice) =>
        !slice.Name.StartsWith("lm_head.", StringComparison.Ordinal)
        && !slice.Name.EndsWith("k_proj.bias", StringComparison.Ordinal);

    [Fact]
    public void ATextThatGoesOn_RoundsItsWeightsOnce_AndReadsAsItDoesWhole()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using Transformer model = FusedDecoderTests.Model(2, biases: true, 37);
        Tensor tokens = randint(0, 53, [3, 12], ScalarType.Int64);
        Tensor exact = model.HiddenStates(tokens);
        model.ProductType = ScalarType.BFloat16;
        using var cache = new KeyValueCache(model.Config, 3, 12, ScalarType.Float32, CPU);
        Tensor first = model.HiddenStates(tokens.narrow(1, 0, 11), cache);
        Tensor last = model.HiddenStates(tokens.narrow(1, 11, 1), cache);
        Tensor wanted = exact.view(3, 12, -1).select(1, 11);
        Assert.InRange(((last - wanted).norm() / wanted.norm()).item<float>(), 1e-4f, 0.03f);
        Assert.Same(
            cache.Rounded(model.Layer(0).Qkv, model.Parameters[model.Layer(0).Qkv], ScalarType.BFloat16),
            cache.Rounded(model.Layer(0).Qkv, model.Parameters[model.Layer(0).Qkv], ScalarType.BFloat16)
        );
        Assert.Equal(33, first.shape[0]);
    }

    private static Tensor HiddenAndGradients(Transformer model, Tensor tokens, AttentionRanges? ranges, Tensor gradient)
    {
        using TrainingPass pass = model.Train(tokens, ranges);
        Tensor hidden = pass.Hidden.detach().clone();
        pass.Backward(gradient);
        return cat([hidden.reshape(-1), model.Parameters.FlatGradients]).to(ScalarType.Float64);
    }

    private static void AssertAsClose(Tensor own, Tensor twin, Tensor exact, long first, long count, string what)
    {
        double wanted = Distance(twin, exact, first, count);
        double found = Distance(own, exact, first, count);
        Assert.True(
            // ReLU turns a rounding near 0 into a whole activation, and the sum that is a bias's gradient may cancel.
            found <= Math.Min(0.1, (3 * wanted) + 5e-3),
            $"{what} differs by {found:e2} of its norm, the twin by {wanted:e2}"
        );
    }

    private static double Distance(Tensor actual, Tensor exact, long first, long count)
    {
        Tensor wanted = exact.narrow(0, first, count);
        return ((actual.narrow(0, first, count) - wanted).norm() / wanted.norm()).item<double>();
    }
}
