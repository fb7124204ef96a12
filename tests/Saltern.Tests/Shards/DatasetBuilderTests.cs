using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Saltern.Cli.Demo;
using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Shards;

public sealed class DatasetBuilderTests : IDisposable
{
    private static readonly BpeTokenizer Tokenizer = BpeTrainer.Train(
        ["the salt works near the sea", "the sea near the salt"],
        new BpeTrainerOptions { VocabularySize = 270 }
    );

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Out => _folder["data"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Build_WritesEveryDocumentEndedByEndOfText()
    {
        TextDocument[] train =
        [
            Document("the sea", "b"),
            new(new byte[] { 0xFF, (byte)'x' }, "A/b c", "f"),
            Document("salt", "b"),
        ];

        PrepareSummary summary = Build(train, [Document("near", "b")]);

        using TokenDataset dataset = TokenDataset.Open(Out, verify: true, Cancel);
        Assert.Equal(["A/b c", "b"], dataset.Domains.Select(domain => domain.Name));
        Assert.Equal(["the sea", "salt"], Texts(dataset.Domains[1].Train!));
        Assert.Equal(["near"], Texts(dataset.Domains[1].Valid!));
        long[] ids = new long[dataset.Domains[0].Train!.TokenCount];
        dataset.Domains[0].Train!.Read(0, ids);
        Assert.Equal([0xFF, (byte)'x'], Tokenizer.DecodeToBytes([.. ids.SkipLast(1).Select(id => (int)id)]));
        Assert.Equal(Tokenizer.EndOfTextId, ids[^1]);

        SplitManifest shard = dataset.Manifest.Domains[1].Train!;
        Assert.Equal(("train/b.bin", 2L, 11L), (shard.File, shard.Documents, shard.Bytes));
        Assert.Equal("train/a-b-c.bin", dataset.Manifest.Domains[0].Train!.File);
        Assert.Equal((4L, 17L), (summary.Total.Documents, summary.Total.Bytes));
        Assert.Equal(["A/b c"], summary.DomainsWithoutValid);
        Assert.Empty(summary.DomainsWithoutTrain);
        Assert.Equal(Tokenizer.Fingerprint, BpeTokenizer.Load(dataset.TokenizerPath).Fingerprint);
        Assert.Equal(["dataset.json", "tokenizer.json"], Directory.GetFiles(Out).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Build_WritesTheManifestInSnakeCase()
    {
        PrepareSummary summary = Build([Document("the sea", "b")]);

        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Out, "dataset.json")));
        JsonElement root = json.RootElement;
        Assert.Equal(
            [
                "schema",
                "fingerprint",
                "tokenizer_fingerprint",
                "tokenizer_sha256",
                "vocabulary_size",
                "end_of_text_id",
                "token_dtype",
                "domains",
                "checksum",
            ],
            root.EnumerateObject().Select(property => property.Name)
        );
        Assert.Equal("saltern.dataset/1", root.GetProperty("schema").GetString());
        Assert.Equal("uint16", root.GetProperty("token_dtype").GetString());
        Assert.Equal(summary.Manifest.Fingerprint, root.GetProperty("fingerprint").GetString());
        Assert.Equal(
            ["documents", "tokens", "bytes", "file", "bin_sha256", "idx_sha256"],
            root.GetProperty("domains")[0].GetProperty("train").EnumerateObject().Select(property => property.Name)
        );
    }

    [Fact]
    public void Build_LeavesOutTrainingTextNearValidationText_AndKeepsThatWhole()
    {
        string text = string.Join(' ', Enumerable.Range(0, 80).Select(i => $"word{i * 31 % 97}"));
        TextDocument[] valid = [Document(text, "a"), Document(text + " twice", "a")];
        TextDocument[] train =
        [
            Document("Nothing else is like this: " + text.Replace('1', '2'), "a"),
            Document(text + " again", "a"),
            Document("short", "a"),
        ];
        PrepareSummary kept = Build(train, valid);
        Assert.Equal((5L, 0L), (kept.Total.Documents, kept.NearDuplicateDocuments));
        Directory.Delete(Out, recursive: true);

        PrepareSummary summary = DatasetBuilder.Build(
            train,
            valid,
            Tokenizer,
            Out,
            new DatasetBuilderOptions { NearDuplicates = true },
            null,
            Cancel
        );

        using TokenDataset dataset = TokenDataset.Open(Out, verify: true, Cancel);
        Assert.Equal([text, text + " twice"], Texts(dataset.Domains[0].Valid!));
        Assert.Equal([train[0].Text, "short"], Texts(dataset.Domains[0].Train!));
        Assert.Equal((1L, 1L), (summary.NearDuplicateDocuments, summary.NearDuplicatesAcrossSplit));
        Assert.False(summary.NearDuplicatesForgotten);
    }

    [Fact]
    public void Build_IsTheSameForAnyNumberOfThreads()
    {
        List<TextDocument> documents = [.. GeneratedText.Generate(1, 3_000_000)];
        string fingerprint = Build(documents, options: new() { Threads = 1 }).Manifest.Fingerprint;

        PrepareSummary summary = DatasetBuilder.Build(
            documents,
            null,
            Tokenizer,
            _folder["other"],
            new() { Threads = 4 },
            null,
            Cancel
        );

        Assert.Equal(fingerprint, summary.Manifest.Fingerprint);
        using TokenDataset dataset = TokenDataset.Open(_folder["other"], verify: true, Cancel);
        Dictionary<string, List<string>> expected = documents
            .GroupBy(document => document.Domain)
            .ToDictionary(group => group.Key, group => group.Select(document => document.Text).ToList());
        foreach (DatasetDomain domain in dataset.Domains)
        {
            HashSet<string> valid = [.. Texts(domain.Valid!)];
            Assert.Equal(expected[domain.Name].Where(text => !valid.Contains(text)), Texts(domain.Train!));
            Assert.Equal(expected[domain.Name].Where(valid.Contains), Texts(domain.Valid!));
        }
    }

    [Fact]
    public void Build_SplitsByTheDocumentsBytesAlone()
    {
        List<TextDocument> documents =
        [
            .. Enumerable.Range(0, 4000).Select(i => Document(i.ToString(CultureInfo.InvariantCulture))),
        ];
        Build(documents, options: new() { ValidPercent = 10 });
        HashSet<string> valid = ValidTexts();

        // Another order, more documents before, another domain: the same documents are chosen.
        IEnumerable<TextDocument> shuffled = documents
            .OrderBy(document => document.Text.Reverse().First())
            .Prepend(Document("new", "other"));
        Build(
            shuffled.Select(document => document with { Domain = "other" }),
            options: new() { ValidPercent = 10, Overwrite = true }
        );

        Assert.Equal(valid, [.. ValidTexts().Where(text => text != "new")]);
        Assert.InRange(valid.Count, 330, 470); // 400 expected; 3.5 standard deviations of 19
        Build(documents, options: new() { ValidPercent = 20, Overwrite = true });
        Assert.Superset(valid, ValidTexts());
    }

    [Fact]
    public void Build_SplitsEvenlyWhereTheCorpusWasSampledByItsHash()
    {
        IEnumerable<TextDocument> sampled = Enumerable
            .Range(0, 40_000)
            .Select(i => Document($"{i}"))
            .Where(document => SHA256.HashData(document.Utf8.Span)[0] < 26);

        Build(sampled, options: new() { ValidPercent = 10 });

        Assert.InRange(ValidTexts().Count, 340, 480); // about 4,060 documents, 10 % of them; 3.5 standard deviations of 19
    }

    [Fact]
    public void IsBelowPercent_ComparesTheFirstBits()
    {
        byte[] half = [0x80, .. new byte[31]];

        Assert.False(DocumentSplit.IsBelowPercent(half, 50));
        Assert.True(DocumentSplit.IsBelowPercent(half, 50.000001));
        Assert.False(DocumentSplit.IsBelowPercent(new byte[32], 0));
    }

    [Fact]
    public void Build_DropsAndCountsDuplicatesEmptyOnesAndTrainTextThatIsValidationText()
    {
        PrepareSummary summary = Build(
            [Document("a"), Document("b"), Document("a"), Document(""), Document("v"), Document("a", "other")],
            [Document("v"), Document("w"), Document("v")]
        );

        Assert.Equal((3L, 1L, 1L), (summary.DuplicateDocuments, summary.TrainDocumentsInValid, summary.EmptyDocuments));
        using TokenDataset dataset = TokenDataset.Open(Out, verify: false, Cancel);
        DatasetDomain domain = Assert.Single(dataset.Domains);
        Assert.Equal(["a", "b"], Texts(domain.Train!));
        Assert.Equal(["v", "w"], Texts(domain.Valid!));
    }

    [Fact]
    public void Build_GivesDomainsFilesOfTheirOwn()
    {
        Build([
            Document("a", "Wiki"),
            Document("b", "wiki"),
            Document("c", "../../x"),
            Document("d", "日本"),
            Document("e", "…"),
        ]);

        using TokenDataset dataset = TokenDataset.Open(Out, verify: true, Cancel);
        Assert.Equal(5, dataset.Domains.Count);
        Assert.Equal(
            ["domain-2.bin", "domain.bin", "wiki-2.bin", "wiki.bin", "x.bin"],
            Directory
                .GetFiles(Path.Combine(Out, "train"), "*.bin")
                .Select(Path.GetFileName)
                .Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Build_RefusesTooManyDomainsAndLeavesNothing()
    {
        DataFormatException error = Assert.Throws<DataFormatException>(() =>
            Build(Enumerable.Range(0, 5).Select(i => Document($"{i}", $"d{i}")), options: new() { MaxDomains = 4 })
        );

        Assert.Contains("more than 4 domains (such as 'd0', 'd1'", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Out));
    }

    [Fact]
    public void Build_RefusesAFinishedDataSetUnlessToldOtherwise()
    {
        Build([Document("old", "old")]);

        Assert.Contains(
            "already holds a finished data set",
            Assert.Throws<DataFormatException>(() => Build([Document("new")])).Message,
            StringComparison.Ordinal
        );
        Build([Document("new")], options: new() { Overwrite = true });

        using TokenDataset dataset = TokenDataset.Open(Out, verify: true, Cancel);
        Assert.Equal(["new"], Texts(Assert.Single(dataset.Domains).Train!));
        Assert.False(File.Exists(Path.Combine(Out, "train", "old.bin")));
    }

    [Fact]
    public void Build_RefusesFilesThatAreNotItsOwn()
    {
        _folder.Write("data/train/mine.bin", "x");
        Assert.Contains(
            "not from an unfinished data set",
            Assert.Throws<DataFormatException>(() => Build([Document("a")])).Message,
            StringComparison.Ordinal
        );
        Assert.True(File.Exists(Path.Combine(Out, "train", "mine.bin")));

        Directory.Delete(Path.Combine(Out, "train"), recursive: true);
        BpeTrainer
            .Train(["another text, another text"], new BpeTrainerOptions { VocabularySize = 260 }, null, Cancel)
            .Save(Path.Combine(Out, "tokenizer.json"));
        Assert.Contains(
            "is a different tokenizer",
            Assert.Throws<DataFormatException>(() => Build([Document("a")])).Message,
            StringComparison.Ordinal
        );

        Tokenizer.Save(Path.Combine(Out, "tokenizer.json"));
        _folder.Write("data/README.md", "mine");
        Build([Document("a")]);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Out, "README.md")));
    }

    [Fact]
    public void Build_InterruptedLeavesNothingThatLooksWhole()
    {
        using CancellationTokenSource source = new();
        IEnumerable<TextDocument> Endless()
        {
            foreach (TextDocument document in GeneratedText.Generate(1, long.MaxValue))
            {
                yield return document;
                if (Directory.GetFiles(Out, "*.partial", SearchOption.AllDirectories).Length == 3)
                {
                    source.Cancel();
                }
            }
        }

        Assert.ThrowsAny<OperationCanceledException>(() =>
            DatasetBuilder.Build(Endless(), null, Tokenizer, Out, new() { ValidPercent = 0 }, null, source.Token)
        );

        Assert.False(Directory.Exists(Out));
    }

    [Fact]
    public void Build_ReadingThatFailsLeavesNothing()
    {
        CorpusReader reader = new([_folder.Write("a.jsonl", "{\"text\":\"x\"}\nbroken\n")]);

        Assert.Contains(
            "1 of 2 records",
            Assert.Throws<DataFormatException>(() => Build(reader.ReadDocuments(Cancel))).Message,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(Out));
    }

    [Fact]
    public void Build_GoesOverWhatAKilledRunLeft()
    {
        // What kill -9 leaves: the marker, finished shards, partial ones, no manifest.
        Build([Document("old", "old")]);
        File.Move(Path.Combine(Out, "dataset.json"), _folder["dataset.json"]);
        _folder.Write("data/dataset.unfinished", "");
        _folder.Write("data/train/half.bin.partial", "x");

        Assert.Contains(
            "holds an unfinished data set",
            Assert.Throws<DataFormatException>(() => TokenDataset.Open(Out, verify: false, Cancel)).Message,
            StringComparison.Ordinal
        );
        Build([Document("new", "new")]);

        using TokenDataset dataset = TokenDataset.Open(Out, verify: true, Cancel);
        Assert.Equal("new", Assert.Single(dataset.Domains).Name);
        Assert.Equal(
            ["new.bin", "new.idx"],
            Directory.GetFiles(Path.Combine(Out, "train")).Select(Path.GetFileName).Order()
        );
        Assert.False(File.Exists(Path.Combine(Out, "dataset.unfinished")));
    }

    [Fact]
    public void Build_TwoRunsCannotWriteToOneFolder()
    {
        IEnumerable<TextDocument> WithAnotherRunInside()
        {
            yield return Document("a");
            Assert.Contains(
                "Another 'saltern prepare' is writing",
                Assert.Throws<ConfigurationException>(() => Build([Document("b")])).Message,
                StringComparison.Ordinal
            );
        }

        Build(WithAnotherRunInside());

        using TokenDataset dataset = TokenDataset.Open(Out, verify: true, Cancel);
        Assert.Equal(["a"], Texts(dataset.Domains[0].Train!));
    }

    [Fact]
    public void Build_RefusesToMakeADataSetOfNothing()
    {
        string message = Assert
            .Throws<DataFormatException>(() => Build([Document(""), Document("v")], [Document("v")]))
            .Message;

        Assert.Contains(
            "No training document is left: 1 were empty, 0 repeated another one, 1 are also validation text, "
                + "0 share text with an evaluation, 1 are validation text",
            message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Build_ListsEveryWrongOption()
    {
        DatasetBuilderOptions options = new()
        {
            ValidPercent = 100,
            MaxDomains = 0,
            Threads = 0,
        };

        Assert.Equal(
            3,
            Assert.Throws<ConfigurationException>(() => Build([Document("a")], options: options)).Problems.Count
        );
    }

    [Fact]
    public void Build_ReportsProgressUpToTheTotal()
    {
        List<PrepareProgress> reports = [];

        PrepareSummary summary = DatasetBuilder.Build(
            [Document("ab"), Document("c")],
            null,
            Tokenizer,
            Out,
            new() { ValidPercent = 0 },
            new Listener(reports),
            Cancel
        );

        Assert.Equal(summary.Total, reports[^1]);
        Assert.Equal((2L, 3L, 5L), (reports[^1].Documents, reports[^1].Bytes, reports[^1].Tokens));
        Assert.Equal(2.5, new PrepareProgress(1, 5_000_000, 1, TimeSpan.FromSeconds(2)).MegabytesPerSecond);
    }

    private static TextDocument Document(string text, string domain = "d") =>
        TextDocument.FromText(text, domain, "test");

    private static IEnumerable<string> Texts(TokenShard shard) =>
        Enumerable
            .Range(0, shard.DocumentCount)
            .Select(i =>
            {
                long[] ids = new long[shard.DocumentLength(i)];
                shard.Read(shard.DocumentStart(i), ids);
                Assert.Equal(Tokenizer.EndOfTextId, ids[^1]);
                return Tokenizer.Decode([.. ids.SkipLast(1).Select(id => (int)id)]);
            });

    private HashSet<string> ValidTexts()
    {
        using TokenDataset dataset = TokenDataset.Open(Out, verify: false, Cancel);
        return
        [
            .. dataset.Domains.Where(domain => domain.Valid is not null).SelectMany(domain => Texts(domain.Valid!)),
        ];
    }

    private PrepareSummary Build(
        IEnumerable<TextDocument> train,
        IEnumerable<TextDocument>? valid = null,
        DatasetBuilderOptions? options = null
    ) => DatasetBuilder.Build(train, valid, Tokenizer, Out, options ?? new() { ValidPercent = 0 }, null, Cancel);

    private sealed class Listener(List<PrepareProgress> reports) : IProgress<PrepareProgress>
    {
        public void Report(PrepareProgress value) => reports.Add(value);
    }
}
