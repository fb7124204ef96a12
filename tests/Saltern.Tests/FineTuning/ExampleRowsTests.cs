using CsCheck;
using Saltern.Batches;
using Saltern.Evaluation;
using Saltern.FineTuning;
using Saltern.Losses;
using Saltern.Models;
using TorchSharp;

namespace Saltern.Tests.FineTuning;

public class ExampleRowsTests
{
    [Fact]
    public void Packing_ByHand()
    {
        // Decreasing: 7, 5, 4, 3, 3 into rows of 8: 7 | 5+3 | 4+3; each into the fullest row that it fits into.
        Assert.Equal(
            [
                [1],
                [0, 3],
                [2, 4],
            ],
            ExamplePacker.Pack([5, 7, 4, 3, 3], 8).Select(row => row.ToArray())
        );
    }

    [Fact]
    public void Packing_LosesNothingAndFits() =>
        Gen.Int[1, 40]
            .List[0, 200]
            .Sample(lengths =>
            {
                IReadOnlyList<int[]> rows = ExamplePacker.Pack(lengths, 40);
                Assert.Equal(Enumerable.Range(0, lengths.Count), rows.SelectMany(row => row).Order());
                Assert.All(rows, row => Assert.InRange(row.Sum(index => lengths[index]), 1, 40));

                // Any two rows together hold more than one row's worth, else the later one would not have been begun.
                Assert.True(rows.Count <= (2.0 * lengths.Sum() / 40) + 1);
            });

    [Fact]
    public void Row_HasLabelsAndRangesOfEachExampleAlone()
    {
        // "12|34$" and "5|6$", targets behind the bar; one place of padding.
        var rows = new ExampleRows(
            [
                new Example("a", [1, 2, 3, 4, 9], [false, false, true, true, true]),
                new Example("b", [5, 6, 9], [false, true, true]),
            ],
            7,
            padding: 9
        );
        var batch = new Batch([new SampleKey(0, 0, 0)], rows, 0);
        using (torch.NewDisposeScope())
        {
            Assert.Equal([1, 2, 3, 4, 5, 6, 9], batch.Inputs([0]).data<long>().ToArray());
        }

        Assert.Equal([-1, 3, 4, 9, 6, 9, -1], batch.Labels([0]));
        (int[] first, int[] end) = batch.Ranges([0]);
        Assert.Equal([0, 0, 0, 0, 4, 4, 6], first);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], end);
        Assert.Equal((5, 6 / 7.0), (batch.CountedPositions, rows.Fill));
        ValidationSet set = rows.ToValidationSet();
        Assert.Equal(
            [(1, 3), (4, 2)],
            set.Documents.Select(document => ((int)document.FirstTarget, document.TargetCount))
        );
    }

    [Fact]
    public void ConversationInValidation_SpansWhatDoesNotCount()
    {
        // Targets are the tokens 2 and 5, $ after each: labels 0, 1 and 3, 4.
        var rows = new ExampleRows(
            [new Example("a", [1, 2, 9, 4, 5, 9], [false, true, true, false, true, true])],
            8,
            padding: 9
        );
        ValidationDocument document = Assert.Single(rows.ToValidationSet().Documents);
        Assert.Equal((0, 4, 5), ((int)document.FirstTarget, document.TargetCount, document.Positions));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void LossAndGradientOfAnExample_AreTheSameAloneAndPacked(bool usesKernels)
    {
        // Alone: each in a row of its own, causal. Packed: the same four in one row, where each may see itself only.
        var random = new Random(8);
        Example[] examples =
        [
            .. new[] { 9, 6, 8, 5 }.Select(
                (length, i) =>
                    new Example(
                        $"{i}",
                        [.. Enumerable.Range(0, length).Select(_ => random.Next(300))],
                        [.. Enumerable.Range(0, length).Select(t => t >= 3)]
                    )
            ),
        ];
        using Transformer model = TinyExamples.Load();
        model.UsesKernels = usesKernels;
        var packed = new ExampleRows(examples, 32, padding: 0);
        Assert.Equal(1, packed.Sizes[0]);
        double[] alone = new double[examples.Length];
        var gradients = new float[examples.Length][];
        long count = examples.Sum(example => (long)example.TargetCount);
        for (int i = 0; i < examples.Length; i++)
        {
            (alone[i], gradients[i]) = Run(
                model,
                new ExampleRows([examples[i]], examples[i].Positions, padding: 0),
                count
            );
        }

        (double together, float[] gradient) = Run(model, packed, count);

        // float32 sums in another order; a leak changes the loss by hundredths (the check below).
        Assert.Equal(alone.Sum(), together, 1e-4);
        float[] sum = [.. Enumerable.Range(0, gradient.Length).Select(i => gradients.Sum(part => part[i]))];
        double size = Math.Sqrt(sum.Sum(g => (double)g * g));
        double difference = Math.Sqrt(sum.Zip(gradient, (a, b) => Math.Pow(a - b, 2)).Sum());
        Assert.True(difference <= 2e-5 * size, $"gradients differ by {difference / size:e2}");

        // The same row without ranges leaks, and the test sees it.
        (double leaking, _) = Run(model, packed, count, leak: true);
        Assert.True(Math.Abs(leaking - alone.Sum()) > 1e-2, $"{leaking} against {alone.Sum()}");
    }

    [Fact]
    public void ValidationLoss_IsThatOfTheExamplesAlone()
    {
        Example[] examples =
        [
            .. Enumerable
                .Range(0, 12)
                .Select(i =>
                    Example.Encode(
                        $"{i}",
                        [
                            new TextPiece($"q {i}:"),
                            new TextPiece(i % 2 == 0 ? " even" : " odd", Counts: true),
                            TextPiece.End,
                        ],
                        TinyExamples.Tokenizer
                    )
                ),
        ];
        using Transformer model = TinyExamples.Load();
        using var head = new FusedLossHead(TinyExamples.Tokenizer.VocabularySize, model.Config.VocabSize, 2);
        var whole = new ExampleRows(examples, 32, 0);
        int[] bytes = ModelEvaluation.TokenBytes(TinyExamples.Tokenizer);
        EvaluationResult together = ModelEvaluation.Run(model, head, whole.ToValidationSet(), bytes, 1);
        Assert.Equal(examples.Sum(example => (long)example.TargetCount), together.Total.Sums.Positions);
        foreach ((ValidationDocument document, double nll) in together.Documents)
        {
            var alone = new ExampleRows([examples[document.Document]], 32, 0);
            Assert.Equal(
                ModelEvaluation.Run(model, head, alone.ToValidationSet(), bytes, 1).Documents[0].Nll,
                nll,
                1e-4
            );
        }
    }

    // Σ loss of a row, and the gradient of its mean over a number of positions.
    private static (double Loss, float[] Gradient) Run(
        Transformer model,
        ExampleRows rows,
        long count,
        bool leak = false
    )
    {
        using DisposeScope scope = torch.NewDisposeScope();
        var batch = new Batch([new SampleKey(0, 0, 0)], rows, 0);
        (int[] first, int[] end) = batch.Ranges([0]);
        model.Parameters.ZeroGradients();
        using var head = new FusedLossHead(TinyExamples.Tokenizer.VocabularySize, model.Config.VocabSize, 2);
        using TrainingPass pass = model.Train(
            batch.Inputs([0]),
            leak ? null : new AttentionRanges(first, end, rows.SequenceLength)
        );
        torch.Tensor hiddenGradient = torch.empty_like(pass.Hidden);
        var losses = new PositionLosses(rows.SequenceLength);
        using (torch.Tensor headGradient = model.HeadGradient())
        {
            head.Train(
                new LossRequest
                {
                    HiddenStates = pass.Hidden,
                    Head = model.Head,
                    Labels = batch.Labels([0]),
                },
                count,
                losses,
                hiddenGradient,
                headGradient
            );
        }

        pass.Backward(hiddenGradient);
        var sums = new LossSums();
        sums.Add(losses, 0, rows.SequenceLength);
        return (sums.Loss, model.Parameters.FlatGradients.data<float>().ToArray());
    }
}
