using Saltern.Data;

namespace Saltern.Tests.Data;

public sealed class CorpusReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ReadDocuments_ReadsEveryFormatWithItsDomain()
    {
        _folder.Write("c/books.train.jsonl.gz", TemporaryFolder.Gzip("{\"text\":\"one\"}\n\n{\"text\":\"two\",\"domain\":\"d\"}\n"));
        _folder.Write("c/web.jsonl", "\uFEFF{\"text\":\"three\"}\r\n{\"text\":\"four\",\"meta\":{\"pile_set_name\":\"Pile\"}}");
        _folder.Write("c/plain.txt", [0xEF, 0xBB, 0xBF, .. "five"u8, 0xFF, 0xC3]);
        _folder.Write("c/notes/deep/six.md", "six");
        _folder.Write("c/ignored.csv", "x");
        CorpusReader reader = new([_folder["c"]]);

        List<TextDocument> documents = [.. reader.ReadDocuments(Cancel)];

        Assert.Equal(
            ["books one 1", "d two 3", "notes six ", "text five\uFFFD\uFFFD ", "web three 1", "Pile four 2"],
            documents.Select(document => $"{document.Domain} {document.Text} {document.Line}"));
        Assert.Equal([.. "five"u8, 0xFF, 0xC3], documents[3].Utf8.ToArray());
        Assert.EndsWith("web.jsonl", documents[4].Source, StringComparison.Ordinal);
        Assert.Equal(6, reader.Report.Documents);
        Assert.Equal(4, reader.Report.Lines);
        Assert.Equal(reader.TotalFileBytes, reader.FileBytesRead);
    }

    [Fact]
    public void ReadDocuments_CountsBrokenLinesAndNamesTheFirstTen()
    {
        string lines = string.Concat(Enumerable.Range(1, 2000).Select(i => i % 100 == 0 ? "{\n" : "{\"text\":\"x\"}\n"));
        CorpusReader reader = new([_folder.Write("a.jsonl", lines)]);

        Assert.Equal(1980, reader.ReadDocuments(Cancel).Count());

        Assert.Equal(20, reader.Report.BrokenLines);
        Assert.Equal(10, reader.Report.FirstProblems.Count);
        Assert.Equal(100, reader.Report.FirstProblems[0].Line);
        Assert.Contains("a.jsonl:100: is not a JSON object", reader.Report.FirstProblems[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ReadDocuments_FailsAtTheEndOverTheAllowedShare()
    {
        CorpusReader reader = new([_folder.Write("a.jsonl", "{\"text\":\"x\"}\nno\n{\"text\":\"y\"}\n")]);
        int given = 0;

        DataFormatException error = Assert.Throws<DataFormatException>(() =>
        {
            foreach (TextDocument _ in reader.ReadDocuments(Cancel))
            {
                given++;
            }
        });

        Assert.Equal(2, given);
        Assert.Contains("1 of 3 lines are broken, more than the allowed 1 %", error.Message, StringComparison.Ordinal);
        Assert.Contains("a.jsonl:2: is not a JSON object", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, new CorpusReader([_folder["a.jsonl"]], new() { MaxBrokenShare = 0.34 }).ReadDocuments(Cancel).Count());
    }

    [Fact]
    public void ReadDocuments_StopsEarlyWhereEveryLineIsBroken()
    {
        CorpusReader reader = new([_folder.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"body\":\"x\"}\n", 5000)))]);

        DataFormatException error = Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count());

        Assert.Contains("first 1000 lines are all broken", error.Message, StringComparison.Ordinal);
        Assert.Contains("has no field 'text'", error.Message, StringComparison.Ordinal);
        Assert.Equal(1000, reader.Report.Lines);
    }

    [Fact]
    public void ReadDocuments_NamesALineOverTheBound()
    {
        _folder.Write("a.jsonl", "{\"text\":\"x\"}\n{\"text\":\"" + new string('y', 5000) + "\"}\n{\"text\":\"z\"}\n");
        CorpusReader reader = new([_folder["a.jsonl"]], new() { MaxLineBytes = 1000, MaxBrokenShare = 1 });

        Assert.Equal(["x", "z"], reader.ReadDocuments(Cancel).Select(document => document.Text));
        Assert.Contains("a.jsonl:2: is longer than 1000 bytes", reader.Report.FirstProblems[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ReadDocuments_NamesATruncatedArchive()
    {
        string lines = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{{\"text\":\"{i * 7919 % 10007} {i}\"}}\n"));
        byte[] whole = TemporaryFolder.Gzip(lines);
        CorpusReader reader = new([_folder.Write("a.jsonl.gz", whole[..(whole.Length / 2)])]);
        int given = 0;

        DataFormatException error = Assert.Throws<DataFormatException>(() =>
        {
            foreach (TextDocument _ in reader.ReadDocuments(Cancel))
            {
                given++;
            }
        });

        Assert.InRange(given, 1000, 19_000);
        Assert.Equal(1, reader.Report.BrokenFiles);
        Assert.Contains("1 of 1 files cannot be read to the end", error.Message, StringComparison.Ordinal);
        Assert.Contains("a.jsonl.gz:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadDocuments_KnowsAWholeArchiveFromATruncatedOneAtAnyByte()
    {
        // Lengths around those of the decompressor's own buffer, and two members in one file as `cat` makes them.
        foreach (int length in (int[])[1, 8_100, 8_150, 8_192, 16_384])
        {
            byte[] member = TemporaryFolder.Gzip($"{{\"text\":\"{Convert.ToHexString(new Random(length).GetItems(Enumerable.Range(0, 256).Select(i => (byte)i).ToArray(), length))}\"}}\n");
            byte[] whole = [.. member, .. member];
            Assert.Equal(2, new CorpusReader([_folder.Write("w.jsonl.gz", whole)]).ReadDocuments(Cancel).Count());

            foreach (int cut in (int[])[1, 4, 7, 8, 9, member.Length / 2, member.Length - 1, member.Length + 5])
            {
                CorpusReader reader = new([_folder.Write("t.jsonl.gz", whole[..^cut])], new() { MaxBrokenShare = 1 });
                _ = reader.ReadDocuments(Cancel).Count();
                Assert.True(reader.Report.BrokenFiles == 1, $"{length} bytes without the last {cut}");
            }
        }
    }

    [Theory]
    [InlineData("{\"text\":\"x\"}\n")]
    [InlineData("")]
    public void ReadDocuments_NamesAnArchiveThatIsNone(string content)
    {
        CorpusReader reader = new([_folder.Write("a.jsonl.gz", content)]);

        Assert.Contains("a.jsonl.gz", Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadDocuments_CanBeReadTwice()
    {
        CorpusReader reader = new([_folder.Write("a.jsonl", "{\"text\":\"x\"}\n{\"text\":\"y\"}\n")]);

        Assert.Equal(2, reader.ReadDocuments(Cancel).Count());
        Assert.Equal(2, reader.ReadDocuments(Cancel).Count());
        Assert.Equal(2, reader.Report.Documents);
    }

    [Fact]
    public void ReadDocuments_CutsTextFilesWhereAsked()
    {
        string text = string.Concat(Enumerable.Range(0, 100).Select(i => $"Paragraph {i} has some words.\n\n")) + new string('é', 2000);
        CorpusReader reader = new([_folder.Write("a.txt", text)], new() { TextPieceBytes = 501 });

        List<TextDocument> pieces = [.. reader.ReadDocuments(Cancel)];

        Assert.Equal(text, string.Concat(pieces.Select(piece => piece.Text)));
        Assert.All(pieces, piece => Assert.InRange(piece.Utf8.Length, 1, 501));
        Assert.All(pieces, piece => Assert.DoesNotContain('\uFFFD', piece.Text));
        Assert.All(pieces.Take(5), piece => Assert.EndsWith("\n\n", piece.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Options_ListEveryProblem()
    {
        CorpusReaderOptions options = new() { TextField = "a..b", MaxLineBytes = 0, MaxBrokenShare = double.NaN, TextPieceBytes = 1 };

        Assert.Equal(4, Assert.Throws<ConfigurationException>(() => new CorpusReader([_folder.Path], options)).Problems.Count);
    }
}
