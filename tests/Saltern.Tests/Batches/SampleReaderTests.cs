using Saltern.Batches;
using Saltern.Shards;
using TorchSharp;

namespace Saltern.Tests.Batches;

public sealed class SampleReaderTests : IDisposable
{
    private readonly SampleShard _text = new([
        .. Enumerable.Range(0, 40).Select(i => new string((char)('a' + (i % 26)), 7 + (i * 5 % 23))),
    ]);

    public void Dispose() => _text.Dispose();

    [Fact]
    public void CausalSamples_AreTheTokensInOrder_AndEveryTargetCounts()
    {
        SampleReader reader = _text.Reader(Data(16));
        Batch sample = SampleShard.Sample(reader, 3);
        Assert.False(reader.HasRanges || sample.HasRanges);
        long[] text = new long[17];
        _text.Shard.Read(48, text);
        using torch.Tensor inputs = sample.Inputs([0]);
        Assert.Equal(text[..16], inputs.data<long>().ToArray());
        Assert.Equal(text[1..], sample.Labels([0]));
        Assert.Equal(16, sample.CountedPositions);
    }

    [Fact]
    public void MaskedDocuments_HandWorked()
    {
        // "aa", "b" and "cccc" with their ends E: a a E b E c c c | c: the first token of b and of c is a target across a border.
        using var text = new SampleShard(["aa", "b", "cccc"]);
        SampleReader reader = text.Reader(Data(8) with { MaskDocuments = true });
        Batch sample = SampleShard.Sample(reader, 0);
        (int[] first, int[] end) = sample.Ranges([0]);
        Assert.Equal([0, 0, 0, 3, 3, 5, 5, 5], first);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], end);
        long e = text.Tokenizer.EndOfTextId;
        long a = text.Tokenizer.Encode("a")[0];
        long c = text.Tokenizer.Encode("c")[0];
        Assert.Equal([a, e, -1, e, -1, c, c, c], sample.Labels([0]));
        Assert.Equal(6, sample.CountedPositions);
    }

    [Fact]
    public void IndexBorders_CountWithoutAnEndOfTextToken()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new TokenShardWriter(folder["x.bin"], TokenType.U16))
        {
            writer.WriteDocument([1, 2, 3]);
            writer.WriteDocument([4, 5, 6, 7, 8, 9]);
            writer.Complete();
        }

        using TokenShard shard = TokenShard.Open(folder["x.bin"]);
        SampleReader reader = SampleReader.Create(
            [shard],
            Data(8) with
            {
                MaskDocuments = true,
            },
            null,
            _text.Tokenizer
        );
        var sample = new Batch([new SampleKey(0, 0, 0)], reader, 0);
        Assert.Equal([2, 3, -1, 5, 6, 7, 8, 9], sample.Labels([0]));
        Assert.Equal([0, 0, 0, 3, 3, 3, 3, 3], sample.Ranges([0]).First);
    }

    [Fact]
    public void MaskedPrefixes_EndWithTheirDocument()
    {
        SampleReader free = _text.Reader(Data(64), new ObjectiveConfig { Prefix = 1 });
        SampleReader masked = _text.Reader(Data(64) with { MaskDocuments = true }, new ObjectiveConfig { Prefix = 1 });
        for (int index = 0; index < 8; index++)
        {
            ((int[] First, int[] End) without, (int[] First, int[] End) with) = (
                SampleShard.Sample(free, index).Ranges([0]),
                SampleShard.Sample(masked, index).Ranges([0])
            );
            int[] borders = [.. with.First.Distinct().Skip(1), 64];
            for (int t = 0; t < 64; t++)
            {
                Assert.Equal(Math.Min(without.End[t], borders.First(border => border > t)), with.End[t]);
            }
        }
    }

    [Fact]
    public void SpanPlan_IsThatOfTheMethod()
    {
        // T = 256: 232 tokens, 35 of them corrupted in 12 spans, 209 + 48 tokens.
        var plan = SpanPlan.Of(256, 0.15, 3);
        Assert.Equal(new SpanPlan(232, 35, 12), plan);
        Assert.Equal((209, 257), (plan.PrefixTokens, plan.StreamTokens));
        for (int length = 8; length < 2_000; length += 7)
        {
            SpanPlan any = SpanPlan.Of(length, 0.5, 1);
            Assert.InRange(any.StreamTokens, length / 2, length + 1);
            Assert.True(any.Spans >= 1 && any.Spans <= any.Corrupted && any.Spans <= any.Length - any.Corrupted);
        }
    }

    [Fact]
    public void SpanCorruption_HoldsTheWholeTextAndCountsItsSecondPart()
    {
        SampleReader reader = _text.Reader(Data(64), new ObjectiveConfig { Span = 1 });
        var plan = SpanPlan.Of(64, 0.15, 3);
        int[] sentinels = [.. SentinelTokens.Find(_text.Tokenizer, 100)];
        var streams = new HashSet<string>();
        for (int index = 0; index < 6; index++)
        {
            Batch sample = SampleShard.Sample(reader, index);
            using torch.Tensor inputs = sample.Inputs([0]);
            long[] stream = [.. inputs.data<long>(), 0];
            long[] labels = sample.Labels([0]);
            stream[^1] = labels[^1] >= 0 ? labels[^1] : _text.Tokenizer.EndOfTextId;
            long[] prefix = stream[..plan.PrefixTokens];
            long[] rest = stream[plan.PrefixTokens..plan.StreamTokens];
            var text = new List<long>();
            foreach (long id in prefix)
            {
                int number = Array.IndexOf(sentinels, (int)id);
                text.AddRange(
                    number < 0
                        ? [id]
                        : rest.SkipWhile(token => token != id)
                            .Skip(1)
                            .TakeWhile(token => !sentinels.Contains((int)token))
                            .Take(plan.Corrupted)
                );
            }

            // The last span runs into the end-of-text token.
            long[] original = new long[plan.Length];
            _text.Shard.Read(index * 64, original);
            Assert.Equal(original, text.Take(plan.Length));
            Assert.Equal(_text.Tokenizer.EndOfTextId, rest[^1]);
            Assert.All(labels[..(plan.PrefixTokens - 1)], label => Assert.Equal(-1, label));
            Assert.Equal(rest, labels.Where(label => label >= 0));
            Assert.Equal(rest.Length, sample.CountedPositions);
            (int[] first, int[] end) = sample.Ranges([0]);
            Assert.All(first, value => Assert.Equal(0, value));
            Assert.Equal(Enumerable.Range(0, 64).Select(t => Math.Max(plan.PrefixTokens, t + 1)), end);
            streams.Add(string.Join(' ', stream));
        }

        Assert.Equal(6, streams.Count);
    }

    [Fact]
    public void SpanCorruption_OfAnyLength_CountsItsSecondPartAndFillsUpWithTheEnd()
    {
        int filled = 0;
        for (int length = 16; length < 48; length++)
        {
            var plan = SpanPlan.Of(length, 0.15, 3);
            Batch sample = SampleShard.Sample(_text.Reader(Data(length), new ObjectiveConfig { Span = 1 }), 1);
            Assert.Equal(plan.StreamTokens - plan.PrefixTokens, sample.CountedPositions);
            long[] rest = sample.InputIds(0)[Math.Min(length, plan.StreamTokens)..].ToArray();
            Assert.All(rest, id => Assert.Equal(_text.Tokenizer.EndOfTextId, id));
            filled += rest.Length;
        }

        Assert.True(filled > 0);
    }

    [Fact]
    public void AsManySentinelsAsSpans_AreEnough()
    {
        using var text = new SampleShard(["some text that is long enough"], sentinels: 12);
        SampleReader reader = text.Reader(Data(256), new ObjectiveConfig { Span = 1, Sentinels = 12 });
        Assert.Equal(ObjectiveKind.Span, reader.KindOf(0, 0));
    }

    [Fact]
    public void Tasks_FallInTheirSharesWhateverSeedOrEpoch_AndPivotsAreUniform()
    {
        SampleReader reader = _text.Reader(
            Data(16),
            new ObjectiveConfig
            {
                Causal = 0.6,
                Prefix = 0.2,
                Span = 0.2,
            }
        );
        ObjectiveKind[] kinds = [.. Enumerable.Range(0, 20_000).Select(i => reader.KindOf(i % 3, i))];

        // Standard deviation of a share: √(0.24/20,000) = 0.0035; four of them.
        Assert.InRange(kinds.Count(kind => kind == ObjectiveKind.Causal) / 20_000.0, 0.586, 0.614);
        Assert.InRange(kinds.Count(kind => kind == ObjectiveKind.Prefix) / 20_000.0, 0.189, 0.211);
        Assert.NotEqual(
            kinds,
            Enumerable
                .Range(0, 20_000)
                .Select(i =>
                    _text
                        .Reader(
                            Data(16),
                            new ObjectiveConfig
                            {
                                Causal = 0.6,
                                Prefix = 0.2,
                                Span = 0.2,
                                Seed = 1,
                            }
                        )
                        .KindOf(i % 3, i)
                )
        );

        SampleReader prefix = _text.Reader(Data(8), new ObjectiveConfig { Prefix = 1 });
        int[] counted =
        [
            .. Enumerable
                .Range(0, (int)prefix.Sizes[0])
                .Select(i => (int)SampleShard.Sample(prefix, i).CountedPositions),
        ];
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], counted.Distinct().Order()); // T + 1 − pivot, pivot = 1 … T
    }

    [Fact]
    public void TooFewSentinels_AndMaskedSpans_AreRefused()
    {
        using var poor = new SampleShard(["some text that is long enough"], sentinels: 3);
        Assert.Contains(
            "has the 3 sentinels",
            Assert
                .Throws<ConfigurationException>(() => poor.Reader(Data(16), new ObjectiveConfig { Span = 1 }))
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "fewer than the 12 spans",
            Assert
                .Throws<ConfigurationException>(() =>
                    _text.Reader(Data(256), new ObjectiveConfig { Span = 1, Sentinels = 5 })
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "do not go together",
            Assert
                .Throws<ConfigurationException>(() =>
                    _text.Reader(Data(64) with { MaskDocuments = true }, new ObjectiveConfig { Span = 1 })
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void BatchSize_DoesNotChangeTheStream()
    {
        SampleReader reader = _text.Reader(Data(8));
        BatchLoader large = new(reader, [1], 5);
        BatchLoader small = new(reader, [1], 5);
        SampleKey[] whole = [.. large.Next(8).Samples, .. large.Next(8).Samples];

        // Two steps of 3, then a resume with batches of 5.
        SampleKey[] before = [.. small.Next(3).Samples, .. small.Next(3).Samples];
        var resumed = new BatchLoader(reader, [1], 5) { Position = small.Position };
        SampleKey[] pieces = [.. before, .. resumed.Next(5).Samples, .. resumed.Next(5).Samples];
        Assert.Equal(whole, pieces);
    }

    [Fact]
    public void ReadingAhead_ChangesNoBatch()
    {
        SampleReader reader = _text.Reader(Data(8));
        using BatchLoader plain = new(
            reader,
            [1],
            5,
            new SampleSubset([
                [2, 7, 11],
            ])
        );
        using BatchLoader ahead = new(
            reader,
            [1],
            5,
            new SampleSubset([
                [2, 7, 11],
            ])
        );
        foreach (bool fromSubset in new[] { true, true, false, false })
        {
            Batch expected = plain.Next(4, fromSubset);
            Batch actual = ahead.Next(4, fromSubset);
            Assert.Equal(expected.Samples, actual.Samples);
            Assert.Equal(expected.FirstPosition, actual.FirstPosition);
            Assert.Equal(expected.Labels([0, 1, 2, 3]), actual.Labels([0, 1, 2, 3]));

            // As the trainer does: the next step is taken to be like this one, which is wrong once.
            ahead.ReadAhead(4, fromSubset);
            Assert.Equal((plain.Position, plain.SubsetPosition), (ahead.Position, ahead.SubsetPosition));
        }
    }

    [Fact]
    public void ASubset_LeavesTheOtherStreamWhereItWouldHaveBeen()
    {
        SampleReader reader = _text.Reader(Data(8));
        BatchLoader plain = new(reader, [1], 5);
        BatchLoader selected = new(
            reader,
            [1],
            5,
            new SampleSubset([
                [2, 7, 11],
            ])
        );
        plain.Next(6);
        Batch stage1 = selected.Next(6, fromSubset: true);
        Assert.Equal([2, 2, 7, 7, 11, 11], stage1.Samples.Select(sample => sample.Index).Order()); // two epochs of three
        Assert.Equal((6, 6), (selected.Position, selected.SubsetPosition));
        Assert.Equal(plain.Next(4).Samples, selected.Next(4).Samples);
        Assert.Equal([(0, 2L), (0, 7L), (0, 11L)], selected.FirstSamples(5, fromSubset: true));
    }

    private static DataConfig Data(int length) => new() { Path = "unused", SequenceLength = length };
}
