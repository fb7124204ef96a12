using System.Runtime.InteropServices;
using Saltern.Distributed;

namespace Saltern.Tests.Distributed;

public class AgreementTests
{
    [Fact]
    public void Sums_AreMadeInTheOrderOfTheRanks()
    {
        // 1 + 1e16 − 1e16 is 0 in this order and 1 in another.
        var ranks = new FixedRanks([1, 2], [1e16, 3], [-1e16, 4]);
        Assert.Equal([0, 9], ranks.Sum(1, 2));
        Assert.Equal(1e16, new FixedRanks([1.0], [1e16], [-1e16]).Max(1));
        Assert.True(new FixedRanks([0.0], [1.0]).Any(false));
        Assert.False(new FixedRanks([0.0], [0.0]).Any(false));
    }

    [Fact]
    public void Alone_EverythingIsWhatItWas()
    {
        using var alone = new SingleProcess();
        float[] values = [1, 2, 3];
        float[] copy = new float[3];
        alone.AllReduceSum(values);
        alone.ReduceScatterSum(values, copy);
        Assert.Equal([1, 2, 3], copy);
        Assert.Equal([4, double.NaN], alone.Sum(4, double.NaN));
        Assert.Equal(5, alone.FromFirst(5));
        alone.RequireSame("This", "x", "");
    }

    [Fact]
    public void AnotherTextOnOneRank_EndsAllWithItsNumber()
    {
        string message = Assert
            .Throws<DistributedException>(() =>
                new FixedRanks([0.0], [1.0], [1.0]).RequireSame("The step", "step 10", "Look.")
            )
            .Message;
        Assert.Contains(
            "The step differs between rank 0 and rank 1 (on rank 0: step 10). Look.",
            message,
            StringComparison.Ordinal
        );
    }

    // What each rank gives is fixed; this is rank 0.
    private sealed class FixedRanks(params double[][] given) : ICommunicator
    {
        public int Rank => 0;

        public int Size => given.Length;

        public string Activity { get; set; } = "";

        public void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
            where T : unmanaged =>
            given.SelectMany(values => values).ToArray().AsSpan().CopyTo(MemoryMarshal.Cast<T, double>(all));

        public void AllReduceSum(Span<float> values) => throw new NotSupportedException();

        public void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share) =>
            throw new NotSupportedException();

        public void Broadcast<T>(Span<T> values, int root)
            where T : unmanaged => throw new NotSupportedException();

        public void Barrier() => throw new NotSupportedException();

        public void Abort(int exitCode) => throw new NotSupportedException();

        public void Dispose() { }
    }
}
