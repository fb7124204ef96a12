using Saltern.Batches;
using Saltern.Evaluation;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Shards;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Evaluation;

public class EvaluationTests
{
    [Fact]
    public void BitsPerByte_HandWorked()
    {
        // 4 bytes, Σ nll = 5.545177 = 8·ln 2 → 2 bits a byte.
        Assert.Equal(2.0, new EvaluationPart { TextNll = 5.545177, TextBytes = 4 }.BitsPerByte, 6);
    }

    [Fact]
    public void AModelWithoutKnowledge_PaysTheLogarithmOfItsVocabulary()
    {
        // All weights zero: every token has the same probability, whatever the text.
        using var folder = new TemporaryFolder();
        using TokenShard shard = Shard(folder, [3, 1, 4, 9], [1, 5, 9]);
        ValidationSet set = ValidationSet.Create([null, shard], 4, 100, wholeDocuments: true, endOfText: 9);
        using var model = new Transformer(Shape(), trainable: false);
        using var head = new FusedLossHead(10, 10, 1);
        EvaluationResult result = ModelEvaluation.Run(model, head, set, [2, 2, 2, 2, 2, 2, 2, 2, 2, 0], domainCount: 2);
        Assert.Equal(Math.Log(10), result.Total.Loss, 6);
        Assert.Equal(10.0, result.Total.Perplexity, 4);
        Assert.Equal(7, result.Total.Sums.Positions);
        Assert.Equal(10, result.Total.TextBytes); // five text tokens of two bytes; end-of-text left out
        Assert.Equal(5 * Math.Log(10) / (Math.Log(2) * 10), result.Total.BitsPerByte, 6);
        Assert.Null(result.Domains[0]);
        Assert.Equal(result.Total.Loss, result.Domains[1]!.Loss);
        Assert.Equal(
            [4 * Math.Log(10), 3 * Math.Log(10)],
            result.Documents.OrderBy(d => d.Document.Document).Select(d => d.Nll),
            (a, b) => Math.Abs(a - b) < 1e-5
        );
    }

    [Fact]
    public void Losses_EqualTheWholeLogits()
    {
        using DisposeScope scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using TokenShard shard = Shard(folder, [.. Enumerable.Range(0, 40).Select(i => i * 7 % 9), 9]);
        ValidationSet set = ValidationSet.Create([shard], 8, 1_000, wholeDocuments: true, endOfText: 9);
        using var model = new Transformer(Shape(), trainable: false);
        model.Initialize(2);
        using var head = new FusedLossHead(10, 10, 2);
        EvaluationResult result = ModelEvaluation.Run(model, head, set, new int[10], domainCount: 1);
        Tensor logits = model.Logits(tensor(set.Inputs, set.WindowDomains.Count, 8));
        double expected = SoftLabelLoss
            .Compute(logits, tensor(set.Labels), null, null, 1, set.TargetCount)
            .item<float>();
        Assert.Equal(expected, result.Total.Loss, 5);
    }

    private static TransformerConfig Shape() =>
        new TransformerConfig
        {
            HiddenSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 2,
            IntermediateSize = 8,
            TieWordEmbeddings = true,
        }.Resolve(10, 8);

    private static TokenShard Shard(TemporaryFolder folder, params int[][] documents)
    {
        using (var writer = new TokenShardWriter(folder["v.bin"], TokenType.U16))
        {
            Array.ForEach(documents, document => writer.WriteDocument(document));
            writer.Complete();
        }

        return TokenShard.Open(folder["v.bin"]);
    }
}
