using Saltern.Batches;
using Saltern.Runs;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Batches;

public class RankShareTests
{
    [Theory]
    [InlineData(8, 1)]
    [InlineData(8, 3)]
    [InlineData(7, 7)]
    public void TheRanks_ShareABatchWithoutOverlap(int batch, int ranks)
    {
        int[] samples = [.. Enumerable.Range(0, batch)];
        int[][] shares = [.. Enumerable.Range(0, ranks).Select(rank => samples[new RankShare(rank, ranks).Of(batch)])];
        Assert.Equal(samples, shares.SelectMany(share => share));
        Assert.True(shares.Max(share => share.Length) - shares.Min(share => share.Length) <= 1);
    }

    [Fact]
    public void TheStream_DoesNotDependOnTheNumberOfRanks()
    {
        using RunParts one = RunParts.Open(TinyRun.Shared.Plain("stream", 5), null);
        RunParts[] three =
        [
            .. Enumerable
                .Range(0, 3)
                .Select(rank =>
                {
                    RunParts parts = RunParts.Open(TinyRun.Shared.Plain("stream", 5), null);
                    parts.Batches.Share = new RankShare(rank, 3);
                    return parts;
                }),
        ];
        for (int step = 0; step < 3; step++)
        {
            Batch whole = one.Batches.Next(8);
            Batch[] shares = [.. three.Select(parts => parts.Batches.Next(8))];
            Assert.Equal(whole.Samples, shares.SelectMany(share => share.Samples));
            Assert.Equal(whole.CountedPositions, shares.Sum(share => share.CountedPositions));
            Assert.All(shares, share => Assert.Equal(whole.FirstPosition, share.FirstPosition));

            // What is read ahead is the rank's own share, and is what comes next.
            Assert.Equal(three[1].Batches.ReadAhead(8), three[1].Batches.Peek(8)[new RankShare(1, 3).Of(8)]);
        }

        Assert.All(three, parts => Assert.Equal(24, parts.Batches.Position));
        Array.ForEach(three, parts => parts.Dispose());
    }
}
