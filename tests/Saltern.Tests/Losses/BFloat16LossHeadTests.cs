using Saltern.Losses;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Losses;

// The loss head with bfloat16 products against the same loss in float64. The yardstick is its twin in libtorch's operations with the same roundings.
public class BFloat16LossHeadTests
{
    private const int N = 700;
    private const int D = 24;
    private const int V = 301; // odd, so that a row of the gradient ends in half a pair

    [Theory]
    [InlineData(0.0, ScalarType.Float32)]
    [InlineData(0.667, ScalarType.Float32)]
    [InlineData(0.667, ScalarType.BFloat16)]
    public void LossesAndGradients_AreAsCloseToFloat64AsTheTwins(double weight, ScalarType teacher)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        manual_seed(7);
        Tensor hidden = randn(N, D);
        Tensor head = randn(V + 2, D); // rows beyond the vocabulary get nothing
        long[] labels = [.. Enumerable.Range(0, N).Select(i => i % 11 == 3 ? -1L : i * 37 % V)];
        var request = new LossRequest
        {
            HiddenStates = hidden,
            Head = head,
            Labels = labels,
            Omega = [.. Enumerable.Repeat((float)weight, N)],
            Teacher = new LiveSoftLabels(randn(N, 16), randn(V, 16) * 0.7, 0.8) { ProductType = teacher },
        };
        using var own = new FusedLossHead(V, V + 2, threads: 2, ScalarType.BFloat16);
        using var twin = new TensorLossHead(V, V + 2, ScalarType.BFloat16);
        using var exact = new FusedLossHead(V, V + 2, threads: 1);
        LossRequest exactRequest = request with
        {
            Teacher = request.Teacher is LiveSoftLabels live ? live with { ProductType = ScalarType.Float32 } : null,
        };
        (double loss, Tensor dHidden, Tensor dHead) = Run(own, request);
        (double twinLoss, Tensor twinHidden, Tensor twinHead) = Run(twin, request);
        (double exactLoss, Tensor exactHidden, Tensor exactHead) = Run(exact, exactRequest);
        Assert.InRange(loss, exactLoss - 0.003, exactLoss + 0.003);
        Assert.NotEqual(exactLoss, loss); // the products are rounded
        Assert.InRange(twinLoss, exactLoss - 0.003, exactLoss + 0.003);
        AssertAsClose(dHidden, twinHidden, exactHidden);
        AssertAsClose(dHead, twinHead, exactHead);
        Assert.Equal(0, dHead.narrow(0, V, 2).abs().sum().item<float>());
    }

    [Fact]
    public void ATeacherAlone_MayBeRounded()
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        manual_seed(9);
        var soft = new LiveSoftLabels(randn(N, 16), randn(V, 16), 1.0);
        var request = new LossRequest
        {
            HiddenStates = randn(N, D),
            Head = randn(V, D),
            Labels = [.. Enumerable.Range(0, N).Select(i => i * 37L % V)],
            Omega = [.. Enumerable.Repeat(1f, N)],
        };
        using var head = new FusedLossHead(V, V, threads: 1);
        var plain = new PositionLosses(N);
        head.Evaluate(request with { Teacher = soft }, plain);
        var rounded = new PositionLosses(N);
        head.Evaluate(request with { Teacher = soft with { ProductType = ScalarType.BFloat16 } }, rounded);
        Assert.Equal(plain.StudentNll, rounded.StudentNll); // the student's products are float32's
        Assert.NotEqual(plain.TeacherNll, rounded.TeacherNll);
        Assert.All(
            plain.TeacherNll.Zip(rounded.TeacherNll),
            pair => Assert.InRange(pair.Second, pair.First - 0.2, pair.First + 0.2) // logits of some 20, rounded to 8 bits
        );
    }

    private static (double Loss, Tensor Hidden, Tensor Head) Run(LossHead head, LossRequest request)
    {
        var losses = new PositionLosses(N);
        Tensor hiddenGradient = zeros(N, D);
        Tensor headGradient = zeros(request.Head.shape);
        long counted = request.Labels.Count(label => label >= 0);
        head.Train(request, counted, losses, hiddenGradient, headGradient);
        var sums = new LossSums();
        sums.Add(losses, 0, N);
        return (sums.Loss / counted, hiddenGradient, headGradient);
    }

    private static void AssertAsClose(Tensor own, Tensor twin, Tensor exact)
    {
        double allowed = (1.3 * Distance(twin, exact)) + 1e-3;
        Assert.InRange(Distance(own, exact), 1e-6, Math.Min(allowed, 0.02));
    }

    private static double Distance(Tensor actual, Tensor exact) =>
        ((actual - exact).norm() / exact.norm()).to(ScalarType.Float64).item<double>();
}
