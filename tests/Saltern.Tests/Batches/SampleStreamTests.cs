using CsCheck;
using Saltern.Batches;

namespace Saltern.Tests.Batches;

public class SampleStreamTests
{
    [Fact]
    public void KeyedPermutation_HitsEveryElementOnce() =>
        Gen.Select(Gen.Long[1, 3_000], Gen.ULong)
            .Sample(
                (count, key) =>
                {
                    var permutation = new KeyedPermutation(count, key);
                    return Enumerable
                            .Range(0, (int)count)
                            .Select(i => permutation[i])
                            .Distinct()
                            .Count(value => value >= 0 && value < count) == count;
                },
                iter: 200
            );

    [Fact]
    public void KeyedPermutation_DependsOnTheKey()
    {
        var first = new KeyedPermutation(1_000, 1);
        var second = new KeyedPermutation(1_000, 2);
        int same = Enumerable.Range(0, 1_000).Count(i => first[i] == second[i]);
        Assert.InRange(same, 0, 10); // one expected
    }

    [Fact]
    public void KeyedPermutation_SpreadsNeighbours()
    {
        var permutation = new KeyedPermutation(100_000, 42);
        double meanDistance = Enumerable
            .Range(0, 10_000)
            .Average(i => Math.Abs((double)permutation[i] - permutation[i + 1]));
        Assert.InRange(meanDistance, 30_000, 37_000); // a third of the range for independent draws
    }

    // Runs are compared and resumed across versions, so these numbers stay. Worked out apart from the code, from the description in docs/method.md.
    [Fact]
    public void TheOrderOfASeed_NeverChanges()
    {
        Assert.Equal(0xE220A8397B1DCDAF, KeyedPermutation.Mix(0)); // SplitMix64's first number, as published
        KeyedPermutation ten = new(10, 42);
        Assert.Equal([5, 8, 3, 1, 2, 7, 4, 6, 9, 0], Enumerable.Range(0, 10).Select(i => ten[i]));
        KeyedPermutation large = new(1_000_000_007, 42);
        Assert.Equal([226653031, 662720830, 880295968, 568137399], Enumerable.Range(0, 4).Select(i => large[i]));

        var stream = new SampleStream([5, 3, 0], seed: 7);
        (int, long, long)[] expected =
        [
            (0, 4, 0),
            (1, 1, 0),
            (0, 3, 0),
            (0, 2, 0),
            (1, 0, 0),
            (0, 1, 0),
            (1, 2, 0),
            (0, 0, 0),
            (0, 0, 1),
            (1, 1, 1),
            (0, 1, 1),
            (0, 2, 1),
        ];
        Assert.Equal(
            expected,
            Enumerable.Range(0, 12).Select(_ => stream.Next()).Select(k => (k.Domain, k.Index, k.Epoch))
        );
    }

    [Fact]
    public void KeyedPermutation_RefusesWhatIsNotAnElement()
    {
        var permutation = new KeyedPermutation(3, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => permutation[-1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => permutation[3]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeyedPermutation(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SampleStream([3], 1).Seek(-1));
    }

    [Fact]
    public void CountByDomain_LeavesThePosition()
    {
        var stream = new SampleStream([600, 300, 100], seed: 1);
        stream.Seek(17);
        Assert.Equal([60, 30, 10], stream.CountByDomain(100));
        Assert.Equal(17, stream.Position);
        Assert.Equal(1_000, stream.EpochLength);
    }

    [Fact]
    public void Fingerprint_DependsOnAllThatDecidesTheOrder()
    {
        var space = new SampleSpace("data", 16, false, "causal");
        string[] prints =
        [
            new SampleStream([5, 3], seed: 7).Fingerprint(space, 4),
            new SampleStream([5, 3], seed: 8).Fingerprint(space, 4),
            new SampleStream([5, 3], [0.5, 0.5], seed: 7).Fingerprint(space, 4),
            new SampleStream([5, 3], seed: 7).Fingerprint(space, 5),
            new SampleStream([5, 3], seed: 7).Fingerprint(space with { SequenceLength = 17 }, 4),
        ];
        Assert.Equal(5, prints.Distinct().Count());
        Assert.Equal(prints[0], new SampleStream([5, 3], [0.625, 0.375], seed: 7).Fingerprint(space, 4));
    }

    [Fact]
    public void AnEpoch_TakesEverySampleOfEveryDomainOnce()
    {
        long[] sizes = [700, 90, 1, 0, 209];
        var stream = new SampleStream(sizes, seed: 5);
        SampleKey[] epoch = [.. Enumerable.Range(0, 1_000).Select(_ => stream.Next())];
        Assert.Equal(1_000, epoch.Distinct().Count());
        Assert.All(epoch, sample => Assert.Equal(0, sample.Epoch));
        Assert.Equal(
            sizes,
            Enumerable.Range(0, 5).Select(domain => (long)epoch.Count(sample => sample.Domain == domain))
        );
    }

    [Fact]
    public void TheNextEpoch_HasAnotherOrder()
    {
        var stream = new SampleStream([50], seed: 5);
        long[] first = [.. Enumerable.Range(0, 50).Select(_ => stream.Next().Index)];
        long[] second = [.. Enumerable.Range(0, 50).Select(_ => stream.Next().Index)];
        Assert.NotEqual(first, second);
        Assert.Equal(first.Order(), second.Order());
    }

    [Fact]
    public void EveryStretch_HasEveryDomainInItsShare()
    {
        var stream = new SampleStream([600, 300, 100], seed: 1);
        for (int batch = 0; batch < 30; batch++)
        {
            int[] domains = [.. Enumerable.Range(0, 20).Select(_ => stream.Next().Domain)];
            Assert.InRange(domains.Count(d => d == 0), 11, 13);
            Assert.InRange(domains.Count(d => d == 1), 5, 7);
            Assert.InRange(domains.Count(d => d == 2), 1, 3);
        }
    }

    [Fact]
    public void Seek_GoesOnAsIfNeverInterrupted() =>
        Gen.Select(Gen.Int[0, 900], Gen.Int[0, 100])
            .Sample(
                (position, seed) =>
                {
                    var whole = new SampleStream([31, 7, 120], seed);
                    for (int i = 0; i < position; i++)
                    {
                        whole.Next();
                    }

                    var sought = new SampleStream([31, 7, 120], seed);
                    sought.Seek(position);
                    return Enumerable.Range(0, 40).All(_ => whole.Next() == sought.Next())
                        && whole.Position == sought.Position;
                },
                iter: 100
            );

    [Fact]
    public void DueTimes_DecideTheOrder()
    {
        // Shares ⅔ and ⅓: due at 0.75, 2.25 and 1.5, so first, second, first, and again.
        var stream = new SampleStream([2, 1], seed: 1);
        Assert.Equal([0, 1, 0, 0, 1, 0], Enumerable.Range(0, 6).Select(_ => stream.Next().Domain));
    }

    [Fact]
    public void Seek_TakesNoTimeFarOut()
    {
        var stream = new SampleStream([1_000_003, 77, 0, 12_345_678], [0.3, 0.1, 0, 0.6], seed: 1);
        const long Far = 3_000_000_000_000;
        TimeSpan before = Environment.CpuUsage.TotalTime;
        stream.Seek(Far);
        // one step a position would take hours
        Assert.InRange(Environment.CpuUsage.TotalTime - before, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(Far, stream.Position);
        long[] counts = stream.CountByDomain(Far);
        Assert.Equal(Far, counts.Sum());
        Assert.All(Enumerable.Range(0, 4), i => Assert.InRange(counts[i] - (Far * stream.Shares[i]), -2, 2));
    }

    [Fact]
    public void Seek_WithAnyShares_GoesOnAsIfNeverInterrupted() =>
        Gen.Select(Gen.Double[0.001, 1].Array[1, 9], Gen.Int[0, 2_000])
            .Sample(
                (weights, position) =>
                {
                    double[] shares = [.. weights.Select(weight => weight / weights.Sum())];
                    long[] sizes = [.. shares.Select((_, i) => 3L + (i * 5))];
                    SampleStream whole = new(sizes, shares, 4);
                    SampleStream sought = new(sizes, shares, 4);
                    for (int i = 0; i < position; i++)
                    {
                        whole.Next();
                    }

                    sought.Seek(position);
                    return Enumerable.Range(0, 30).All(_ => whole.Next() == sought.Next());
                },
                iter: 300
            );

    [Fact]
    public void ADomainWithoutSamples_IsNeverDrawn_WhateverItsShare()
    {
        var stream = new SampleStream([3, 0, 4], [0.25, 0.5, 0.25], seed: 1);
        Assert.Equal([0, 2, 0, 2], Enumerable.Range(0, 4).Select(_ => stream.Next().Domain));
        Assert.Equal([50, 0, 50], stream.CountByDomain(100));
    }

    [Fact]
    public void NoSamples_AreNamed() =>
        Assert.Contains(
            "No domain",
            Assert.Throws<DataFormatException>(() => new SampleStream([0, 0], 1)).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData(0, 0)]
    [InlineData(16, 0)]
    [InlineData(17, 1)]
    [InlineData(32, 1)]
    [InlineData(33, 2)]
    public void SamplesIn_DropsTheShortTail(long tokens, long expected) =>
        Assert.Equal(expected, SampleStream.SamplesIn(tokens, 16));
}
