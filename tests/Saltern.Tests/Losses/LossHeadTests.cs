using System.Diagnostics;
using Saltern.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Losses;

// The fused head against the equation: hand-worked values, the float64 twin with automatic differentiation, and finite differences.
public class LossHeadTests
{
    private static readonly double[] Half = [Math.Log(0.5), Math.Log(0.25), Math.Log(0.25)];
    private static readonly double[] Teacher = [Math.Log(0.25), Math.Log(0.5), Math.Log(0.25)];

    [Fact]
    public void HandWorkedExample_GivesLossAndGradient()
    {
        // p = (½, ¼, ¼), q = (¼, ½, ¼), y = 0, ω = ⅔: m = (½, ⅓, ⅙), L = −½ ln ½ − ½ ln ¼ = 1.039721, p − m = (0, −1/12, +1/12).
        Result result = Run(Rows(Half), Rows(Teacher), [0], [2f / 3f], temperature: 1);
        Assert.Equal(1.039721, result.Losses.Loss[0], 6);
        AssertClose([0, -1 / 12.0, 1 / 12.0], result.LogitGradient, 1e-7);
    }

    [Fact]
    public void EveryLoggedQuantity_HasItsHandWorkedValue()
    {
        // As above at τ = 0.5: q_τ ∝ q² = (1/16, ¼, 1/16) / (3/8) = (1/6, 2/3, 1/6).
        Result result = Run(Rows(Half), Rows(Teacher), [0], [0.5f], temperature: 0.5);
        Assert.Equal(Math.Log(2), result.Losses.StudentNll[0], 6);
        Assert.Equal(Math.Log(4), result.Losses.TeacherNll[0], 6);
        Assert.Equal(Math.Log(6), result.Losses.TeacherNllTempered[0], 6);
        Assert.Equal((Math.Log(2) / 6) + (5 * Math.Log(4) / 6), result.Losses.CrossEntropyToTeacher[0], 6);
        Assert.Equal((2 * Math.Log(6) / 6) + (2 * Math.Log(1.5) / 3), result.Losses.TeacherEntropy[0], 6);
        Assert.False(result.Losses.Agrees[0]);
        Assert.True(result.Losses.Correct[0]);
    }

    [Theory]
    [InlineData("fused", "live", 0.0, 1.0)]
    [InlineData("fused", "live", 0.667, 1.0)]
    [InlineData("fused", "live", 0.667, 0.25)]
    [InlineData("fused", "live", 1.0, 1.0)]
    [InlineData("fused", "live", 0.3, 2.5)]
    [InlineData("fused", "dense", 0.667, 0.25)]
    [InlineData("tensor", "live", 0.667, 0.25)]
    [InlineData("tensor", "dense", 0.667, 1.0)]
    [InlineData("tensor, a GPU's chunks", "live", 0.667, 0.25)]
    public void LossAndGradients_EqualTheFloat64Twin(string kind, string source, double weight, double temperature)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(7);
        const int N = 700;
        const int D = 24;
        const int Dt = 16;
        const int V = 301; // more than one chunk of rows, and a vocabulary that no vector width divides
        Tensor hidden = randn(N, D);
        Tensor head = randn(V, D);
        Tensor teacherHidden = randn(N, Dt);
        Tensor teacherHead = randn(V, Dt) * 0.7;
        long[] labels = [.. Enumerable.Range(0, N).Select(i => i % 11 == 3 ? -1L : i * 37 % V)];
        long n = labels.Count(label => label >= 0);
        float[] weights = [.. Enumerable.Repeat((float)weight, N)];

        using LossHead tested =
            kind == "fused"
                ? new FusedLossHead(V, V, threads: 2)
                : new TensorLossHead(V, V, onDevice: kind != "tensor");
        var losses = new PositionLosses(N);
        Tensor hiddenGradient = zeros(N, D);
        Tensor headGradient = zeros(V, D);
        SoftLabels softLabels =
            source == "live"
                ? new LiveSoftLabels(teacherHidden, teacherHead, temperature)
                : new DenseSoftLabels(teacherHidden.mm(teacherHead.t()), temperature);
        tested.Train(
            new LossRequest
            {
                HiddenStates = hidden,
                Head = head,
                Labels = labels,
                Omega = weights,
                Teacher = softLabels,
            },
            n,
            losses,
            hiddenGradient,
            headGradient
        );

        Tensor exactHidden = hidden.to(ScalarType.Float64).requires_grad_(true);
        Tensor exactHead = head.to(ScalarType.Float64).requires_grad_(true);
        Tensor teacherLogits = teacherHidden.to(ScalarType.Float64).mm(teacherHead.to(ScalarType.Float64).t());
        Tensor exact = SoftLabelLoss.Compute(
            exactHidden.mm(exactHead.t()),
            tensor(labels),
            teacherLogits,
            full(N, (double)(float)weight, ScalarType.Float64),
            temperature,
            n
        );
        exact.backward();

        var sums = new LossSums();
        sums.Add(losses, 0, N);
        double expected = exact.item<double>();
        Assert.Equal(n, sums.Positions);
        Assert.True(Math.Abs((sums.Loss / n) - expected) <= 1e-6 * expected, $"loss {sums.Loss / n}, exact {expected}");
        AssertSmallDifference(hiddenGradient, exactHidden.grad!, 1e-5);
        AssertSmallDifference(headGradient, exactHead.grad!, 1e-5);
    }

    [Theory]
    [InlineData(GateKind.TopProbability, 0.3)]
    [InlineData(GateKind.Entropy, 2.5)]
    [InlineData(GateKind.Observed, 0.02)]
    public void PlainTwin_LogsAndGatesAsTheFusedHead(GateKind kind, double threshold)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(12);
        const int N = 80;
        const int V = 45;
        Tensor student = randn(N, V) * 2;
        Tensor teacher = randn(60, V) * 2;
        var request = new LossRequest
        {
            HiddenStates = student,
            Head = eye(V),
            Labels = [.. Enumerable.Range(0, N).Select(i => i % 9 == 4 ? -1L : i * 7 % V)],
            Teacher = new DenseSoftLabels(teacher, 0.5),
            Omega = [.. Enumerable.Range(0, N).Select(i => i % 10 / 10f)],
            Gate = new Gate(kind, threshold, [], []),
            GateScale = 1.7,
        };
        using var fused = new FusedLossHead(V, V, 2);
        using var plain = new TensorLossHead(V, V);
        PositionLosses expected = new(N);
        PositionLosses actual = new(N);
        Tensor gradient = zeros(N, V);
        Tensor plainGradient = zeros(N, V);
        Tensor headGradient = zeros(V, V);
        Tensor plainHeadGradient = zeros(V, V);
        fused.Train(request, 71, expected, gradient, headGradient);
        plain.Train(request, 71, actual, plainGradient, plainHeadGradient);
        Assert.Equal(expected.Counted, actual.Counted);

        // The gate treats positions differently, or it would not matter what it is told.
        float[] gates =
        [
            .. Enumerable.Range(0, 60).Where(row => expected.Counted[row]).Select(row => expected.Gate[row]),
        ];
        Assert.True(gates.Min() < 0.5f && gates.Max() == 1f, $"gates of {gates.Min()} to {gates.Max()}");
        for (int row = 0; row < N; row++)
        {
            Assert.Equal(expected.HasTeacher[row], actual.HasTeacher[row]);
            if (!expected.Counted[row])
            {
                continue;
            }

            Assert.Equal(expected.Correct[row], actual.Correct[row]);
            Assert.Equal(expected.Omega[row], actual.Omega[row], 1e-5f);
            Assert.Equal(expected.Loss[row], actual.Loss[row], 1e-5f);
            Assert.Equal(expected.StudentNll[row], actual.StudentNll[row], 1e-5f);
            if (expected.HasTeacher[row])
            {
                Assert.Equal(expected.Gate[row], actual.Gate[row], 1e-5f);
                Assert.Equal(expected.TeacherNll[row], actual.TeacherNll[row], 1e-5f);
                Assert.Equal(expected.TeacherNllTempered[row], actual.TeacherNllTempered[row], 1e-5f);
                Assert.Equal(expected.CrossEntropyToTeacher[row], actual.CrossEntropyToTeacher[row], 1e-5f);
                Assert.Equal(expected.TeacherEntropy[row], actual.TeacherEntropy[row], 1e-5f);
                Assert.Equal(expected.Agrees[row], actual.Agrees[row]);
            }
        }

        // float32 sums over 45 terms in another order
        AssertSmallDifference(plainGradient, gradient.to(ScalarType.Float64), 1e-5);
        AssertSmallDifference(plainHeadGradient, headGradient.to(ScalarType.Float64), 1e-5);
    }

    [Fact]
    public void Gradient_EqualsFiniteDifferences()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(3);
        Tensor student = randn(4, 5, ScalarType.Float64);
        Tensor teacher = randn(4, 5, ScalarType.Float64);
        long[] labels = [1, 4, -1, 0];
        float[] weights = [0.2f, 0.667f, 0.5f, 1f];
        Tensor exactWeights = tensor(weights).to(ScalarType.Float64);
        Result fused = Run(
            student.to(ScalarType.Float32),
            teacher.to(ScalarType.Float32),
            labels,
            weights,
            temperature: 0.7
        );
        const double Step = 1e-5;
        for (int i = 0; i < 20; i++)
        {
            double Loss(double by)
            {
                using DisposeScope inner = NewDisposeScope();
                Tensor moved = student.clone();
                moved.view(-1)[i] += by;
                return SoftLabelLoss.Compute(moved, tensor(labels), teacher, exactWeights, 0.7, 3).item<double>();
            }

            Assert.Equal((Loss(Step) - Loss(-Step)) / (2 * Step), fused.LogitGradient[i], 6);
        }
    }

    [Fact]
    public void WeightZero_IsPlainTrainingToTheLastBit()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        Tensor logits = randn(40, 67);
        long[] labels = [.. Enumerable.Range(0, 40).Select(i => (long)i)];
        Result plain = Run(logits, null, labels, [], 1);
        Result withTeacher = Run(logits, randn(40, 67), labels, new float[40], 1);
        Assert.Equal(plain.LogitGradient, withTeacher.LogitGradient);
        Assert.Equal(plain.Losses.StudentNll, withTeacher.Losses.StudentNll);
    }

    [Fact]
    public void TeacherForSomeRows_LeavesTheOthersPlain()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(6);
        Tensor logits = randn(6, 9);
        Tensor teacher = randn(4, 9);
        long[] labels = [0, 1, 2, 3, 4, 5];
        float[] weights = [0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f];
        Result mixed = Run(logits, teacher, labels, weights, 1);
        Result plain = Run(logits, null, labels, [], 1);
        Assert.Equal([true, true, true, true, false, false], mixed.Losses.HasTeacher);
        Assert.Equal(plain.LogitGradient[36..], mixed.LogitGradient[36..]);
        Assert.NotEqual(plain.LogitGradient[..36], mixed.LogitGradient[..36]);
    }

    [Theory]
    [InlineData("fused", -3)]
    [InlineData("fused", 3)]
    [InlineData("tensor", -3)]
    [InlineData("tensor", 3)]
    public void TheTeachersRows_MayEndInAnyChunk(string kind, int beyond)
    {
        // Two chunks and a bit; the rows with soft labels end shortly before or behind the first border.
        using DisposeScope scope = NewDisposeScope();
        manual_seed(8);
        const int V = 9;
        int border = LossHead.RowsOfChunk(V);
        int taught = border + beyond;
        int n = (2 * border) + 5;
        Tensor logits = randn(n, V);
        Tensor teacher = randn(taught, V);
        var request = new LossRequest
        {
            HiddenStates = logits,
            Head = eye(V),
            Labels = [.. Enumerable.Range(0, n).Select(i => (long)(i % V))],
            Omega = [.. Enumerable.Repeat(0.5f, n)],
            Teacher = new DenseSoftLabels(teacher, 1),
        };
        using LossHead head = kind == "fused" ? new FusedLossHead(V, V, 2) : new TensorLossHead(V, V);
        var losses = new PositionLosses(n);
        Tensor gradient = zeros(n, V);
        head.Train(request, n, losses, gradient, zeros(V, V));
        Assert.Equal(Enumerable.Range(0, n).Select(row => row < taught), losses.HasTeacher);
        Tensor mixed = softmax(logits, 1) - (0.5 * nn.functional.one_hot(tensor(request.Labels), V));
        mixed.narrow(0, 0, taught).sub_(0.5 * softmax(teacher, 1));
        mixed
            .narrow(0, taught, n - taught)
            .sub_(0.5 * nn.functional.one_hot(tensor(request.Labels), V).narrow(0, taught, n - taught));
        AssertSmallDifference(gradient, (mixed / n).to(ScalarType.Float64), 1e-5);
    }

    [Fact]
    public void SameLogits_GiveTheTeachersEntropyAndNoDivergence()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(8);
        Tensor logits = randn(5, 33) * 3;
        Result result = Run(logits, logits.clone(), [1, 2, 3, 4, 5], [1, 1, 1, 1, 1], 1);
        for (int row = 0; row < 5; row++)
        {
            Assert.Equal(result.Losses.TeacherEntropy[row], result.Losses.CrossEntropyToTeacher[row], 5);
            Assert.True(result.Losses.Agrees[row]);
        }

        Assert.All(result.LogitGradient, g => Assert.True(Math.Abs(g) < 1e-7));
    }

    [Fact]
    public void ShiftedLogits_ChangeNothing()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(9);
        Tensor student = randn(3, 20);
        Tensor teacher = randn(3, 20);
        Result before = Run(student, teacher, [0, 1, 2], [0.6f, 0.6f, 0.6f], 0.5);
        Result after = Run(student + 3, teacher - 5, [0, 1, 2], [0.6f, 0.6f, 0.6f], 0.5);
        AssertClose([.. before.LogitGradient.Select(g => (double)g)], after.LogitGradient, 2e-7);
    }

    [Fact]
    public void NotCountedPositions_HaveNoLossAndNoGradient()
    {
        using DisposeScope scope = NewDisposeScope();
        Result result = Run(randn(2, 8), randn(2, 8), [-1, 3], [0.5f, 0.5f], 1);
        Assert.All(result.LogitGradient[..8], g => Assert.Equal(0f, g));
        Assert.False(result.Losses.Counted[0]);
        var sums = new LossSums();
        sums.Add(result.Losses, 0, 2);
        Assert.Equal(1, sums.Positions);
    }

    [Fact]
    public void PaddedVocabularyRows_GetNoProbabilityAndNoGradient()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(10);
        Tensor logits = randn(3, 12);
        Tensor padded = cat([logits, full(3, 4, 50f)], dim: 1); // four rows beyond the vocabulary with huge logits
        Result plain = Run(logits, null, [0, 5, 11], [], 1);
        Result withPadding = Run(padded, null, [0, 5, 11], [], 1, vocabulary: 12);
        Assert.Equal(plain.Losses.Loss, withPadding.Losses.Loss);
        for (int row = 0; row < 3; row++)
        {
            Assert.Equal(
                plain.LogitGradient[(row * 12)..((row * 12) + 12)],
                withPadding.LogitGradient[(row * 16)..((row * 16) + 12)]
            );
            Assert.All(withPadding.LogitGradient[((row * 16) + 12)..((row * 16) + 16)], g => Assert.Equal(0f, g));
        }
    }

    [Theory]
    [InlineData("fused")]
    [InlineData("tensor")]
    public void PaddingOnBothSides_GivesTheHandWorkedExampleAndExactlyZeroBeyondTheRealIds(string kind)
    {
        // The hand-worked example above, with two more rows in the student and one in the teacher that would win every softmax.
        using DisposeScope scope = NewDisposeScope();
        Tensor student = Rows([.. Half, 50, 60]);
        Tensor teacher = Rows([.. Teacher, 70]);
        foreach (
            SoftLabels labels in new SoftLabels[]
            {
                new LiveSoftLabels(teacher, eye(4), 1),
                new DenseSoftLabels(teacher, 1),
                new SparseSoftLabels(
                    [0, 3],
                    [1, 0, 2],
                    [0.5f, 0.25f, 0.25f],
                    HasTail: false,
                    [(float)Math.Log(4)],
                    [(float)Math.Log(4)],
                    [1.0397208f],
                    null,
                    1
                ),
            }
        )
        {
            using LossHead head = kind == "fused" ? new FusedLossHead(3, 5, threads: 1) : new TensorLossHead(3, 5);
            var losses = new PositionLosses(1);
            Tensor gradient = zeros(1, 5);
            Tensor headGradient = zeros(5, 5);
            head.Train(
                new LossRequest
                {
                    HiddenStates = student,
                    Head = eye(5),
                    Labels = [0],
                    Omega = [2f / 3f],
                    Teacher = labels,
                },
                1,
                losses,
                gradient,
                headGradient
            );
            Assert.Equal(1.039721, losses.Loss[0], 5);
            Assert.Equal(Math.Log(4), losses.TeacherNll[0], 5);
            Assert.False(losses.Agrees[0]);
            Assert.True(losses.Correct[0]);
            AssertClose([0, -1 / 12.0, 1 / 12.0, 0, 0], gradient.data<float>().ToArray(), 1e-6);
            Assert.Equal(0, gradient.narrow(1, 3, 2).abs().max().item<float>());
            Assert.Equal(0, headGradient.narrow(0, 3, 2).abs().max().item<float>());
        }
    }

    [Fact]
    public void AnyNumberOfThreads_GivesTheSameBits()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(11);
        Tensor student = randn(90, 50);
        Tensor teacher = randn(90, 50);
        long[] labels = [.. Enumerable.Range(0, 90).Select(i => (long)(i % 50))];
        float[] weights = [.. Enumerable.Repeat(0.4f, 90)];
        Assert.Equal(
            Run(student, teacher, labels, weights, 0.5, threads: 1).LogitGradient,
            Run(student, teacher, labels, weights, 0.5, threads: 3).LogitGradient
        );
    }

    [Fact]
    public void DisagreeingShapes_AreNamed()
    {
        using DisposeScope scope = NewDisposeScope();
        using var head = new FusedLossHead(5, 5, 1);
        var losses = new PositionLosses(4);
        var request = new LossRequest
        {
            HiddenStates = zeros(4, 3),
            Head = zeros(5, 3),
            Labels = [1, 2, 3],
        };
        Assert.Contains(
            "4 hidden states but 3 labels",
            Assert.Throws<ArgumentException>(() => head.Evaluate(request, losses)).Message,
            StringComparison.Ordinal
        );
        request = request with { Labels = [1, 2, 3, 4], Head = zeros(6, 3) };
        Assert.Contains(
            "The head has 6 rows",
            Assert.Throws<ArgumentException>(() => head.Evaluate(request, losses)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "outside the vocabulary of 5",
            Assert
                .Throws<ArgumentException>(() =>
                    head.Evaluate(request with { Head = zeros(5, 3), Labels = [1, 2, 3, 5] }, losses)
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => new FusedLossHead(6, 5, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            head.Train(request with { Head = zeros(5, 3) }, 0, losses, zeros(4, 3), zeros(5, 3))
        );
    }

    [Fact]
    public void TeachersThatDoNotFit_AreNamed()
    {
        using DisposeScope scope = NewDisposeScope();
        using var head = new FusedLossHead(5, 5, 1);
        var request = new LossRequest
        {
            HiddenStates = zeros(2, 3),
            Head = zeros(5, 3),
            Labels = [1, 2],
            Omega = [1f, 1f],
        };
        Assert.Contains("3 rows and 5 logits for 2 rows", Refused(request, new DenseSoftLabels(zeros(3, 5), 1)));
        Assert.Contains("2 rows and 4 logits", Refused(request, new DenseSoftLabels(zeros(2, 4), 1)));
        LiveSoftLabels small = new(zeros(2, 3), zeros(4, 3), 1);
        Assert.Contains("2 rows and 4 logits", Refused(request, small));
        DenseSoftLabels fitting = new(zeros(2, 5), 1);
        Assert.Contains("1 weights for 2 positions", Refused(request with { Omega = [1f] }, fitting));

        SparseSoftLabels sparse = new([0, 1, 2], [0, 1], [1f, 1f], false, [1f, 1f], [1f, 1f], [0f, 0f], null, 1);
        Assert.Contains("have 2 starts", Refused(request, sparse with { Starts = [0, 1] }));
        Assert.Contains("2 ids and 2 probabilities", Refused(request, sparse with { Starts = [0, 1, 3] }));
        Assert.Contains("2 ids and 1 probabilities", Refused(request, sparse with { Probabilities = [1f] }));
        Assert.Contains("outside the vocabulary of 5", Refused(request, sparse with { Ids = [0, -1] }));
        head.Evaluate(request with { Teacher = sparse }, new PositionLosses(2));
        head.Evaluate(request with { Teacher = fitting }, new PositionLosses(2));

        string Refused(LossRequest asked, SoftLabels teacher) =>
            Assert
                .Throws<ArgumentException>(() => head.Evaluate(asked with { Teacher = teacher }, new PositionLosses(2)))
                .Message;
    }

    [Fact]
    public void AGateScale_RaisesOmegaUpToItsLimit()
    {
        using DisposeScope scope = NewDisposeScope();
        var request = new LossRequest
        {
            HiddenStates = zeros(2, 3),
            Head = zeros(5, 3),
            Labels = [1, 2],
            Omega = [0.5f, 0.25f],
        };
        Assert.Equal(0.125, request.OmegaOf(0, 0.25), 12);
        Assert.Equal(0.375, (request with { GateScale = 3 }).OmegaOf(0, 0.25), 12);
        Assert.Equal(0.1875, (request with { GateScale = 3 }).OmegaOf(1, 0.25), 12);
        Assert.Equal(0.95, (request with { GateScale = 3 }).OmegaOf(0, 1), 12);
        Assert.Equal(1.0, request.Temperature);
    }

    [Theory]
    [InlineData("fused", "none")]
    [InlineData("fused", "dense")]
    [InlineData("fused", "sparse")]
    [InlineData("fused", "tail")]
    [InlineData("tensor", "none")]
    [InlineData("tensor", "dense")]
    [InlineData("tensor", "sparse")]
    [InlineData("tensor", "tail")]
    public void Evaluate_FindsWhatTrainingFinds_AndHowSureTheStudentIs(string kind, string source)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(13);
        const int N = 9;
        const int V = 37; // two vectors of 16 or four of 8, and a rest
        Tensor hidden = randn(N, V) * 3;
        float[] ones = [.. Enumerable.Repeat(1f, N)];
        int[] ids = [.. Enumerable.Range(0, 2 * N).Select(i => i * 5 % V)];
        SparseSoftLabels sparse = new(
            [.. Enumerable.Range(0, N + 1).Select(i => 2 * i)],
            ids,
            [.. Enumerable.Repeat(0.4f, 2 * N)],
            source == "tail",
            ones,
            ones,
            ones,
            null,
            1
        );
        var request = new LossRequest
        {
            HiddenStates = hidden,
            Head = eye(V),
            Labels = [.. Enumerable.Range(0, N).Select(i => i == 4 ? -1L : i * 7 % V)],
            Omega = [.. Enumerable.Repeat(0.3f, N)],
            Teacher = source switch
            {
                "none" => null,
                "dense" => new DenseSoftLabels(randn(N, V), 0.5),
                _ => sparse,
            },
        };
        using LossHead head = kind == "fused" ? new FusedLossHead(V, V, threads: 2) : new TensorLossHead(V, V);
        (PositionLosses evaluated, PositionLosses trained) = (new(N), new(N));
        head.Evaluate(request, evaluated);
        head.Train(request, N - 1, trained, zeros(N, V), zeros(V, V));
        Assert.Equal(trained.Loss, evaluated.Loss);
        Assert.Equal(trained.StudentNll, evaluated.StudentNll);
        Assert.Equal(trained.CrossEntropyToTeacher, evaluated.CrossEntropyToTeacher);
        Assert.Equal(trained.Confidence, evaluated.Confidence);
        float[] surest = nn.functional.softmax(hidden, 1).amax([1L]).data<float>().ToArray();
        for (int row = 0; row < N; row++)
        {
            if (row == 4)
            {
                continue;
            }

            // A probability in float32.
            Assert.Equal(surest[row], evaluated.Confidence[row], 1e-6f);
        }
    }

    [Fact]
    public void TheTwin_RefusesNoPositionsAndATeacherWithoutWeights()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor logits = zeros(1, 3);
        Tensor labels = tensor(new long[] { 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => SoftLabelLoss.Compute(logits, labels, null, null, 1, 0));
        Assert.Throws<ArgumentNullException>(() => SoftLabelLoss.Compute(logits, labels, logits, null, 1, 1));
    }

    [Theory]
    [InlineData("fused")]
    [InlineData("tensor")]
    public void UnknownKindOfSoftLabels_IsRefusedRatherThanIgnored(string kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using LossHead head = kind == "fused" ? new FusedLossHead(5, 5, threads: 1) : new TensorLossHead(5, 5);
        var request = new LossRequest
        {
            HiddenStates = zeros(4, 3),
            Head = zeros(5, 3),
            Labels = [0, 1, 2, 3],
            Omega = [1f, 1f, 1f, 1f],
            Teacher = new ForeignSoftLabels(4),
        };
        UnreachableException refusal = Assert.Throws<UnreachableException>(() =>
            head.Train(request, 4, new PositionLosses(4), zeros(4, 3), zeros(5, 3))
        );
        Assert.Contains(nameof(ForeignSoftLabels), refusal.Message, StringComparison.Ordinal);
    }

    private sealed record ForeignSoftLabels(int Count) : SoftLabels(1.0)
    {
        public override int Rows => Count;
    }

    private static Tensor Rows(params double[] row) => tensor(row, 1, row.Length).to(ScalarType.Float32);

    // With the identity as head, hidden states are the logits, and their gradient is the gradient at the logits.
    private static Result Run(
        Tensor studentLogits,
        Tensor? teacherLogits,
        long[] labels,
        float[] weights,
        double temperature,
        int threads = 1,
        int? vocabulary = null
    )
    {
        int columns = (int)studentLogits.shape[1];
        using var head = new FusedLossHead(vocabulary ?? columns, columns, threads);
        var losses = new PositionLosses(labels.Length);
        using Tensor identity = eye(columns);
        using Tensor gradient = zeros_like(studentLogits);
        using Tensor headGradient = zeros(columns, columns);
        var request = new LossRequest
        {
            HiddenStates = studentLogits,
            Head = identity,
            Labels = labels,
            Omega = weights,
            Teacher = teacherLogits is null ? null : new LiveSoftLabels(teacherLogits, identity, temperature),
        };
        head.Train(request, labels.Count(label => label >= 0), losses, gradient, headGradient);
        return new Result(losses, gradient.data<float>().ToArray());
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

    private static void AssertSmallDifference(Tensor actual, Tensor expected, double relative)
    {
        double difference = (actual.to(ScalarType.Float64) - expected).norm().item<double>();
        double size = expected.norm().item<double>();
        Assert.True(
            difference <= relative * size,
            $"gradient differs by {difference / size:e2} of its norm, allowed {relative:e0}"
        );
    }

    private sealed record Result(PositionLosses Losses, float[] LogitGradient);
}
