using Saltern.Batches;
using Saltern.Shards;

namespace Saltern.Tests.Batches;

public class ValidationSetTests
{
    private const int EndOfText = 99;

    [Fact]
    public void EveryTarget_CountsOnceInItsOwnWindow()
    {
        using var folder = new TemporaryFolder();
        using TokenShard first = Shard(folder, "a", [1, 2, 3, EndOfText], [4, 5, EndOfText]);
        using TokenShard second = Shard(folder, "b", [7, 8, EndOfText]);
        ValidationSet set = ValidationSet.Create(
            [first, null, second],
            sequenceLength: 4,
            tokens: 1_000,
            wholeDocuments: true,
            EndOfText
        );
        Assert.Equal([0, 0, 2], set.WindowDomains);
        Assert.Equal(10, set.TargetCount);
        Assert.Equal(10, set.Labels.Count(label => label >= 0));

        // Behind one end-of-text token the documents follow one another; inputs are the targets moved by one.
        int order = set.Documents[0].Document; // hash order decides which document is first
        long[] stream = order == 0 ? [1, 2, 3, EndOfText, 4, 5, EndOfText] : [4, 5, EndOfText, 1, 2, 3, EndOfText];
        Assert.Equal(stream, set.Labels[..7]);
        Assert.Equal([EndOfText, .. stream[..6]], set.Inputs[..7]);
        Assert.Equal([7, 8, EndOfText, ValidationSet.NotCounted], set.Labels[8..]);
        foreach (ValidationDocument document in set.Documents)
        {
            Assert.Equal(EndOfText, set.Labels[document.FirstTarget + document.TargetCount - 1]);
        }
    }

    [Fact]
    public void ASmallerSet_HasEveryDomainInItsShare()
    {
        using var folder = new TemporaryFolder();
        int[] document = [.. Enumerable.Repeat(5, 49), EndOfText];
        using TokenShard large = Shard(folder, "a", [.. Enumerable.Repeat(document, 30)]);
        using TokenShard small = Shard(folder, "b", [.. Enumerable.Repeat(document, 10)]);
        ValidationSet cut = ValidationSet.Create([large, small], 16, 400, wholeDocuments: false, EndOfText);
        Assert.Equal(300, cut.Documents.Where(d => d.Domain == 0).Sum(d => d.TargetCount));
        Assert.Equal(100, cut.Documents.Where(d => d.Domain == 1).Sum(d => d.TargetCount));
        ValidationSet whole = ValidationSet.Create([large, small], 16, 410, wholeDocuments: true, EndOfText);
        Assert.All(whole.Documents, d => Assert.Equal(50, d.TargetCount));
        Assert.True(whole.TargetCount >= 410);
    }

    [Fact]
    public void NoValidationText_IsNamed() =>
        Assert.Contains(
            "no validation text",
            Assert.Throws<DataFormatException>(() => ValidationSet.Create([null], 8, 100, true, 0)).Message,
            StringComparison.Ordinal
        );

    private static TokenShard Shard(TemporaryFolder folder, string name, params int[][] documents)
    {
        string path = Path.Combine(folder.Path, name + ".bin");
        using (var writer = new TokenShardWriter(path, TokenType.U16))
        {
            Array.ForEach(documents, document => writer.WriteDocument(document));
            writer.Complete();
        }

        return TokenShard.Open(path);
    }
}
