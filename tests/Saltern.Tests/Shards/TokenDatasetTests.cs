using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Shards;

public sealed class TokenDatasetTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TokenDatasetTests()
    {
        BpeTokenizer tokenizer = BpeTrainer.Train(["a text, a text"], new BpeTrainerOptions { VocabularySize = 260 });
        DatasetBuilder.Build(
            [TextDocument.FromText("one two three", "x", "test"), TextDocument.FromText("four five", "y", "test")],
            [TextDocument.FromText("six", "x", "test")],
            tokenizer,
            _folder.Path,
            cancellation: Cancel
        );
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_GivesDomainsAndTheirShards()
    {
        using TokenDataset dataset = TokenDataset.Open(_folder.Path, verify: true, Cancel);

        Assert.Equal(["x", "y"], dataset.Domains.Select(domain => domain.Name));
        Assert.NotNull(dataset.Domains[0].Valid);
        Assert.Null(dataset.Domains[1].Valid);
        Assert.Equal(dataset.Manifest.ComputeFingerprint(), dataset.Fingerprint);
    }

    [Fact]
    public void Open_ListsEveryMissingTruncatedOrWrongFile()
    {
        File.Delete(_folder["tokenizer.json"]);
        File.Delete(_folder["valid/x.idx"]);
        Truncate("train/x.bin", 2);
        _folder.Write("train/y.idx", File.ReadAllBytes(_folder["train/x.idx"]));

        IReadOnlyList<string> problems = Assert
            .Throws<ConfigurationException>(() => TokenDataset.Open(_folder.Path, verify: false, Cancel))
            .Problems;

        Assert.Collection(
            problems,
            problem => Assert.Contains("tokenizer.json' is missing", problem, StringComparison.Ordinal),
            problem => Assert.Contains("x.idx' describes", problem, StringComparison.Ordinal),
            problem => Assert.Contains("x.idx' is missing", problem, StringComparison.Ordinal),
            problem => Assert.Contains("y.idx' describes", problem, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Open_FindsAWholeShardOfOtherSize()
    {
        foreach (string ending in (string[])["bin", "idx"])
        {
            File.Copy(_folder[$"train/x.{ending}"], _folder[$"train/y.{ending}"], overwrite: true);
        }

        string problem = Assert.Single(
            Assert.Throws<ConfigurationException>(() => TokenDataset.Open(_folder.Path, verify: false, Cancel)).Problems
        );

        Assert.Matches(@"y\.bin' has \d+ tokens in 1 documents, expected \d+ in 1 as in dataset\.json", problem);
    }

    [Fact]
    public void Open_VerifyFindsAChangedTokenAndIdsOutsideTheVocabulary()
    {
        byte[] tokens = File.ReadAllBytes(_folder["train/x.bin"]);
        tokens[0] = tokens[1] = 0xFF;
        _folder.Write("train/x.bin", tokens);
        TokenDataset.Open(_folder.Path, verify: false, Cancel).Dispose();

        IReadOnlyList<string> problems = Assert
            .Throws<ConfigurationException>(() => TokenDataset.Open(_folder.Path, verify: true, Cancel))
            .Problems;

        Assert.Equal(2, problems.Count);
        Assert.Matches(@"x\.bin' has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}", problems[0]);
        Assert.Contains("outside the vocabulary of", problems[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ReadsEveryFileOnceAndSizesEveryTime()
    {
        Open().Dispose();

        // Changed behind its back with size and time as they were: only --verify sees it.
        DateTime time = File.GetLastWriteTimeUtc(_folder["train/x.bin"]);
        byte[] tokens = File.ReadAllBytes(_folder["train/x.bin"]);
        tokens[0] ^= 1;
        _folder.Write("train/x.bin", tokens);
        File.SetLastWriteTimeUtc(_folder["train/x.bin"], time);
        Open().Dispose();
        Assert.Contains(
            "SHA-256",
            Assert.Single(Assert.Throws<ConfigurationException>(() => Open(again: true)).Problems),
            StringComparison.Ordinal
        );

        // Another time: read again. Another size: seen without reading.
        File.SetLastWriteTimeUtc(_folder["train/x.bin"], time.AddSeconds(1));
        Assert.Contains(
            "SHA-256",
            Assert.Single(Assert.Throws<ConfigurationException>(() => Open()).Problems),
            StringComparison.Ordinal
        );
        Truncate("train/x.bin", 2);
        Assert.Contains(
            "x.idx' describes",
            Assert.Single(Assert.Throws<ConfigurationException>(() => Open()).Problems),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Open_DoesNotTakeADataSetForAnotherInTheSamePlace()
    {
        Open().Dispose();
        DatasetManifest manifest = DatasetManifest.Load(_folder.Path);
        string text = WithoutChecksum();
        string other = new('0', 64);
        DatasetManifest forged = manifest with
        {
            Domains =
            [
                .. manifest.Domains.Select(domain => domain with { Train = domain.Train! with { BinSha256 = other } }),
            ],
        };
        _folder.Write(
            "dataset.json",
            text.Replace(manifest.Domains[0].Train!.BinSha256, other, StringComparison.Ordinal)
                .Replace(manifest.Domains[1].Train!.BinSha256, other, StringComparison.Ordinal)
                .Replace(manifest.Fingerprint, forged.ComputeFingerprint(), StringComparison.Ordinal)
        );

        Assert.Equal(2, Assert.Throws<ConfigurationException>(() => Open()).Problems.Count);
    }

    [Fact]
    public void Open_RemembersElsewhereWhereTheFolderCannotBeWritten()
    {
        Directory.CreateDirectory(_folder[VerifiedFiles.FileName]);

        Open().Dispose();

        Assert.Single(Directory.GetFiles(_folder["memory"], "*.json"));
        File.Delete(_folder["train/x.bin"]);
        Assert.Contains(
            "is missing",
            Assert.Single(Assert.Throws<ConfigurationException>(() => Open()).Problems),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Open_VerifiesEverythingWhereNothingCanBeRemembered()
    {
        // Neither place can be written: a folder lies where the one file, a file where the other folder should be.
        Directory.CreateDirectory(_folder[VerifiedFiles.FileName]);
        _folder.Write("memory", "a file where a folder should be");
        Open().Dispose();
        DateTime time = File.GetLastWriteTimeUtc(_folder["train/x.bin"]);
        byte[] tokens = File.ReadAllBytes(_folder["train/x.bin"]);
        tokens[0] ^= 1;
        _folder.Write("train/x.bin", tokens);
        File.SetLastWriteTimeUtc(_folder["train/x.bin"], time);

        Assert.Single(Assert.Throws<ConfigurationException>(() => Open()).Problems);
    }

    [Fact]
    public void Open_VerifyFindsAnotherTokenizer()
    {
        BpeTrainer
            .Train(["zz zz zz"], new BpeTrainerOptions { VocabularySize = 258 }, null, Cancel)
            .Save(_folder["tokenizer.json"]);

        string problem = Assert.Single(
            Assert.Throws<ConfigurationException>(() => TokenDataset.Open(_folder.Path, verify: true, Cancel)).Problems
        );

        Assert.Contains("tokenizer.json' has fingerprint", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"saltern.dataset/1\"", "\"saltern.dataset/9\"", "schema is 'saltern.dataset/9'")]
    [InlineData("\"train/x.bin\"", "\"../x.bin\"", "is not a .bin file inside the folder")]
    [InlineData("\"train/x.bin\"", "\"/etc/x.bin\"", "is not a .bin file inside the folder")]
    [InlineData("\"documents\": 1", "\"documents\": -1", "every document has at least one token")]
    [InlineData("\"uint16\"", "\"int32\"", "token_dtype is 'int32', expected 'uint16'")]
    [InlineData("\"name\": \"y\"", "\"name\": \"x\"", "domain 'x' is listed twice")]
    [InlineData("\"name\": \"y\"", "\"name\": \"z\"", "the file was changed")]
    [InlineData("\"end_of_text_id\": ", "\"end_of_text_id\": -", "is outside the vocabulary")]
    [InlineData("\"domains\"", "\"domain\"", "is not a data set's manifest")]
    [InlineData("\"x\"", "null", "is not a data set's manifest")]
    [InlineData("{", "[", "is not a data set's manifest")]
    public void Open_RefusesAManifestThatIsWrong(string found, string replacement, string message)
    {
        string text = WithoutChecksum();
        int at = text.IndexOf(found, StringComparison.Ordinal);
        _folder.Write("dataset.json", text[..at] + replacement + text[(at + found.Length)..]);

        DataFormatException error = Assert.Throws<DataFormatException>(() =>
            TokenDataset.Open(_folder.Path, verify: false, Cancel)
        );

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains("dataset.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NoticesAManifestThatWasChanged()
    {
        string text = File.ReadAllText(_folder["dataset.json"]);
        _folder.Write("dataset.json", text.Replace("\"bytes\": ", "\"bytes\":  ", StringComparison.Ordinal)); // read as the same numbers

        Assert.Contains(
            "it was changed or is damaged",
            Assert.Throws<DataFormatException>(() => TokenDataset.Open(_folder.Path, verify: false, Cancel)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Open_SaysThatAFolderIsNotThere() =>
        Assert.Contains(
            "nowhere' does not exist",
            Assert
                .Throws<DataFormatException>(() => TokenDataset.Open(_folder["nowhere"], verify: false, Cancel))
                .Message,
            StringComparison.Ordinal
        );

    private TokenDataset Open(bool again = false) =>
        TokenDataset.OpenAny(_folder.Path, null, again, _folder["memory"], Cancel);

    private void Truncate(string name, int bytes)
    {
        using FileStream file = File.OpenWrite(_folder[name]);
        file.SetLength(file.Length - bytes);
    }

    // As an earlier version wrote it: what else is wrong is then seen by itself.
    private string WithoutChecksum()
    {
        string text = File.ReadAllText(_folder["dataset.json"]);
        return text[..text.LastIndexOf(",\n  \"checksum\"", StringComparison.Ordinal)] + "\n}\n";
    }
}
