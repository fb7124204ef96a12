using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

// Own kernels against the same model in float64 through libtorch's operations, which FamilyParityTests hold against the families' definitions.
public class FusedFamiliesTests
{
    // float32 through two layers; a wrong option shows in the first two digits.
    private const double Tolerance = 3e-5;

    public static TheoryData<string, int, bool> Cases()
    {
        var data = new TheoryData<string, int, bool>();
        foreach (string family in FamilyShapes.All.Keys)
        {
            data.Add(family, 72, false); // more than one block of queries, a multiple of eight: attention's own products
            data.Add(family, 37, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void HiddenStatesAndEveryGradient_EqualTheModelInFloat64(string family, int length, bool recompute)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = FamilyShapes.Model(family, 53, length);
        using var exact = new Transformer(model.Config, trainable: true, ScalarType.Float64);
        using (no_grad())
        {
            exact.Parameters.FlatWeights.copy_(model.Parameters.FlatWeights);
        }

        model.Recomputes = recompute;
        Assert.True(model.UsesKernels);
        Tensor tokens = randint(0, 53, [3, length], ScalarType.Int64);
        Tensor gradient = randn(3 * length, model.Config.HiddenSize);
        using TrainingPass pass = model.Train(tokens);
        using TrainingPass exactPass = exact.Train(tokens);
        AssertClose(pass.Hidden, exactPass.Hidden.detach(), "hidden states");
        using (no_grad())
        {
            AssertClose(model.HiddenStates(tokens), exactPass.Hidden.detach(), "hidden states without the way back");
        }

        using TrainingPass again = model.Train(tokens);
        again.Backward(gradient);
        exactPass.Backward(gradient.to(ScalarType.Float64));
        Tensor all = exact.Parameters.FlatGradients;
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices.Where(HasGradient))
        {
            AssertClose(
                model.Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count),
                all.narrow(0, slice.Offset, slice.Count),
                slice.Name
            );
        }
    }

    [Theory]
    [MemberData(nameof(FamilyShapes.Names), MemberType = typeof(FamilyShapes))]
    public void ATextThatGoesOn_ReadsAsItDoesWhole(string family)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using Transformer model = FamilyShapes.Model(family, 53, 40);
        Tensor tokens = randint(0, 53, [2, 40], ScalarType.Int64);
        Tensor whole = model.LogitsOf(model.HiddenStates(tokens)).view(2, 40, -1);
        using var cache = new KeyValueCache(model.Config, 2, 40, ScalarType.Float32, CPU);
        Tensor[] parts =
        [
            .. new[] { 30, 1, 1, 5, 1, 1, 1 }.Select(count =>
                model.LogitsOf(model.HiddenStates(tokens.narrow(1, cache.Length, count), cache)).view(2, count, -1)
            ),
        ];
        AssertClose(cat(parts, 1), whole.to(ScalarType.Float64), "logits");
    }

    // The head's gradient is the loss's business; a key's bias moves all scores of a query alike where nothing is turned.
    private static bool HasGradient(ParameterSlice slice) =>
        !slice.Name.StartsWith("lm_head.", StringComparison.Ordinal)
        && !slice.Name.EndsWith("k_proj.bias", StringComparison.Ordinal);

    private static void AssertClose(Tensor actual, Tensor expected, string what)
    {
        double difference = (actual.to(ScalarType.Float64) - expected).abs().max().item<double>();
        double size = expected.abs().max().item<double>();
        Assert.True(difference <= Tolerance * size, $"{what} differs by {difference / size:e2} of its largest value");
    }
}
