using CsCheck;
using Saltern.Batches;
using Saltern.Shards;
using TorchSharp;

namespace Saltern.Tests.Batches;

public class DocumentPackerTests
{
    [Fact]
    public void Documents_GoLongestFirstIntoTheFullestSequenceWithRoom()
    {
        // T = 8. 5, 3, 8, 10 = 8 + 2, 2, 1: the eights alone, 5 + 3, and 2 (of the ten), 2 and 1, documents' beginnings first.
        using var folder = new TemporaryFolder();
        using TokenShard shard = Shard(folder["x.bin"], [5, 3, 8, 10, 2, 1]);
        var packer = new DocumentPacker(shard, 8);
        Assert.Equal(
            [
                [new Piece(8, 8, true)],
                [new Piece(16, 8, true)],
                [new Piece(0, 5, true), new Piece(5, 3, true)],
                [new Piece(26, 2, true), new Piece(28, 1, true), new Piece(24, 2, false)],
            ],
            Enumerable.Range(0, 4).Select(i => packer[i].ToArray())
        );
        Assert.Equal(new PackingCounts(4, 29, Padding: 3, Uncounted: 1, Inside: 0), packer.Counts);
    }

    [Fact]
    public void ALongDocument_IsCutIntoWholeSequencesAndItsEnd()
    {
        using var folder = new TemporaryFolder();
        using TokenShard shard = Shard(folder["x.bin"], [19]);
        var packer = new DocumentPacker(shard, 8);
        Assert.Equal(
            [
                [new Piece(0, 8, true)],
                [new Piece(8, 8, false)],
                [new Piece(16, 3, false)],
            ],
            Enumerable.Range(0, 3).Select(i => packer[i].ToArray())
        );
        Assert.Equal(new PackingCounts(3, 19, Padding: 5, Uncounted: 0, Inside: 2), packer.Counts);
    }

    [Fact]
    public void EveryToken_IsInOneSequenceOnce_WhateverTheDocuments() =>
        Gen.Int[1, 60]
            .Array[0, 300]
            .Sample(
                lengths =>
                {
                    using var folder = new TemporaryFolder();
                    using TokenShard shard = Shard(folder["x.bin"], lengths);
                    var packer = new DocumentPacker(shard, 16);
                    int[] seen = new int[lengths.Sum()];
                    for (long i = 0; i < packer.Counts.Sequences; i++)
                    {
                        IReadOnlyList<Piece> pieces = packer[i];
                        Assert.InRange(pieces.Sum(piece => piece.Length), 1, 16);
                        foreach (Piece piece in pieces)
                        {
                            for (int at = 0; at < piece.Length; at++)
                            {
                                seen[piece.Start + at]++;
                            }
                        }

                        // A beginning is first wherever there is one.
                        Assert.Equal(pieces.Any(piece => piece.BeginsDocument), pieces[0].BeginsDocument);
                    }

                    Assert.All(seen, times => Assert.Equal(1, times));
                    Assert.Equal(lengths.Sum(), packer.Counts.Tokens);
                    Assert.Equal((packer.Counts.Sequences * 16) - lengths.Sum(), packer.Counts.Padding);

                    // No two sequences could be one: best fit never opens one while another has room.
                    long half = Enumerable
                        .Range(0, (int)packer.Counts.Sequences)
                        .Count(i => packer[i].Sum(piece => piece.Length) <= 8);
                    Assert.InRange(half, 0, 1);
                },
                iter: 50
            );

    [Fact]
    public void Blocks_ArePackedByThemselves_AndFoundAgainInAnyOrder()
    {
        // 70 blocks and a bit, more than are kept: what comes out does not depend on what was asked before.
        using var folder = new TemporaryFolder();
        int documents = (70 * DocumentPacker.BlockDocuments) + 5;
        using TokenShard shard = Shard(
            folder["x.bin"],
            [.. Enumerable.Range(0, documents).Select(i => 1 + (i * 7 % 11))]
        );
        var packer = new DocumentPacker(shard, 16);
        var other = new DocumentPacker(shard, 16);
        long last = packer.Counts.Sequences - 1;
        long[] places = [0, last, last / 2, 1, last - 1, .. Enumerable.Range(0, 200).Select(i => i * last / 200)];
        Assert.All(places, place => Assert.Equal(other[place], packer[place]));
        Assert.All(places.Reverse(), place => Assert.Equal(other[place], packer[place]));
        Assert.Throws<ArgumentOutOfRangeException>(() => packer[last + 1]);

        // The tail of each block is all that does not fit: a sequence or less of 1,500.
        Assert.InRange(packer.Counts.Padding / (double)(packer.Counts.Sequences * 16), 0, 1e-3);
    }

    [Fact]
    public void Reader_BeginsWithADocumentBehindAnEndOfText_AndCountsWhatTextTells()
    {
        // T = 8, with ends E: "aaaa"E, "bb"E → E a a a a E b b | E; then "cccccccccc"E = 8 + 3 → E c … c, and c c c E with padding.
        using var text = new SampleShard(["aaaa", "bb", "cccccccccc"]);
        SampleReader reader = text.Reader(
            new DataConfig
            {
                Path = "x",
                SequenceLength = 8,
                Packing = PackingKind.BestFit,
            }
        );
        Assert.Equal([3L], reader.Sizes);
        long e = text.Tokenizer.EndOfTextId;
        (long a, long b, long c) = (
            text.Tokenizer.Encode("a")[0],
            text.Tokenizer.Encode("b")[0],
            text.Tokenizer.Encode("c")[0]
        );
        Expect(reader, 0, [e, c, c, c, c, c, c, c], [c, c, c, c, c, c, c, c]);
        Expect(reader, 1, [e, a, a, a, a, e, b, b], [a, a, a, a, e, b, b, e]);
        Expect(reader, 2, [c, c, c, e, e, e, e, e], [c, c, e, -1, -1, -1, -1, -1]);
        Assert.Equal((2L, 5L), (SampleShard.Sample(reader, 2).CountedPositions - 1, reader.Packing!.Padding));
    }

    [Fact]
    public void Reader_LeavesOutTheFirstTokenOfAContinuedDocumentBehindAnother()
    {
        // "cccccccccc"E = 8 + 3 beside "aaaa"E = 5: E a a a a E c c | E, and c behind a's end does not count.
        using var text = new SampleShard(["cccccccccc", "aaaa"]);
        SampleReader reader = text.Reader(
            new DataConfig
            {
                Path = "x",
                SequenceLength = 8,
                Packing = PackingKind.BestFit,
            }
        );
        long e = text.Tokenizer.EndOfTextId;
        (long a, long c) = (text.Tokenizer.Encode("a")[0], text.Tokenizer.Encode("c")[0]);
        Expect(reader, 1, [e, a, a, a, a, e, c, c], [a, a, a, a, e, -1, c, e]);
        Assert.Equal(1, reader.Packing!.Uncounted);
    }

    [Fact]
    public void MaskedDocuments_SeeTheirOwnPieceAlone()
    {
        using var text = new SampleShard(["cccccccccc", "aa", "b"]);
        SampleReader reader = text.Reader(
            new DataConfig
            {
                Path = "x",
                SequenceLength = 8,
                Packing = PackingKind.BestFit,
                MaskDocuments = true,
            }
        );

        // E a a E b E c c | E: "aa"E, "b"E and the end of c's; the end of text before the first is a document of its own.
        Batch sample = SampleShard.Sample(reader, 1);
        (int[] first, int[] end) = sample.Ranges([0]);
        long e = text.Tokenizer.EndOfTextId;
        (long a, long c) = (text.Tokenizer.Encode("a")[0], text.Tokenizer.Encode("c")[0]);
        Assert.Equal([0, 1, 1, 1, 4, 4, 6, 6], first);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], end);
        Assert.Equal([-1, a, e, -1, e, -1, c, e], sample.Labels([0]));
    }

    [Fact]
    public void SpanTraining_IsRefused()
    {
        using var text = new SampleShard(["aaaa"]);
        var data = new DataConfig
        {
            Path = "x",
            SequenceLength = 64,
            Packing = PackingKind.BestFit,
        };
        string message = Assert
            .Throws<ConfigurationException>(() => text.Reader(data, new ObjectiveConfig { Causal = 0.5, Span = 0.5 }))
            .Message;
        Assert.Contains(
            "objective.span and data.packing = best_fit do not go together",
            message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Space_IsThatOfBeforeForOneStream_AndAnotherForPackedDocuments()
    {
        var data = new DataConfig { Path = "x", SequenceLength = 64 };
        var stream = SampleSpace.Of("sha256:1", data, null);
        var packed = SampleSpace.Of("sha256:1", data with { Packing = PackingKind.BestFit }, null);
        Assert.Equal(new SampleSpace("sha256:1", 64, false, stream.Objective).Fingerprint, stream.Fingerprint);
        Assert.NotEqual(stream.Fingerprint, packed.Fingerprint);
        Assert.Equal(
            "teacher.cache = teach was made with data.packing = stream, but the run has best_fit. Make it again, or change the recipe.",
            Assert.Single(stream.DifferencesFrom(packed, "teacher.cache = teach"))
        );
    }

    private static void Expect(SampleReader reader, long index, long[] inputs, long[] labels)
    {
        Batch sample = SampleShard.Sample(reader, index);
        using torch.Tensor found = sample.Inputs([0]);
        Assert.Equal(inputs, found.data<long>().ToArray());
        Assert.Equal(labels, sample.Labels([0]));
    }

    private static TokenShard Shard(string path, int[] lengths)
    {
        using (var writer = new TokenShardWriter(path, TokenType.U16))
        {
            foreach (int length in lengths)
            {
                writer.WriteDocument([.. Enumerable.Range(0, length).Select(i => i % 97)]);
            }

            writer.Complete();
        }

        return TokenShard.Open(path);
    }
}
