using System.Buffers.Binary;
using CsCheck;
using Saltern.Shards;

namespace Saltern.Tests.Shards;

public sealed class TokenShardTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Complete_WritesTheIndexOfTheFormatByteByByte()
    {
        using TokenShardWriter writer = new(_folder["a.bin"], TokenType.U16);
        writer.WriteDocument([1, 0x1234, 65535]);
        writer.WriteDocument([7]);
        WrittenShard written = writer.Complete();

        Assert.Equal("0100" + "3412" + "FFFF" + "0700", Convert.ToHexString(File.ReadAllBytes(_folder["a.bin"])));
        Assert.Equal(
            "4D4D49444944580000" // MMIDIDX\0\0
                + "0100000000000000" // version 1
                + "08" // uint16
                + "0200000000000000" // two sequences
                + "0300000000000000" // three document borders
                + "03000000"
                + "01000000" // lengths in tokens
                + "0000000000000000"
                + "0600000000000000" // byte offsets
                + "0000000000000000"
                + "0100000000000000"
                + "0200000000000000", // documents begin at sequences 0, 1 and end at 2
            Convert.ToHexString(File.ReadAllBytes(_folder["a.idx"]))
        );
        Assert.Equal(new FileInfo(_folder["a.idx"]).Length, MegatronIndex.ExpectedBytes(2));
        Assert.Equal((2, 4), (written.Documents, written.Tokens));
        Assert.Equal(Sha256(_folder["a.bin"]), written.BinSha256);
        Assert.Equal(Sha256(_folder["a.idx"]), written.IdxSha256);
    }

    [Fact]
    public void Open_ReadsAnIndexWrittenByHandWithSequencesThatShareADocument()
    {
        // Three sequences in two documents, and an empty document, as other tools may write them.
        _folder.Write("m.bin", Convert.FromHexString("01000000" + "02000000" + "03000000" + "FF000100"));
        _folder.Write("m.idx", Index(4, [2, 0, 2], [0, 8, 8], [0, 2, 2, 3]));

        using TokenShard shard = TokenShard.Open(_folder["m.bin"]);

        Assert.Equal((TokenType.I32, 4, 3), (shard.Type, shard.TokenCount, shard.DocumentCount));
        Assert.Equal([0L, 2, 2], Enumerable.Range(0, 3).Select(shard.DocumentStart));
        Assert.Equal([2, 0, 2], Enumerable.Range(0, 3).Select(shard.DocumentLength));
        Assert.Equal([2, 3, 65791], shard.Int32Tokens(1, 3).ToArray());
    }

    [Theory]
    [InlineData(TokenType.U16, 65535)]
    [InlineData(TokenType.I32, int.MaxValue)]
    public void Read_GivesBackWhatWasWritten(Enum width, int largest) =>
        Gen.Int[0, largest]
            .Array[0, 50]
            .List[1, 20]
            .Sample(
                documents =>
                {
                    string path = _folder[$"{Guid.NewGuid():N}.bin"];
                    using (TokenShardWriter writer = new(path, (TokenType)width))
                    {
                        documents.ForEach(document => writer.WriteDocument(document));
                        writer.Complete();
                    }

                    using TokenShard shard = TokenShard.Open(path);
                    long[] stream = new long[shard.TokenCount];
                    shard.Read(0, stream);
                    Assert.Equal(documents.SelectMany(document => document).Select(id => (long)id), stream);
                    Assert.Equal(
                        documents.Select(document => document.Length),
                        Enumerable.Range(0, shard.DocumentCount).Select(shard.DocumentLength)
                    );
                    long middle = shard.TokenCount / 2;
                    long[] rest = new long[shard.TokenCount - middle];
                    shard.Read(middle, rest);
                    Assert.Equal(stream[(int)middle..], rest);
                },
                iter: 30
            );

    [Fact]
    public void Read_RefusesRangesOutsideTheStreamAndTheWrongType()
    {
        using TokenShard shard = Write([1, 2, 3]);

        Assert.Throws<ArgumentOutOfRangeException>(() => shard.Read(1, new long[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.Read(-1, new long[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.Read(long.MaxValue, new long[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => shard.DocumentStart(1));
        Assert.Throws<InvalidOperationException>(() => shard.Int32Tokens(0, 1).Length);
        shard.Dispose();
        Assert.Throws<ObjectDisposedException>(() => shard.Read(0, new long[1]));
    }

    [Fact]
    public void FindTokenOutside_GivesTheFirstPosition()
    {
        using TokenShard shard = Write([.. Enumerable.Repeat(5, 10_000), 9, 300]);

        Assert.Equal(10_001, shard.FindTokenOutside(300));
        Assert.Equal(10_000, shard.FindTokenOutside(9));
        Assert.Equal(-1, shard.FindTokenOutside(301));
    }

    [Fact]
    public void Writer_NotCompletedLeavesNothing()
    {
        using (TokenShardWriter writer = new(_folder["a.bin"], TokenType.U16))
        {
            writer.WriteDocument([1]);
            Assert.False(File.Exists(_folder["a.bin"]));
        }

        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData(TokenType.U16, 65536)]
    [InlineData(TokenType.U16, -1)]
    [InlineData(TokenType.I32, -1)]
    public void Writer_RefusesIdsThatDoNotFit(Enum width, int id)
    {
        using TokenShardWriter writer = new(_folder["a.bin"], (TokenType)width);

        Assert.Throws<ArgumentOutOfRangeException>(() => writer.WriteDocument([0, id]));
    }

    [Theory]
    [InlineData(65_499, TokenType.U16)]
    [InlineData(65_500, TokenType.I32)]
    public void ForVocabulary_ChangesAtMegatronsBound(int vocabulary, Enum width) =>
        Assert.Equal(width, TokenTypes.ForVocabulary(vocabulary));

    // Shards keep to Megatron's bound; files of our own use 16 bits as long as every id fits.
    [Theory]
    [InlineData(65_500, TokenType.U16)]
    [InlineData(65_536, TokenType.U16)]
    [InlineData(65_537, TokenType.I32)]
    public void NarrowestFor_HoldsEveryId(int vocabulary, Enum width) =>
        Assert.Equal(width, TokenTypes.NarrowestFor(vocabulary));

    [Fact]
    public void Open_NamesTheFileAndWhatIsWrongWithIt()
    {
        byte[] good = Index(8, [3, 1], [0, 6], [0, 1, 2]);
        (string Expected, byte[] Index)[] hostile =
        [
            ("has 33 bytes, expected a header of 34", good[..33]),
            ("begins with 4E4D49444944580000, expected 4D4D49444944580000", With(good, 0, 0x4E)),
            ("has version 2, expected 1", With(good, 9, 2)),
            ("has token type 5, expected 8 (uint16) or 4 (int32)", With(good, 17, 5)),
            ("sequences", With(good, 25, 0xFF)), // 2^63 sequences and more must not be allocated
            ("expected 92233720368547758", With(good, 33, 0x10)),
            ($"has {good.Length - 1} bytes, expected {good.Length}", good[..^1]),
            ($"has {good.Length + 2} bytes, expected {good.Length}", [.. good, 0, 0]),
            ("sequence 0 has length -3, expected 0 or more", Index(8, [-3, 7], [0, 6], [0, 1, 2])),
            ("describes 5 tokens (10 bytes), found 8 bytes in a.bin beside it", Index(8, [3, 2], [0, 6], [0, 1, 2])),
            ("describes 2147483650 tokens", Index(8, [3, int.MaxValue], [0, 6], [0, 1, 2])),
            ("describes 4 tokens (16 bytes), found 8 bytes", Index(4, [3, 1], [0, 12], [0, 1, 2])),
            ("sequence 1 begins at byte 1000000, expected 6", Index(8, [3, 1], [0, 1_000_000], [0, 1, 2])),
            ("sequence 1 begins at byte -6, expected 6", Index(8, [3, 1], [0, -6], [0, 1, 2])),
            ("document border 0 is 1, expected 0", Index(8, [3, 1], [0, 6], [1, 1, 2])),
            ("document border 2 is 3, expected a number from 1 to 2", Index(8, [3, 1], [0, 6], [0, 1, 3])),
            ("document border 2 is 0, expected a number from 1 to 2", Index(8, [3, 1], [0, 6], [0, 1, 0])),
            ("expected the last one to be 2", Index(8, [3, 1], [0, 6], [0, 1])),
            ("has 0 document borders", Index(8, [3, 1], [0, 6], [])),
        ];
        _folder.Write("a.bin", new byte[8]);
        _folder.Write("a.idx", good);
        TokenShard.Open(_folder["a.bin"]).Dispose();

        foreach ((string expected, byte[] index) in hostile)
        {
            _folder.Write("a.idx", index);
            string message = Assert.Throws<DataFormatException>(() => TokenShard.Open(_folder["a.bin"])).Message;
            Assert.Contains(expected, message, StringComparison.Ordinal);
            Assert.Contains("a.idx", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Open_NamesAMissingFile()
    {
        _folder.Write("a.bin", new byte[8]);
        Assert.Contains(
            "a.idx' is missing",
            Assert.Throws<DataFormatException>(() => TokenShard.Open(_folder["a.bin"])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "b.bin' is missing",
            Assert.Throws<DataFormatException>(() => TokenShard.Open(_folder["b.bin"])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Open_TakesAShardWithoutTokens()
    {
        using (TokenShardWriter writer = new(_folder["a.bin"], TokenType.U16))
        {
            writer.Complete();
        }

        using TokenShard shard = TokenShard.Open(_folder["a.bin"]);
        Assert.Equal((0, 0), (shard.TokenCount, shard.DocumentCount));
        shard.Read(0, []);
    }

    private static string Sha256(string path) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)));

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        byte[] changed = [.. bytes];
        changed[at] = value;
        return changed;
    }

    private static byte[] Index(byte type, int[] lengths, long[] offsets, long[] borders)
    {
        List<byte> bytes = [.. "MMIDIDX\0\0"u8, 1, 0, 0, 0, 0, 0, 0, 0, type];
        Span<byte> number = stackalloc byte[8];
        foreach (long value in (long[])[lengths.Length, borders.Length])
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, value);
            bytes.AddRange(number);
        }

        foreach (int value in lengths)
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, value);
            bytes.AddRange(number[..4]);
        }

        foreach (long value in (long[])[.. offsets, .. borders])
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, value);
            bytes.AddRange(number);
        }

        return [.. bytes];
    }

    private TokenShard Write(int[] tokens)
    {
        using TokenShardWriter writer = new(_folder["w.bin"], TokenType.U16);
        writer.WriteDocument(tokens);
        writer.Complete();
        return TokenShard.Open(_folder["w.bin"]);
    }
}
