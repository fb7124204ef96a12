using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class HeldOutNamesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("wiki.valid.jsonl", true)]
    [InlineData("wiki.VALIDATION.jsonl.gz", true)]
    [InlineData("TinyStoriesV2-GPT4-valid.txt", true)]
    [InlineData("news_test.jsonl", true)]
    [InlineData("val.txt", true)]
    [InlineData("dev-v1.1.json", true)]
    [InlineData("test-00000-of-00002.parquet", true)]
    [InlineData("wiki-validation-00000-of-00001-3d8f0a1b.parquet", true)]
    [InlineData("wiki_valid_003.jsonl", true)]
    [InlineData("dev/a.txt", true)]
    [InlineData("part/Test/a.jsonl", true)]
    [InlineData("test/pages/one.md", true)]
    [InlineData("test", true)]
    [InlineData("books.held-out.jsonl", true)]
    [InlineData("wiki.train.jsonl", false)]
    [InlineData("developers.jsonl", false)]
    [InlineData("latest.jsonl", false)]
    [InlineData("validity-of-tests.txt", false)]
    [InlineData("a-test-of-time.txt", false)]
    [InlineData("how-to-test.md", false)]
    [InlineData("dev.md.gz", false)]
    [InlineData("testament/a.txt", false)]
    public void Says_ByWholeWordsAtTheEdgesOfAName(string name, bool expected) =>
        Assert.Equal(expected, HeldOutNames.Says(name));

    [Fact]
    public void TheFolderThatTheUserNames_DoesNotCount()
    {
        _folder.Write("test/a.jsonl", "{\"text\":\"a\"}");
        _folder.Write("test/dev/b.jsonl", "{\"text\":\"b\"}");
        Assert.Equal([_folder["test/dev/b.jsonl"]], HeldOut(new CorpusReader([_folder["test"]])));
    }

    [Fact]
    public void OfACorpusOfNothingElse_TheyWereMeant()
    {
        _folder.Write("a.valid.jsonl", "{\"text\":\"a\"}");
        _folder.Write("b.test.jsonl", "{\"text\":\"b\"}");
        Assert.Empty(HeldOut(new CorpusReader([_folder.Path])));
        _folder.Write("c.jsonl", "{\"text\":\"c\"}");
        CorpusReader all = new([_folder.Path]);
        Assert.Equal([_folder["a.valid.jsonl"], _folder["b.test.jsonl"]], HeldOut(all));
        Assert.Equal(
            [_folder["b.test.jsonl"]],
            all.HeldOut(new CorpusReader([_folder["a.valid.jsonl"]])).Select(file => file.Path)
        );
    }

    private static IEnumerable<string> HeldOut(CorpusReader reader) => reader.HeldOut().Select(file => file.Path);
}
