using System.Buffers.Binary;
using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Shards;

public sealed class ForeignTokenDataTests : IDisposable
{
    private const int End = 259;

    private readonly TemporaryFolder _folder = new();

    public ForeignTokenDataTests()
    {
        // Ids 0 … 255 are bytes, 256 … 258 merges, 259 the end of text.
        BpeTokenizer tokenizer = BpeTrainer.Train(["abc abc abc abc"], new BpeTrainerOptions { VocabularySize = 260 });
        Assert.Equal((260, End), (tokenizer.VocabularySize, tokenizer.EndOfTextId));
        tokenizer.Save(_folder["tokenizer.json"]);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_ReadsNanoGptFiles()
    {
        _folder.Write("data/train.bin", U16(1, 2, End, 3, End, 4));
        _folder.Write("data/val.bin", U16(7, End, 8, 9, End));

        using TokenDataset dataset = Open("data");

        DatasetDomain domain = Assert.Single(dataset.Domains);
        Assert.Equal("text", domain.Name);
        Assert.Equal(
            [
                [1, 2, End],
                [3, End],
                [4],
            ],
            Documents(domain.Train!)
        );
        Assert.Equal(
            [
                [7, End],
                [8, 9, End],
            ],
            Documents(domain.Valid!)
        );
        Assert.True(dataset.IsUnverified);
        Assert.Equal(_folder["tokenizer.json"], dataset.TokenizerPath);
    }

    [Theory]
    [InlineData(20240520, 1, 2)]
    [InlineData(20240801, 7, 4)]
    public void Open_ReadsLlmCFiles(int magic, int version, int size)
    {
        _folder.Write("data/tiny_train.bin", LlmC(magic, version, size, End, 1, 2, End, 3));
        _folder.Write("data/tiny_val.bin", LlmC(magic, version, size, End, 5));

        using TokenDataset dataset = Open("data");

        Assert.Equal("tiny", Assert.Single(dataset.Domains).Name);
        Assert.Equal(
            [
                [End],
                [1, 2, End],
                [3],
            ],
            Documents(dataset.Domains[0].Train!)
        );
        Assert.Equal(
            [
                [End],
                [5],
            ],
            Documents(dataset.Domains[0].Valid!)
        );
    }

    [Fact]
    public void Open_ReadsMegatronShardsAndTakesTheSequencesOfADocumentTogether()
    {
        _folder.Write("m/wiki_text_document.bin", U16(1, 2, 3, End, 4, End));

        // Sequences of 2, 2 and 2 tokens; documents begin at sequences 0 and 2.
        byte[] index =
        [
            .. "MMIDIDX\0\0"u8,
            .. I64(1),
            8,
            .. I64(3),
            .. I64(3),
            .. I32(2, 2, 2),
            .. I64(0, 4, 8),
            .. I64(0, 2, 3),
        ];
        _folder.Write("m/wiki_text_document.idx", index);
        _folder.Write("m/wiki_val.bin", U16(9, End));
        _folder.Write(
            "m/wiki_val.idx",
            [.. "MMIDIDX\0\0"u8, .. I64(1), 8, .. I64(1), .. I64(2), .. I32(2), .. I64(0), .. I64(0, 1)]
        );

        using TokenDataset dataset = Open("m");

        Assert.Equal(["wiki", "wiki_text_document"], dataset.Domains.Select(domain => domain.Name));
        Assert.Equal(
            [
                [1, 2, 3, End],
                [4, End],
            ],
            Documents(dataset.Domains[1].Train!)
        );
        Assert.Equal(
            [
                [9, End],
            ],
            Documents(dataset.Domains[0].Valid!)
        );

        // A prefix, as Megatron's own command line names data; and no document begins in the last percent of six tokens.
        Assert.Contains(
            "no document that begins in the last 1 %",
            Problem(() => Open("m/wiki_text_document")),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_SplitsOffTheLastDocumentsWhereThereIsNoValidationText(bool megatron)
    {
        // 300 documents of 4 tokens. The last percent of 1,200 tokens begins at 1,188, where document 297 does.
        int[][] documents = [.. Enumerable.Range(0, 300).Select(i => new[] { i % 256, i / 256, 5, End })];
        if (megatron)
        {
            using TokenShardWriter writer = new(_folder.Write("all.bin", ""), TokenType.U16);
            Array.ForEach(documents, document => writer.WriteDocument(document));
            writer.Complete();
        }
        else
        {
            _folder.Write("all.bin", U16([.. documents.SelectMany(document => document)]));
        }

        using TokenDataset dataset = Open("all.bin");

        DatasetDomain domain = Assert.Single(dataset.Domains);
        Assert.Equal("all", domain.Name);
        Assert.Equal(documents[..297], Documents(domain.Train!));
        Assert.Equal(documents[297..], Documents(domain.Valid!));
    }

    [Fact]
    public void Open_NamesIdsOutsideTheVocabularyAndWrongFiles()
    {
        _folder.Write("a/train.bin", U16(1, 2, 260));
        Assert.Contains(
            "train.bin' has a token outside the vocabulary of 260 ids at position 2",
            Problem(() => Open("a")),
            StringComparison.Ordinal
        );
        _folder.Write("b/train.bin", [1, 2, 3]);
        Assert.Contains("has 3 bytes, an odd number", Problem(() => Open("b")), StringComparison.Ordinal);
        _folder.Write("c/train.bin", LlmC(20240520, 1, 2, 1, 2)[..^1]);
        Assert.Contains(
            "has 1027 bytes, expected 1028 for the 2 tokens",
            Problem(() => Open("c")),
            StringComparison.Ordinal
        );
        _folder.Write("d/train.bin", LlmC(20240520, 2, 2, 1, 2));
        Assert.Contains(
            "magic 20240520 with version 2, expected 1",
            Problem(() => Open("d")),
            StringComparison.Ordinal
        );
        _folder.Write("e/x_train.bin", U16(1, End));
        _folder.Write("e/x.bin", U16(1, End));
        Assert.Contains("are both training text of 'x'", Problem(() => Open("e")), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AsksForATokenizerWhereItIsNeededAndRefusesItWhereItIsNot()
    {
        _folder.Write("data/train.bin", U16(1, End));
        Assert.Contains(
            "has tokens ('train.bin') without a dataset.json",
            Problem(() => TokenDataset.OpenAny(_folder["data"], null, false, _folder["memory"], Cancel)),
            StringComparison.Ordinal
        );

        DatasetBuilder.Build(
            [TextDocument.FromText("a b", "x", "test")],
            null,
            BpeTokenizer.Load(_folder["tokenizer.json"]),
            _folder["own"],
            new() { ValidPercent = 0 },
            null,
            Cancel
        );
        Assert.Contains("would be ignored", Problem(() => Open("own")), StringComparison.Ordinal);
        Assert.Contains(
            "does not exist",
            Assert.Throws<DataFormatException>(() => Open("nowhere")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Fingerprint_FollowsContentSizeAndTokenizer()
    {
        // 6 MB, so that it is sampled; a change in the first, a middle, and the last block, and one token more.
        ushort[] tokens = [.. Enumerable.Range(0, 3_000_000).Select(i => (ushort)(i % 100 == 99 ? End : i % 250))];
        byte[] bytes = U16([.. tokens.Select(token => (int)token)]);
        _folder.Write("f/train.bin", bytes);
        string before = Fingerprint();
        Assert.Matches("^unverified:[0-9a-f]{64}$", before);
        Assert.Equal(before, Fingerprint());

        // Block 32 of 64 starts at (6,000,000 − 65,536) · 32 / 63.
        foreach (int at in (int[])[0, (6_000_000 - 65_536) / 63 * 32, bytes.Length - 2])
        {
            byte[] changed = [.. bytes];
            changed[at] ^= 1;
            _folder.Write("f/train.bin", changed);
            Assert.NotEqual(before, Fingerprint());
        }

        _folder.Write("f/train.bin", [.. bytes, 1, 0]);
        Assert.NotEqual(before, Fingerprint());

        string Fingerprint()
        {
            using TokenDataset dataset = Open("f");
            return dataset.Fingerprint;
        }
    }

    [Theory]
    [InlineData("train", "text", false)]
    [InlineData("val", "text", true)]
    [InlineData("fineweb_val_000000", "fineweb_000000", true)]
    [InlineData("fineweb_train_000001", "fineweb_000001", false)]
    [InlineData("interval_text_document", "interval_text_document", false)]
    [InlineData("my-corpus.valid", "my_corpus", true)]
    public void Place_ReadsDomainAndSplitFromTheName(string stem, string domain, bool isValid) =>
        Assert.Equal((domain, isValid), ForeignTokenData.Place(stem));

    private static byte[] U16(params int[] ids) => [.. ids.SelectMany(id => BitConverter.GetBytes((ushort)id))];

    private static byte[] I32(params int[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static byte[] I64(params long[] values) => [.. values.SelectMany(BitConverter.GetBytes)];

    private static byte[] LlmC(int magic, int version, int size, params int[] ids)
    {
        byte[] header = new byte[1024];
        BinaryPrimitives.WriteInt32LittleEndian(header, magic);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), ids.Length);
        return [.. header, .. size == 2 ? U16(ids) : I32(ids)];
    }

    private static int[][] Documents(TokenShard shard) =>
        [
            .. Enumerable
                .Range(0, shard.DocumentCount)
                .Select(i =>
                {
                    long[] ids = new long[shard.DocumentLength(i)];
                    shard.Read(shard.DocumentStart(i), ids);
                    return ids.Select(id => (int)id).ToArray();
                }),
        ];

    private static string Problem(Func<TokenDataset> open) =>
        Assert.Single(Assert.Throws<ConfigurationException>(open).Problems);

    private TokenDataset Open(string path) =>
        TokenDataset.OpenAny(_folder[path], _folder["tokenizer.json"], false, _folder["memory"], Cancel);
}
