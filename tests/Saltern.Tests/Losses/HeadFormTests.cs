using Saltern.Losses;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Losses;

// Biases and caps of the output head, of student and teacher, against the equation in float64.
public class HeadFormTests
{
    [Theory]
    [InlineData("fused", true, 3.0)]
    [InlineData("fused", true, null)]
    [InlineData("fused", false, 3.0)]
    [InlineData("tensor", true, 3.0)]
    [InlineData("tensor", false, 3.0)]
    public void LossAndGradients_EqualTheFloat64Twin(string kind, bool hasBias, double? cap)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(7);
        const int N = 700;
        const int D = 24;
        const int V = 301;
        Tensor hidden = randn(N, D);
        Tensor head = randn(V, D);
        Tensor bias = randn(V);
        Tensor teacherHidden = randn(N, D);
        Tensor teacherHead = randn(V, D);
        var form = new HeadForm(hasBias ? bias : null, cap);
        var teacherForm = new HeadForm(hasBias ? bias * 2 : null, 2.0);
        long[] labels = [.. Enumerable.Range(0, N).Select(i => i % 11 == 3 ? -1L : i * 37 % V)];
        long n = labels.Count(label => label >= 0);
        using LossHead tested = kind == "fused" ? new FusedLossHead(V, V, threads: 2) : new TensorLossHead(V, V);
        var losses = new PositionLosses(N);
        Tensor hiddenGradient = zeros(N, D);
        Tensor headGradient = zeros(V, D);
        Tensor biasGradient = zeros(V);
        tested.Train(
            new LossRequest
            {
                HiddenStates = hidden,
                Head = head,
                Form = form,
                Labels = labels,
                Omega = [.. Enumerable.Repeat(0.4f, N)],
                Teacher = new LiveSoftLabels(teacherHidden, teacherHead, 0.7) { Form = teacherForm },
            },
            n,
            losses,
            hiddenGradient,
            headGradient,
            hasBias ? biasGradient : null
        );

        Tensor exactHidden = hidden.to(ScalarType.Float64).requires_grad_(true);
        Tensor exactHead = head.to(ScalarType.Float64).requires_grad_(true);
        Tensor exactBias = bias.to(ScalarType.Float64).requires_grad_(true);
        Tensor products = exactHidden.mm(exactHead.t());
        products = hasBias ? products + exactBias : products;
        Tensor logits = cap is double c ? (products / c).tanh() * c : products;
        Tensor teacher = teacherHidden.to(ScalarType.Float64).mm(teacherHead.to(ScalarType.Float64).t());
        teacher = hasBias ? teacher + (bias.to(ScalarType.Float64) * 2) : teacher;
        Tensor exact = SoftLabelLoss.Compute(
            logits,
            tensor(labels),
            (teacher / 2).tanh() * 2,
            full(N, (double)0.4f, ScalarType.Float64),
            0.7,
            n
        );
        exact.backward();
        var sums = new LossSums();
        sums.Add(losses, 0, N);
        Assert.Equal(exact.item<double>(), sums.Loss / n, 1e-6 * exact.item<double>());
        AssertClose(hiddenGradient, exactHidden.grad!);
        AssertClose(headGradient, exactHead.grad!);
        if (hasBias)
        {
            AssertClose(biasGradient, exactBias.grad!);
        }
    }

    [Fact]
    public void AHeadWithBiases_NeedsAPlaceForTheirGradient()
    {
        using DisposeScope scope = NewDisposeScope();
        using LossHead head = new TensorLossHead(5, 5);
        var request = new LossRequest
        {
            HiddenStates = zeros(2, 3),
            Head = zeros(5, 3),
            Form = new HeadForm(zeros(5), null),
            Labels = [0, 1],
        };
        Assert.Throws<ArgumentException>(() => head.Train(request, 2, new PositionLosses(2), zeros(2, 3), zeros(5, 3)));
    }

    private static void AssertClose(Tensor actual, Tensor expected)
    {
        double difference = (actual.to(ScalarType.Float64) - expected).norm().item<double>();
        Assert.True(difference <= 1e-5 * expected.norm().item<double>(), $"differs by {difference:e2}");
    }
}
