using Saltern.Batches;
using Saltern.Guidance;

namespace Saltern.Tests.Guidance;

public sealed class CacheShardTests : IDisposable
{
    private static readonly TeachPlan Plan = new()
    {
        Samples = new SampleSpace("sha256:data", 4, false, "causal"),
        Tokenizer = "sha256:tokenizer",
        VocabularySize = 300,
        TeacherWeights = "sha256:weights",
        Temperature = 1,
        Mode = CacheMode.Sampled,
        Draws = 4,
        Coverage = new TeachCoverage(2, 9, "sha256:samples", null, 2),
        ShardSamples = 16,
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SampledRecord_IsReadBack_MostLikelyTokenFirst()
    {
        byte[] record = new byte[CacheRecord.LargestBytes(Plan)];
        var summary = new PositionSummary(1.5f, 2.25f, 0.75f, 3);
        int length = CacheRecord.WriteSampled(record, Plan, summary, best: 7, [2, 7, 299], [1, 2, 1]);
        Assert.Equal(8 + (3 * 3), length); // 8 + 3K bytes
        SampleLabels labels = SampleLabels.Read(record.AsSpan(0, length), Plan, "here");
        Assert.Equal([7, 2, 299], labels.Ids);
        Assert.Equal([0.5f, 0.25f, 0.25f], labels.Probabilities);
        Assert.Equal(
            (1.5f, 2.25f, 0.75f, (byte)3),
            (labels.Nll[0], labels.NllTempered[0], labels.Entropy[0], labels.Rank[0])
        );

        // The most likely token is there with count 0 where it was not drawn.
        length = CacheRecord.WriteSampled(record, Plan, summary, best: 9, [2, 7], [1, 3]);
        labels = SampleLabels.Read(record.AsSpan(0, length), Plan, "here");
        Assert.Equal([9, 2, 7], labels.Ids);
        Assert.Equal([0f, 0.25f, 0.75f], labels.Probabilities);
    }

    [Fact]
    public void WideIds_AndTopK_AreReadBack()
    {
        TeachPlan wide = Plan with { VocabularySize = 70_000 };
        TeachPlan top = wide with { Mode = CacheMode.TopK, Draws = 0, Kept = 2 };
        byte[] record = new byte[100];
        int length = CacheRecord.WriteSampled(record, wide, new PositionSummary(1, 1, 1, 1), 69_999, [69_999], [4]);
        Assert.Equal(8 + 5, length); // 8 + 5K bytes
        Assert.Equal([69_999], SampleLabels.Read(record.AsSpan(0, length), wide, "here").Ids);
        length = CacheRecord.WriteTopK(record, top, new PositionSummary(1, 1, 1, 255), [66_000, 4], [0.5f, 0.25f]);
        SampleLabels labels = SampleLabels.Read(record.AsSpan(0, length), top, "here");
        Assert.Equal([66_000, 4], labels.Ids);
        Assert.Equal([0.5f, 0.25f], labels.Probabilities);
    }

    [Fact]
    public void AnyFlippedByte_IsFound()
    {
        string path = Write();
        byte[] bytes = File.ReadAllBytes(path);
        for (int at = 0; at < bytes.Length; at++)
        {
            if (at is >= 68 and < CacheShard.HeaderBytes)
            {
                continue; // the header's filling, which nothing reads
            }

            byte[] flipped = [.. bytes];
            flipped[at] ^= 0x10;
            File.WriteAllBytes(path, flipped);
            Assert.Throws<DataFormatException>(() =>
            {
                using CacheShard shard = CacheShard.Open(path, Plan);
                for (int row = 0; row < shard.Count; row++)
                {
                    shard.Read(row);
                }
            });
        }
    }

    [Fact]
    public void CutFiles_AndLyingLengths_AreRefusedByName()
    {
        string path = Write();
        byte[] bytes = File.ReadAllBytes(path);
        for (int length = 0; length < bytes.Length; length += 5)
        {
            File.WriteAllBytes(path, bytes[..length]);
            Assert.Contains(
                path,
                Assert.Throws<DataFormatException>(() => CacheShard.Open(path, Plan)).Message,
                StringComparison.Ordinal
            );
        }

        byte[] lying = [.. bytes];
        BitConverter.TryWriteBytes(lying.AsSpan(12), uint.MaxValue);
        BitConverter.TryWriteBytes(lying.AsSpan(16), long.MaxValue);
        File.WriteAllBytes(path, lying);
        Assert.Contains(
            "not those of 4294967295 samples",
            Assert.Throws<DataFormatException>(() => CacheShard.Open(path, Plan)).Message,
            StringComparison.Ordinal
        );
        File.WriteAllBytes(path, bytes);
        Assert.Contains(
            "belongs to another pass",
            Assert.Throws<DataFormatException>(() => CacheShard.Open(path, Plan with { Temperature = 2 })).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0, 1, 5, 0 }, "1 entries of 3 bytes, but 2 bytes follow")]
    [InlineData(new byte[] { 0, 0, 0, 0, 0, 0, 0, 1 }, "has 0 entries")]
    [InlineData(new byte[] { 1, 0, 0 }, "is cut off after 3 of 8 bytes")]
    [InlineData(
        new byte[] { 1, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF, 4 },
        "has the token 65535, outside the vocabulary of 300"
    )]
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0, 1, 5, 0, 3 }, "has shares that add up to 0.75")]
    [InlineData(new byte[] { 1, 0, 0xFE, 0, 0, 0, 0, 1, 5, 0, 4 }, "losses NaN")]
    public void RecordsThatNoPassWrites_AreRefused(byte[] record, string expected) =>
        Assert.Contains(
            expected,
            Assert.Throws<DataFormatException>(() => SampleLabels.Read(record, Plan, "here")).Message,
            StringComparison.Ordinal
        );

    private string Write()
    {
        byte[] first = [1, 0, 0x3C, 0, 0x3C, 0, 0x38, 1, 5, 0, 4];
        byte[] second = [2, 0, 0x40, 0, 0x40, 0, 0x38, 2, 5, 0, 1, 6, 0, 3];
        string path = _folder["0.teach"];
        CacheShard.Write(path, Plan, [(0, 3), (1, 0)], [first, second], seconds: 1.5);
        using CacheShard shard = CacheShard.Open(path, Plan);
        Assert.Equal((2, 1.5, 1, -1), (shard.Count, shard.Seconds, shard.Find(1, 0), shard.Find(0, 4)));
        return path;
    }
}
