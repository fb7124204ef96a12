using Saltern.Batches;

namespace Saltern.Tests.Batches;

public class BatchLoaderTests
{
    private static readonly SampleSpace Space = new("data", 2, false, "causal");

    [Fact]
    public void ABatchThatWasReadAhead_IsNotReadAgain_UnlessItIsAnother()
    {
        var reader = new CountingReader(20);
        using var loader = new BatchLoader(reader, [1], 5);
        IReadOnlyList<SampleKey> ahead = loader.ReadAhead(4);
        Assert.Equal(ahead, loader.Next(4).Samples);
        Assert.Equal(4, reader.Reads);

        // Read ahead once more, but asked for at another place: the eight are read, and the four are dropped for good.
        loader.ReadAhead(4);
        loader.Position = 8;
        Batch elsewhere = loader.Next(4);
        Assert.Equal((8L, 12), (elsewhere.FirstPosition, reader.Reads));
        loader.Next(4);
        Assert.Equal(16, reader.Reads);
    }

    [Fact]
    public void WhatFailedAhead_FailsWhereItIsAskedFor_AndNotAtTheEnd()
    {
        var reader = new CountingReader(20) { Fails = true };
        var loader = new BatchLoader(reader, [1], 5);
        loader.ReadAhead(4);
        Assert.Throws<IOException>(() => loader.Next(4));

        var left = new BatchLoader(reader, [1], 5);
        left.ReadAhead(4);
        left.Dispose();
        left.Dispose();
    }

    [Fact]
    public void Dispose_WaitsForWhatIsBeingRead_AsItsShardsMayBeClosedThen()
    {
        var reader = new CountingReader(20) { Slow = TimeSpan.FromMilliseconds(20) };
        var loader = new BatchLoader(reader, [1], 5);
        loader.ReadAhead(4);
        loader.Dispose();
        Assert.Equal(4, reader.Reads);
    }

    [Fact]
    public void FirstSamples_BeginAtTheStartWhereverTheStreamStands()
    {
        using var loader = new BatchLoader(new CountingReader(100), [1], 5);
        long[] start = [.. loader.Next(4).Samples.Select(key => key.Index).Order()];
        Assert.Equal(start, loader.FirstSamples(4, fromSubset: false).Select(key => key.Index));
    }

    [Fact]
    public void FirstSamples_AreDistinctInOrder_AndLeaveThePosition()
    {
        using var loader = new BatchLoader(
            new CountingReader(6),
            [1],
            5,
            new SampleSubset([
                [1L, 3L],
            ])
        );
        loader.Next(3);
        loader.Next(3, fromSubset: true);
        Assert.Equal([0L, 1L, 2L, 3L, 4L, 5L], loader.FirstSamples(9, fromSubset: false).Select(key => key.Index));
        Assert.Equal([1L, 3L], loader.FirstSamples(3, fromSubset: true).Select(key => key.Index));
        Assert.Single(loader.FirstSamples(1, fromSubset: true));
        Assert.Equal((6L, 3L), (loader.Position, loader.SubsetPosition));
        Assert.Equal(6, loader.EpochLength);
    }

    [Fact]
    public void ALoaderWithoutASubset_DrawsFromAllWhateverItIsAskedFor()
    {
        using var plain = new BatchLoader(new CountingReader(6), [1], 5);
        SampleKey[] expected = plain.Peek(4);
        Assert.Equal(expected, plain.Peek(4, fromSubset: true));
        Assert.Equal(
            expected.Select(key => key.Index).Order(),
            plain.FirstSamples(4, fromSubset: true).Select(key => key.Index)
        );
        plain.SubsetPosition = 3;
        // A resumed run still says how many were drawn from a subset that it needs no more.
        Assert.Equal((0L, 3L), (plain.Position, plain.SubsetPosition));
        Assert.Null(plain.SubsetStream);
    }

    [Fact]
    public void Stage1Order_KnowsTheSubsetsSamples_ButNotTheBatchSize()
    {
        string[] orders = [.. new long[]?[] { null, [1, 3], [1, 4], [1, 3, 4] }.Select(Order)];
        Assert.Equal(4, orders.Distinct().Count());
        Assert.Equal(orders[1], Order([1, 3]));

        using var plain = new BatchLoader(new CountingReader(6), [1], 5);
        Assert.Equal(plain.Fingerprint(Space, 0), orders[0]);
        Assert.NotEqual(plain.Fingerprint(Space, 4), orders[0]);

        static string Order(long[]? subset)
        {
            SampleSubset? chosen = subset is null ? null : new SampleSubset([subset]);
            using var loader = new BatchLoader(new CountingReader(6), [1], 5, chosen);
            return loader.Stage1Order(Space);
        }
    }

    private sealed class CountingReader(long samples) : ISampleReader
    {
        private int _reads;

        public int Reads => _reads;

        public bool Fails { get; init; }

        public TimeSpan Slow { get; init; }

        public int SequenceLength => 2;

        public bool HasRanges => false;

        public IReadOnlyList<long> Sizes => [samples];

        public void Read(int domain, long index, Span<long> inputs, Span<long> labels, Span<int> first, Span<int> end)
        {
            Thread.Sleep(Slow);
            Interlocked.Increment(ref _reads);
            if (Fails)
            {
                throw new IOException("no more");
            }

            inputs.Fill(index);
            labels.Fill(index);
        }
    }
}
