using Saltern.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Losses;

// Both loss heads on sparse soft labels: hand-worked values of docs/method.md, and the dense equation with automatic differentiation in float64.
public class SparseSoftLabelTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SampledHandWorkedExample(bool plain)
    {
        // p = (½, ¼, ¼), 4 draws, counts {0: 1, 1: 3}, y = 0, ω = ⅔: m = (½, ½, 0), L = 1.039721, gradient (0, −¼, +¼).
        using DisposeScope scope = NewDisposeScope();
        var sparse = new SparseSoftLabels([0, 2], [0, 1], [0.25f, 0.75f], false, [1.5f], [1.5f], [0.7f], null, 1);
        (PositionLosses losses, float[] gradient) = Run(Logits(0.5, 0.25, 0.25), sparse, [0], 2f / 3f, plain);
        Assert.Equal(1.039721, losses.Loss[0], 6);
        AssertClose([0, -0.25, 0.25], gradient, 1e-7);
        Assert.Equal(
            (1.5f, 1.5f, 0.7f),
            (losses.TeacherNll[0], losses.TeacherNllTempered[0], losses.TeacherEntropy[0])
        );
        Assert.True(losses.Agrees[0] && losses.HasTeacher[0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TopKHandWorkedExample(bool plain)
    {
        // p = (0.5, 0.3, 0.2), 𝒦 = {0}, q₀ = 0.6, ω = 1: KD loss −0.6 ln 0.5 − 0.4 ln 0.5 = 0.693147, gradient (−0.1, 0.06, 0.04).
        using DisposeScope scope = NewDisposeScope();
        var sparse = new SparseSoftLabels([0, 1], [0], [0.6f], true, [0.5f], [0.5f], [0.9f], [0.6f], 1);
        (PositionLosses losses, float[] gradient) = Run(Logits(0.5, 0.3, 0.2), sparse, [2], 1f, plain);
        Assert.Equal(0.693147, losses.Loss[0], 6);
        AssertClose([-0.1, 0.06, 0.04], gradient, 1e-7);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void RandomRows_EqualTheDenseEquationInFloat64(bool plain, bool tail)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(21);
        const int N = 90;
        const int V = 61;
        const int Entries = 7;
        const int Taught = 70;
        const float Weight = 0.6f;
        Tensor logits = randn(N, V) * 3;
        SparseSoftLabels sparse = RandomLabels(Taught, V, Entries, tail);
        long[] labels = [.. Enumerable.Range(0, N).Select(i => i % 13 == 5 ? -1L : i * 31 % V)];
        (PositionLosses losses, float[] gradient) = Run(logits, sparse, labels, Weight, plain);

        Tensor exact = logits.to(ScalarType.Float64).requires_grad_(true);
        Tensor logProbs = nn.functional.log_softmax(exact, 1);
        Tensor total = zeros(1, ScalarType.Float64);
        for (int row = 0; row < N; row++)
        {
            if (labels[row] < 0)
            {
                continue;
            }

            Tensor loss = logProbs[row, labels[row]].neg();
            if (row < Taught)
            {
                Tensor soft = zeros(1, ScalarType.Float64);
                Tensor kept = zeros(V, ScalarType.Bool);
                double mass = 0;
                for (int entry = sparse.Starts[row]; entry < sparse.Starts[row + 1]; entry++)
                {
                    soft = soft - ((double)sparse.Probabilities[entry] * logProbs[row, sparse.Ids[entry]]);
                    kept[sparse.Ids[entry]] = tensor(true);
                    mass += sparse.Probabilities[entry];
                }

                if (tail)
                {
                    soft = soft - ((1 - mass) * logProbs[row].masked_fill(kept, double.NegativeInfinity).logsumexp(0));
                }

                Assert.Equal(soft.item<double>(), losses.CrossEntropyToTeacher[row], 1e-5);
                loss = ((1 - (double)Weight) * loss) + ((double)Weight * soft);
            }

            Assert.Equal(loss.item<double>(), losses.Loss[row], 1e-5); // float32 logits of size 10: 1e-6 relative
            total = total + loss;
        }

        (total / labels.Count(label => label >= 0)).backward();
        AssertClose([.. exact.grad!.data<double>()], gradient, 2e-8); // entries of p/n, n = 83, in float32
    }

    [Fact]
    public void KeptTokensThatAreAll_LeaveNoTail()
    {
        using DisposeScope scope = NewDisposeScope();
        var all = new SparseSoftLabels([0, 3], [0, 1, 2], [0.2f, 0.5f, 0.3f], true, [1f], [1f], [1f], [0.5f], 1);
        foreach (bool plain in new[] { false, true })
        {
            (PositionLosses losses, float[] gradient) = Run(Logits(0.5, 0.25, 0.25), all, [0], 1f, plain);
            Assert.Equal((-0.2 * Math.Log(0.5)) - (0.8 * Math.Log(0.25)), losses.Loss[0], 6);
            AssertClose([0.3, -0.25, -0.05], gradient, 1e-7);
        }
    }

    // What the pass knew of each row opens its gate: θ is met by the second and third, by the first two, and by half of what is observed.
    [Theory]
    [InlineData(GateKind.TopProbability, 0.5, new[] { 0.0, 1.0, 1.0 })]
    [InlineData(GateKind.Entropy, 1.0, new[] { 1.0, 1.0, 0.0 })]
    [InlineData(GateKind.Observed, 0.5, new[] { 0.5, 1.0, 0.25 })]
    public void Gates_GoByWhatThePassFound(GateKind kind, double threshold, double[] expected)
    {
        using DisposeScope scope = NewDisposeScope();
        float[] nll = [(float)-Math.Log(0.25), (float)-Math.Log(0.75), (float)-Math.Log(0.125)];
        var labels = new SparseSoftLabels(
            [0, 1, 2, 3],
            [0, 1, 2],
            [1f, 1f, 1f],
            false,
            nll,
            nll,
            [0.9f, 1f, 1.1f],
            [0.4f, 0.5f, 0.6f],
            1
        );
        var request = new LossRequest
        {
            HiddenStates = Logits(0.5, 0.25, 0.25).expand(3, 3).contiguous(),
            Head = eye(3),
            Labels = [0, 1, 2],
            Omega = [0.6f, 0.6f, 0.6f],
            Teacher = labels,
            Gate = Gate.Open with { Kind = kind, Threshold = threshold },
        };
        foreach (bool plain in new[] { false, true })
        {
            using LossHead head = plain ? new TensorLossHead(3, 3) : new FusedLossHead(3, 3, 1);
            var losses = new PositionLosses(3);
            head.Train(request, 3, losses, zeros(3, 3), zeros(3, 3));
            AssertClose(expected, losses.Gate, 1e-6);
            AssertClose([.. expected.Select(gate => 0.6 * gate)], losses.Omega, 1e-6);
        }
    }

    [Fact]
    public void IdsOutsideTheVocabularyAndUnknownTopProbabilities_AreRefused()
    {
        using DisposeScope scope = NewDisposeScope();
        var wrong = new SparseSoftLabels([0, 1], [3], [1f], false, [1f], [1f], [1f], null, 1);
        Assert.Contains(
            "outside the vocabulary of 3",
            Assert.Throws<ArgumentException>(() => Run(Logits(0.5, 0.25, 0.25), wrong, [0], 1f, plain: false)).Message,
            StringComparison.Ordinal
        );
        using var head = new FusedLossHead(3, 3, 1);
        var request = new LossRequest
        {
            HiddenStates = Logits(0.5, 0.25, 0.25),
            Head = eye(3),
            Labels = [0],
            Omega = [1f],
            Teacher = wrong with { Ids = [1] },
            Gate = Gate.Open with { Kind = GateKind.TopProbability, Threshold = 0.5 },
        };
        Assert.Contains(
            "top_probability",
            Assert.Throws<ArgumentException>(() => head.Evaluate(request, new PositionLosses(1))).Message,
            StringComparison.Ordinal
        );
    }

    private static SparseSoftLabels RandomLabels(int rows, int vocabulary, int entries, bool tail)
    {
        var random = new Random(4);
        var ids = new List<int>();
        var shares = new List<float>();
        for (int row = 0; row < rows; row++)
        {
            ids.AddRange(Enumerable.Range(0, vocabulary).OrderBy(_ => random.Next()).Take(entries));
            float[] raw = [.. Enumerable.Range(0, entries).Select(_ => random.NextSingle())];
            float sum = raw.Sum() * (tail ? 1.4f : 1f);
            shares.AddRange(raw.Select(value => value / sum));
        }

        float[] zeros = new float[rows];
        return new SparseSoftLabels(
            [.. Enumerable.Range(0, rows + 1).Select(row => row * entries)],
            [.. ids],
            [.. shares],
            tail,
            zeros,
            zeros,
            zeros,
            zeros,
            1
        );
    }

    private static Tensor Logits(params double[] probabilities) =>
        tensor(probabilities, 1, probabilities.Length).log().to(ScalarType.Float32);

    // The identity as head makes hidden states the logits.
    private static (PositionLosses Losses, float[] Gradient) Run(
        Tensor logits,
        SparseSoftLabels sparse,
        long[] labels,
        float weight,
        bool plain
    )
    {
        int columns = (int)logits.shape[1];
        using LossHead head = plain ? new TensorLossHead(columns, columns) : new FusedLossHead(columns, columns, 2);
        var losses = new PositionLosses(labels.Length);
        using Tensor identity = eye(columns);
        using Tensor gradient = zeros_like(logits);
        using Tensor headGradient = zeros(columns, columns);
        var request = new LossRequest
        {
            HiddenStates = logits,
            Head = identity,
            Labels = labels,
            Omega = [.. Enumerable.Repeat(weight, labels.Length)],
            Teacher = sparse,
        };
        head.Train(request, labels.Count(label => label >= 0), losses, gradient, headGradient);
        return (losses, gradient.data<float>().ToArray());
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= tolerance,
                $"element {i}: {actual[i]}, expected {expected[i]}"
            );
        }
    }
}
