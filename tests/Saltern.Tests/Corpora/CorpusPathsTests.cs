using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class CorpusPathsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public CorpusPathsTests()
    {
        foreach (
            string name in (string[])
                ["b.jsonl", "a.jsonl", "A.txt", "x/c.jsonl", "x/y/d.jsonl", "x/y/e.txt", ".hidden/f.jsonl", "g.csv"]
        )
        {
            _folder.Write(name, "");
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", "A.txt a.jsonl b.jsonl x/c.jsonl x/y/d.jsonl x/y/e.txt")]
    [InlineData("*.jsonl", "a.jsonl b.jsonl")]
    [InlineData("**/*.jsonl", "a.jsonl b.jsonl x/c.jsonl x/y/d.jsonl")]
    [InlineData("x/**", "x/c.jsonl x/y/d.jsonl x/y/e.txt")]
    [InlineData("*/*.jsonl", "x/c.jsonl")]
    [InlineData("**/y/*", "x/y/d.jsonl x/y/e.txt")]
    [InlineData("?.jsonl", "a.jsonl b.jsonl")]
    [InlineData("*", "A.txt a.jsonl b.jsonl")]
    public void Resolve_FindsFilesInOrdinalOrder(string pattern, string expected) =>
        Assert.Equal(expected, Resolve(_folder[pattern]));

    [Fact]
    public void Resolve_TakesAFileOnce() =>
        Assert.Equal("b.jsonl A.txt a.jsonl", Resolve(_folder["b.jsonl"], _folder["*"], _folder["x/../a.jsonl"]));

    [Fact]
    public void Resolve_DoesNotFollowLinkedFolders()
    {
        Directory.CreateSymbolicLink(_folder["x/loop"], _folder.Path);

        Assert.Equal("x/c.jsonl x/y/d.jsonl x/y/e.txt", Resolve(_folder["x"]));
    }

    [Fact]
    public void Resolve_ListsEveryProblem()
    {
        string empty = Directory.CreateDirectory(_folder["empty"]).FullName;

        ConfigurationException error = Assert.Throws<ConfigurationException>(() =>
            CorpusPaths.Resolve([
                _folder["none.txt"],
                _folder["*.xml"],
                _folder["g.csv"],
                _folder["*.csv"],
                empty,
                _folder["no/*.txt"],
            ])
        );

        Assert.Collection(
            error.Problems,
            problem => Assert.Contains("none.txt' does not exist", problem, StringComparison.Ordinal),
            problem => Assert.Contains("*.xml' matches no file", problem, StringComparison.Ordinal),
            problem =>
                Assert.Contains(
                    "g.csv' has an ending that is not supported. Allowed: .jsonl, .ndjson, .jsonlines, .json, .txt, .md (each also .gz",
                    problem,
                    StringComparison.Ordinal
                ),
            problem =>
                Assert.Contains(
                    "leads to 1 file(s), none of a supported kind (the first is 'g.csv')",
                    problem,
                    StringComparison.Ordinal
                ),
            problem => Assert.Contains("empty' is a folder without files", problem, StringComparison.Ordinal),
            problem => Assert.Contains("matches no file", problem, StringComparison.Ordinal)
        );
        Assert.Contains(
            "No input",
            Assert.Throws<ConfigurationException>(() => CorpusPaths.Resolve([])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Resolve_NamesWhatItLeavesOut()
    {
        Directory.CreateSymbolicLink(_folder["x/loop"], _folder.Path);
        _folder.Write("x/.part.jsonl", "");
        _folder.Write("README.md", "a card");
        _folder.Write("dataset_info.json", "{}");

        Assert.Equal(
            ["README.md", "dataset_info.json", "g.csv", "x/.part.jsonl", "x/loop/"],
            CorpusPaths
                .Resolve([_folder.Path])
                .LeftOut.Select(path => Path.GetRelativePath(_folder.Path, path))
                .Order(StringComparer.Ordinal)
        );
        Assert.Empty(CorpusPaths.Resolve([_folder["x/*.jsonl"], _folder["README.md"]]).LeftOut);
    }

    [Fact]
    public void Resolve_TakesNoDescriptionBesideTextsForRecords()
    {
        _folder.Write("t/TinyStories-train.txt", "a");
        _folder.Write("t/README.md", "may be a text of the corpus");
        _folder.Write("t/dataset_infos.json", "{}");
        _folder.Write("t/state.json", "{}");
        _folder.Write("d/dataset_info.json", "{}");

        CorpusFiles found = CorpusPaths.Resolve([_folder["t"]]);

        Assert.Equal(["README.md", "TinyStories-train.txt"], found.Files.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal(["dataset_infos.json", "state.json"], found.LeftOut.Select(Path.GetFileName));
        Assert.Single(CorpusPaths.Resolve([_folder["d"]]).Files); // there is nothing else that they could describe
    }

    [Fact]
    public void Resolve_TakesFilesWithoutAnEndingByTheirContent()
    {
        _folder.Write("n/part-00000", "{\"text\":\"a\"}\n");
        _folder.Write("n/list", " [{\"text\":\"a\"}]");
        _folder.Write("n/shard.gz", TemporaryFolder.Gzip("{\"text\":\"a\"}\n"));
        _folder.Write("n/LICENSE", "Do what you like.");

        CorpusFiles found = CorpusPaths.Resolve([_folder["n"]]);

        Assert.Equal(["list", "part-00000", "shard.gz"], found.Files.Select(file => Path.GetFileName(file.Path)));
        Assert.Equal([_folder["n/LICENSE"]], found.LeftOut);
    }

    private string Resolve(params string[] paths) =>
        string.Join(
            ' ',
            CorpusPaths
                .Resolve(paths)
                .Files.Select(file => Path.GetRelativePath(_folder.Path, file.Path).Replace('\\', '/'))
        );
}
