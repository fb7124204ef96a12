using Saltern.Guidance;

namespace Saltern.Tests.Guidance;

public class DifficultyBucketsTests
{
    [Fact]
    public void Terciles_OfOneToNine_AreThreeAndSix()
    {
        float[] losses = [9, 1, 5, 3, 7, 2, 8, 4, 6];
        Assert.Equal([3, 6], DifficultyBuckets.Terciles(losses));
        Assert.Equal([3, 6], DifficultyBuckets.Terciles(Counts(losses)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(1_000)]
    public void BothForms_TakeTheSameRanks(int count)
    {
        float[] losses = [.. Enumerable.Range(0, count).Select(i => (float)(Half)(i * 0.37 % 7))];
        Assert.Equal(DifficultyBuckets.Terciles(Counts(losses)), DifficultyBuckets.Terciles(losses));
        Assert.Equal(
            [
                .. losses
                    .Order()
                    .Where(
                        (_, i) => i + 1 == (int)Math.Ceiling(count / 3.0) || i + 1 == (int)Math.Ceiling(2 * count / 3.0)
                    )
                    .Select(x => (double)x),
            ],
            DifficultyBuckets.Terciles(losses).Distinct()
        );
    }

    [Theory]
    [InlineData(3.0, 0)]
    [InlineData(3.1, 1)]
    [InlineData(6.0, 1)]
    [InlineData(6.1, 2)]
    public void Bounds_BelongToTheEasierBucket(double nll, int bucket) =>
        Assert.Equal(bucket, DifficultyBuckets.Of(nll, [3, 6]));

    private static long[] Counts(float[] losses)
    {
        long[] counts = new long[1 << 15];
        Array.ForEach(losses, loss => counts[BitConverter.HalfToUInt16Bits((Half)loss)]++);
        return counts;
    }
}
