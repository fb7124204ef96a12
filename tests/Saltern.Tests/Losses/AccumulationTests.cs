using Saltern.Losses;
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Losses;

// A micro-batch adds its sum divided by the global count of counted positions, so that 1×32 = 4×8 = 32×1, however the masks fall.
public class AccumulationTests
{
    private const int Sequences = 32;
    private const int Length = 6;
    private const int Vocabulary = 29;
    private static readonly TransformerConfig Shape = new TransformerConfig
    {
        HiddenSize = 12,
        NumHiddenLayers = 2,
        NumAttentionHeads = 2,
        IntermediateSize = 16,
        TieWordEmbeddings = true,
    }.Resolve(Vocabulary, Length);

    // Rows of very different numbers of counted positions: a mean of means would show.
    private static readonly long[] Labels =
    [
        .. Enumerable
            .Range(0, Sequences * Length)
            .Select(i => i / Length % 5 == 0 && i % Length > 0 ? -1L : i * 7 % Vocabulary),
    ];
    private static readonly float[] Weights = [.. Enumerable.Range(0, Sequences * Length).Select(i => i % 3 / 2f)];

    [Theory]
    [InlineData(4)]
    [InlineData(32)]
    public void Float64_SplitsAgreeTo1e12(int splits)
    {
        (double wholeLoss, double[] wholeGradient) = Exact(1);
        (double loss, double[] gradient) = Exact(splits);
        Assert.True(Math.Abs(loss - wholeLoss) <= 1e-12);
        Assert.True(wholeGradient.Zip(gradient, (a, b) => Math.Abs(a - b)).Max() <= 1e-12);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(32)]
    public void Float32_SplitsAgreeWithTheFloat64Oracle(int splits)
    {
        (double exactLoss, double[] exactGradient) = Exact(1);
        (double loss, double[] gradient) = Fused(splits);
        Assert.True(Math.Abs(loss - exactLoss) <= 1e-6 * exactLoss, $"loss {loss}, exact {exactLoss}");
        double difference = Math.Sqrt(exactGradient.Zip(gradient, (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(exactGradient.Sum(g => g * g));
        Assert.True(difference <= 1e-5 * size, $"gradients differ by {difference / size:e2}");
    }

    private static long Count => Labels.LongCount(label => label >= 0);

    private static (double Loss, double[] Gradient) Exact(int splits)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer student = Model(ScalarType.Float64, 1);
        using Transformer teacher = Model(ScalarType.Float64, 2);
        double loss = 0;
        for (int split = 0; split < splits; split++)
        {
            (Tensor tokens, Range rows) = Part(splits, split);
            Tensor teacherLogits;
            using (no_grad())
            {
                teacherLogits = teacher.Logits(tokens);
            }

            Tensor part = SoftLabelLoss.Compute(
                student.Logits(tokens),
                tensor(Labels[rows]),
                teacherLogits,
                tensor(Weights[rows]).to(ScalarType.Float64),
                0.5,
                Count
            );
            part.backward();
            loss += part.item<double>();
        }

        return (loss, student.Parameters.FlatGradients.data<double>().ToArray());
    }

    private static (double Loss, double[] Gradient) Fused(int splits)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer student = Model(ScalarType.Float32, 1);
        using Transformer teacher = Model(ScalarType.Float32, 2);
        using var head = new FusedLossHead(Vocabulary, Vocabulary, 2);
        var sums = new LossSums();
        for (int split = 0; split < splits; split++)
        {
            (Tensor tokens, Range rows) = Part(splits, split);
            Tensor hidden = student.HiddenStates(tokens);
            Tensor gradient = empty_like(hidden);
            Tensor teacherHidden;
            using (no_grad())
            {
                teacherHidden = teacher.HiddenStates(tokens);
            }

            var losses = new PositionLosses(Sequences * Length);
            var request = new LossRequest
            {
                HiddenStates = hidden,
                Head = student.Head,
                Labels = Labels[rows],
                Omega = Weights[rows],
                Teacher = new LiveSoftLabels(teacherHidden, teacher.Head, 0.5),
            };
            head.Train(request, Count, losses, gradient, student.HeadGradient());
            hidden.backward([gradient]);
            sums.Add(losses, 0, request.Labels.Length);
        }

        return (
            sums.Loss / Count,
            [.. student.Parameters.FlatGradients.data<float>().ToArray().Select(g => (double)g)]
        );
    }

    private static (Tensor Tokens, Range Rows) Part(int splits, int split)
    {
        int perSplit = Sequences / splits * Length;
        long[] tokens = [.. Enumerable.Range(0, Sequences * Length).Select(i => (long)(i * 11 % Vocabulary))];
        return (
            tensor(tokens[(split * perSplit)..((split + 1) * perSplit)], Sequences / splits, Length),
            (split * perSplit)..((split + 1) * perSplit)
        );
    }

    // The same float32 weights in both types.
    private static Transformer Model(ScalarType type, int seed)
    {
        var model = new Transformer(Shape, trainable: true, type);
        using var source = new Transformer(Shape, trainable: false);
        source.Initialize(seed);
        using (no_grad())
        {
            model.Parameters.FlatWeights.copy_(source.Parameters.FlatWeights);
        }

        return model;
    }
}
