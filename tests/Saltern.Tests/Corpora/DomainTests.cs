using System.Globalization;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class DomainTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("train-00000-of-00002.jsonl train-00001-of-00002.jsonl", "train")]
    [InlineData("c4-train.00000-of-01024.json c4-train.00001-of-01024.json", "c4-train")]
    [InlineData("cc_en_head-0000.json cc_en_head-0001.json", "cc_en_head")]
    [InlineData("part-00000-0a1b2c3d-0123-4567-89ab-0123456789ab-c000.jsonl", "part")]
    [InlineData("train-00000-of-00002-a09b74b3ef9c3b56.jsonl train-00001-of-00002-d0be2bd5a3a1b2c3.jsonl", "train")]
    [InlineData(
        "part-00000-tid-837146-0a1b2c3d-0123-4567-89ab-0123456789ab-123-1-c000.jsonl "
            + "part-00001-tid-837146-0a1b2c3d-0123-4567-89ab-0123456789ab-124-1-c000.jsonl",
        "part"
    )]
    [InlineData(
        "arxiv_024de5df-1b7f-447c-8c3a-51407d8d6732.jsonl arxiv_03232e26-be3f-4a28-a5d2-ee1d8c0e9881.jsonl",
        "arxiv"
    )]
    [InlineData("data_1.jsonl data_2.jsonl data_3.jsonl", "data")]
    [InlineData("shard0.jsonl shard1.jsonl", "shard")]
    [InlineData("0000.jsonl 0001.jsonl", "folder")]
    [InlineData("000_00000.jsonl 001_00001.jsonl", "folder")]
    [InlineData("wikitext-2.jsonl wikitext-103.jsonl", "wikitext-103 wikitext-2")]
    [InlineData("news-2016.jsonl news-2017.jsonl", "news-2016 news-2017")]
    [InlineData("data_7.jsonl", "data_7")]
    [InlineData("books.train.jsonl web.valid.jsonl", "books web")]
    [InlineData("a-00000-of-00001.jsonl b-00000-of-00001.jsonl", "a b")]
    public void Shards_AreOneDomain(string names, string domains)
    {
        foreach (string name in names.Split(' '))
        {
            _folder.Write("folder/" + name, "{\"text\":\"" + name + "\"}\n");
        }

        CorpusReader reader = new([_folder["folder"]]);

        Assert.Equal(
            domains,
            string.Join(
                ' ',
                reader
                    .ReadDocuments(Cancel)
                    .Select(document => document.Domain)
                    .Distinct()
                    .Order(StringComparer.Ordinal)
            )
        );
    }

    [Theory]
    [InlineData("\"www.site{0}.com\"", "names of hosts")]
    [InlineData("\"title {0}\"", "100 different ones in the first 100 records")]
    [InlineData("{0}", "are no short texts")]
    [InlineData("[\"{0}\"]", "are no short texts")]
    public void AFieldThatHoldsNoDomains_IsNotTaken(string value, string finding)
    {
        string path = Write("cc_news.jsonl", 100, i => value.Replace("{0}", i, StringComparison.Ordinal));
        CorpusReader reader = new([path]);

        Assert.All(reader.ReadDocuments(Cancel), document => Assert.Equal("cc_news", document.Domain));
        Assert.Contains(finding, reader.Domains.Remark, StringComparison.Ordinal);
    }

    [Fact]
    public void AFieldThatHoldsDomains_IsTaken()
    {
        string path = Write("a.jsonl", 100, i => i.EndsWith('7') ? "\"books\"" : "\"web\"");
        CorpusReader reader = new([path]);

        Assert.Equal(
            ["books", "web"],
            reader.ReadDocuments(Cancel).Select(document => document.Domain).Distinct().Order()
        );
        Assert.Null(reader.Domains.Remark);
    }

    [Theory]
    [InlineData(DomainSource.None, "text")]
    [InlineData(DomainSource.File, "a notes")]
    [InlineData(DomainSource.Field, "notes x y")]
    public void Domains_AreTakenFromWhatIsNamed(DomainSource source, string expected)
    {
        _folder.Write("in/a.jsonl", "{\"text\":\"1\",\"domain\":\"x\"}\n{\"text\":\"2\",\"domain\":\"y\"}\n");
        _folder.Write("in/notes/b.txt", "3");
        CorpusReader reader = new([_folder["in"]], new() { Domains = source });

        Assert.Equal(
            expected,
            string.Join(
                ' ',
                reader
                    .ReadDocuments(Cancel)
                    .Select(document => document.Domain)
                    .Distinct()
                    .Order(StringComparer.Ordinal)
            )
        );
    }

    [Fact]
    public void AFieldAndTheFile_AreNotBothTaken() =>
        Assert.Contains(
            "Leave one of the two out",
            Assert
                .Throws<ConfigurationException>(() =>
                    new CorpusReader([_folder.Path], new() { Domains = DomainSource.File, DomainFields = ["source"] })
                )
                .Message,
            StringComparison.Ordinal
        );

    private string Write(string name, int count, Func<string, string> value) =>
        _folder.Write(
            name,
            string.Concat(
                Enumerable
                    .Range(0, count)
                    .Select(i => i.ToString(CultureInfo.InvariantCulture))
                    .Select(i => $"{{\"text\":\"text {i}\",\"domain\":{value(i)}}}\n")
            )
        );
}
