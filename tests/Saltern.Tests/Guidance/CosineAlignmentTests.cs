using Saltern.Guidance;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Guidance;

// The alignment term against hand-worked values and automatic differentiation in float64.
public class CosineAlignmentTests
{
    [Fact]
    public void HandWorkedExample_GivesTermAndGradients()
    {
        // x = (1, 0), W = (3 0; 4 0), so Wx = (3, 4), ‖Wx‖ = 5, direction (0.6, 0.8); x′ = (2, 0), direction (1, 0); cos = 0.6.
        // ∂(1 − cos)/∂Wx = −(x′/‖x′‖ − cos·Wx/‖Wx‖)/‖Wx‖ = −((1, 0) − (0.36, 0.48))/5 = (−0.128, 0.096).
        // With a factor of 10: ∂x = Wᵀ·(−1.28, 0.96) = (0, 0), since the cosine does not change with x's length; ∂W = (−1.28 0; 0.96 0).
        using DisposeScope scope = NewDisposeScope();
        Tensor gradient = zeros(2, 2);
        (double sum, Tensor student) = CosineAlignment.Train(
            tensor(
                new float[,]
                {
                    { 1, 0 },
                }
            ),
            tensor(
                new float[,]
                {
                    { 2, 0 },
                }
            ),
            tensor(
                new float[,]
                {
                    { 3, 0 },
                    { 4, 0 },
                }
            ),
            10,
            gradient
        );
        Assert.Equal(0.4, sum, 6);
        AssertClose([-1.28f, 0, 0.96f, 0], gradient);
        AssertClose([0, 0], student);
    }

    [Fact]
    public void TermAndGradients_EqualAutomaticDifferentiationInFloat64()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        Tensor h = randn(40, 7, ScalarType.Float64).requires_grad_(true);
        Tensor v = randn(40, 5, ScalarType.Float64) * 3;
        Tensor w = randn(5, 7, ScalarType.Float64).requires_grad_(true);
        Tensor exact = (1 - nn.functional.cosine_similarity(nn.functional.linear(h, w), v, 1)).sum();
        (exact * 0.3).backward();
        Tensor before = randn(5, 7, ScalarType.Float64);
        Tensor gradient = before.clone();
        (double sum, Tensor student) = CosineAlignment.Train(h.detach(), v, w.detach(), 0.3, gradient);

        // float64 sums of 40 terms in another order
        Assert.Equal(exact.item<double>(), sum, 12);
        Assert.True((student - h.grad!).abs().max().item<double>() < 1e-12);
        Assert.True((gradient - before - w.grad!).abs().max().item<double>() < 1e-12); // added to what was there
    }

    [Fact]
    public void ZeroStates_PullNowhereNearInfinity()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor gradient = zeros(3, 2);
        (double sum, Tensor student) = CosineAlignment.Train(zeros(1, 2), zeros(1, 3), randn(3, 2), 1, gradient);
        Assert.Equal(1, sum);
        Assert.True(student.isfinite().all().item<bool>() && gradient.isfinite().all().item<bool>());
    }

    [Fact]
    public void DisagreeingShapes_AreNamed()
    {
        using DisposeScope scope = NewDisposeScope();
        Assert.Contains(
            "does not lead from [4, 7] to [4, 6]",
            Assert
                .Throws<ArgumentException>(() =>
                    CosineAlignment.Train(zeros(4, 7), zeros(4, 6), zeros(5, 7), 1, zeros(5, 7))
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    private static void AssertClose(float[] expected, Tensor actual)
    {
        float[] values = actual.data<float>().ToArray();
        Assert.All(Enumerable.Range(0, expected.Length), i => Assert.Equal(expected[i], values[i], 6)); // float32, numbers near 1
    }
}
