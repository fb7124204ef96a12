using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class CorpusReaderTests : IDisposable
{
    // The line buffer doubles until it has its bound of 64 MiB: 128 MiB in all, and 64 MiB once more for the last, odd step.
    private const long LongLineAllocation = 210L << 20;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("[{\"text\":\"one\"}]]", 1, 1)]
    [InlineData("[]]]", 0, 2)]
    [InlineData("[]pedomai.]e\":t", 0, 2)]
    public void Read_GoesOnBehindABracketThatClosesNothing(string text, int documents, int broken)
    {
        CorpusReader reader = new([_folder.Write("a.json", text)], new() { MaxBrokenShare = 1 });
        // More than there can be: it went on for ever.
        Assert.Equal(documents, reader.ReadDocuments(Cancel).Take(10).Count());
        Assert.Equal(broken, reader.Report.BrokenRecords);
    }

    [Fact]
    public void ReadDocuments_ReadsEveryFormatWithItsDomain()
    {
        _folder.Write(
            "c/books.train.jsonl.gz",
            TemporaryFolder.Gzip("{\"text\":\"one\"}\n\n{\"text\":\"two\",\"domain\":\"d\"}\n")
        );
        _folder.Write(
            "c/web.jsonl",
            "\uFEFF{\"text\":\"three\"}\r\n{\"text\":\"four\",\"meta\":{\"pile_set_name\":\"Pile\"}}"
        );
        _folder.Write("c/plain.txt", [0xEF, 0xBB, 0xBF, .. "five"u8, 0xC3, 0xA9]);
        _folder.Write("c/notes/deep/six.md", "six");
        _folder.Write("c/ignored.csv", "x");
        CorpusReader reader = new([_folder["c"]]);

        List<TextDocument> documents = [.. reader.ReadDocuments(Cancel)];

        Assert.Equal(
            ["books one 1", "d two 3", "notes six ", "text fiveé ", "web three 1", "Pile four 2"],
            documents.Select(document => $"{document.Domain} {document.Text} {document.Line}")
        );
        Assert.EndsWith("web.jsonl", documents[4].Source, StringComparison.Ordinal);
        Assert.Equal(6, reader.Report.Documents);
        Assert.Equal(4, reader.Report.Records);
        Assert.Equal(reader.TotalFileBytes, reader.FileBytesRead);
    }

    [Fact]
    public void ReadDocuments_CountsBrokenRecordsAndNamesTheFirstTen()
    {
        string lines = string.Concat(
            Enumerable.Range(1, 2000).Select(i => i % 100 == 0 ? "{\n" : "{\"text\":\"x\"}\n")
        );
        CorpusReader reader = new([_folder.Write("a.jsonl", lines)]);

        Assert.Equal(1980, reader.ReadDocuments(Cancel).Count());

        Assert.Equal(20, reader.Report.BrokenRecords);
        Assert.Equal(10, reader.Report.FirstProblems.Count);
        Assert.Equal(100, reader.Report.FirstProblems[0].Line);
        Assert.Contains(
            "a.jsonl:100: is not a JSON object",
            reader.Report.FirstProblems[0].ToString(),
            StringComparison.Ordinal
        );
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
        Assert.Contains(
            "1 of 3 records are broken, more than the allowed 1 %",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("a.jsonl:2: is not a JSON object", error.Message, StringComparison.Ordinal);
        Assert.Equal(
            2,
            new CorpusReader([_folder["a.jsonl"]], new() { MaxBrokenShare = 0.34 }).ReadDocuments(Cancel).Count()
        );
    }

    [Fact]
    public void ReadDocuments_StopsEarlyWhereEveryLineIsBroken()
    {
        CorpusReader reader = new([
            _folder.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"body\":\"x\"}\n", 5000))),
        ]);

        DataFormatException error = Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count());

        Assert.Contains("first 1000 records are all broken", error.Message, StringComparison.Ordinal);
        Assert.Contains("has no field 'text'", error.Message, StringComparison.Ordinal);
        Assert.Equal(1000, reader.Report.Records);
    }

    [Fact]
    public void ReadDocuments_NamesALineOverTheBound()
    {
        _folder.Write("a.jsonl", "{\"text\":\"x\"}\n{\"text\":\"" + new string('y', 5000) + "\"}\n{\"text\":\"z\"}\n");
        CorpusReader reader = new([_folder["a.jsonl"]], new() { MaxRecordBytes = 1000, MaxBrokenShare = 1 });

        Assert.Equal(["x", "z"], reader.ReadDocuments(Cancel).Select(document => document.Text));
        Assert.Contains(
            "a.jsonl:2: is longer than 1000 bytes",
            reader.Report.FirstProblems[0].ToString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ReadDocuments_NamesATruncatedArchive()
    {
        string lines = string.Concat(
            Enumerable.Range(0, 20_000).Select(i => $"{{\"text\":\"{i * 7919 % 10007} {i}\"}}\n")
        );
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
            byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
            string text = Convert.ToHexString(new Random(length).GetItems(bytes, length));
            byte[] member = TemporaryFolder.Gzip($"{{\"text\":\"{text}\"}}\n");
            byte[] whole = [.. member, .. member];
            Assert.Equal(2, new CorpusReader([_folder.Write("w.jsonl.gz", whole)]).ReadDocuments(Cancel).Count());

            foreach (int cut in (int[])[1, 4, 7, 8, 9, member.Length / 2, member.Length - 1, member.Length + 5])
            {
                CorpusReader reader = new([_folder.Write("t.jsonl.gz", whole[..^cut])], new() { MaxBrokenShare = 1 });
                _ = reader.ReadDocuments(Cancel).Count();
                Assert.True(reader.Report.BrokenFiles == 1, $"{length} bytes without the last {cut}");
                Assert.Contains(
                    "the archive is cut short",
                    Assert.Single(reader.Report.FirstProblems).Reason,
                    StringComparison.Ordinal
                );
            }
        }
    }

    [Fact]
    public void ReadDocuments_NamesADamagedArchive()
    {
        string lines = string.Concat(
            Enumerable.Range(0, 20_000).Select(i => $"{{\"text\":\"{i * 7919 % 10007} {i}\"}}\n")
        );
        byte[] whole = TemporaryFolder.Gzip(lines);
        whole.AsSpan(whole.Length / 2, 64).Fill(0xFF);
        CorpusReader reader = new([_folder.Write("a.jsonl.gz", whole)], new() { MaxBrokenShare = 1 });
        _ = reader.ReadDocuments(Cancel).Count();
        Assert.Contains("the archive is damaged", reader.Report.FirstProblems[^1].Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text that is no JSON")]
    [InlineData("")]
    public void ReadDocuments_NamesAnArchiveThatIsNone(string content)
    {
        CorpusReader reader = new([_folder.Write("a.jsonl.gz", content)]);

        Assert.Contains(
            "a.jsonl.gz",
            Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ReadDocuments_ReadsZstandardAndNamesATruncatedArchive()
    {
        string lines = string.Concat(
            Enumerable.Range(0, 20_000).Select(i => $"{{\"text\":\"{i * 7919 % 10007} {i}\"}}\n")
        );
        byte[] whole = TemporaryFolder.Zstandard(lines);
        Assert.Equal(
            40_000,
            new CorpusReader([_folder.Write("two.jsonl.zst", [.. whole, .. whole])]).ReadDocuments(Cancel).Count()
        );

        foreach (int cut in (int[])[1, 3, 4, whole.Length / 2, whole.Length - 1])
        {
            CorpusReader reader = new([_folder.Write("t.jsonl.zst", whole[..^cut])], new() { MaxBrokenShare = 1 });
            _ = reader.ReadDocuments(Cancel).Count();
            Assert.True(reader.Report.BrokenFiles == 1, $"without the last {cut} bytes");
        }

        foreach (
            byte[] none in (byte[][])
                [
                    [],
                    [.. "text that is no JSON"u8],
                    [.. whole, 1, 2, 3, 4, 5],
                ]
        )
        {
            CorpusReader reader = new([_folder.Write("n.jsonl.zst", none)]);
            Assert.Contains(
                "n.jsonl.zst",
                Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count()).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void ReadDocuments_ReadsTheLongestZstandardWindowAndNamesALongerOne()
    {
        // Frames of one empty block whose headers ask for windows of 2 GiB (descriptor 0xA8: exponent 21, 2^31 bytes), as 'zstd --long=31', and 4 GiB.
        byte[] frame = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8, 0x01, 0x00, 0x00];
        Assert.Empty(new CorpusReader([_folder.Write("l.jsonl.zst", frame)]).ReadDocuments(Cancel));

        frame[5] = 0xB0;
        CorpusReader reader = new([_folder.Write("w.jsonl.zst", frame)]);

        Assert.Contains(
            "asks for a Zstandard window of more than 2 GiB",
            Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count()).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("bomb.jsonl.gz")]
    [InlineData("bomb.jsonl.zst")]
    public void ReadDocuments_StopsAtAnArchiveBomb(string name)
    {
        // One line of 512 MB behind an honest one, 20 to 500 kB stored.
        string path = _folder[name];
        using (FileStream file = File.Create(path))
        using (
            Stream archive = name.EndsWith("gz", StringComparison.Ordinal)
                ? new System.IO.Compression.GZipStream(file, System.IO.Compression.CompressionLevel.SmallestSize)
                : new ZstdSharp.CompressionStream(file)
        )
        {
            archive.Write("{\"text\":\"honest\"}\n"u8);
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 512; i++)
            {
                archive.Write(zeros);
            }
        }

        CorpusReader reader = new([path], new() { MaxBrokenShare = 1 });
        long before = GC.GetTotalAllocatedBytes();

        Assert.Equal(["honest"], reader.ReadDocuments(Cancel).Select(document => document.Text));

        Assert.Contains(
            "more than 200 times",
            Assert.Single(reader.Report.FirstProblems).Reason,
            StringComparison.Ordinal
        );
        Assert.Equal(1, reader.Report.FirstProblems[0].Line);

        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, LongLineAllocation);
    }

    [Fact]
    public void ReadDocuments_ReadsHighExpansionWhereAllowed()
    {
        string path = _folder.Write(
            "copies.jsonl.gz",
            TemporaryFolder.Gzip(
                "{\"text\":\"" + new string('x', 70 << 20) + "\"}\n",
                System.IO.Compression.CompressionLevel.SmallestSize
            )
        );
        CorpusReader patient = new([path], new() { MaxBrokenShare = 1, MaxExpansion = 2_000 });

        Assert.Empty(patient.ReadDocuments(Cancel));

        Assert.Contains("is longer than", Assert.Single(patient.Report.FirstProblems).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadDocuments_PassesOverALongLine()
    {
        // The suite reads 64 MiB; SALTERN_LONG_FILES=1 reads 4 GiB, past the borders of 31 and 32 bits.
        bool isLong = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SALTERN_LONG_FILES"));
        long length = isLong ? 4L << 30 : 64L << 20;

        // Sparse: it takes no room on the disk.
        string path = _folder["long.jsonl"];
        using (FileStream file = File.Create(path))
        {
            file.Write("{\"text\":\"first\"}\n"u8);
            file.SetLength(length + 100);
            file.Position = file.Length;
            file.Write("\n{\"text\":\"last\"}\n"u8);
        }

        CorpusReader reader = new([path], new() { MaxBrokenShare = 1 });
        long before = GC.GetTotalAllocatedBytes();

        Assert.Equal(["first", "last"], reader.ReadDocuments(Cancel).Select(document => document.Text));
        Assert.Contains(
            "long.jsonl:2: is longer than",
            reader.Report.FirstProblems[0].ToString(),
            StringComparison.Ordinal
        );
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, LongLineAllocation);
    }

    [Fact]
    public void ReadDocuments_DoesNotHoldATextFileOverTheBound()
    {
        _folder.Write("big.txt", new string('x', 2000));

        CorpusReader whole = new([_folder["big.txt"]], new() { MaxRecordBytes = 1000 });
        Assert.Contains(
            "has more than 1000 bytes, too many for one document; cut text files into pieces",
            Assert.Throws<DataFormatException>(() => whole.ReadDocuments(Cancel).Count()).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            3,
            new CorpusReader([_folder["big.txt"]], new() { MaxRecordBytes = 1000, TextPieceBytes = 900 })
                .ReadDocuments(Cancel)
                .Count()
        );
    }

    [Fact]
    public void ReadDocuments_TakesTheFirstFieldThatIsThere()
    {
        CorpusReader reader = new(
            [
                _folder.Write(
                    "a.jsonl",
                    "{\"body\":\"b\",\"text\":\"t\"}\n{\"content\":{\"text\":\"c\"},\"tag\":\"T\"}\n{\"title\":1}\n"
                ),
            ],
            new()
            {
                TextFields = ["text", "content.text"],
                DomainFields = ["tag"],
                MaxBrokenShare = 0.5,
            }
        );

        Assert.Equal(
            ["a t", "T c"],
            reader.ReadDocuments(Cancel).Select(document => $"{document.Domain} {document.Text}")
        );
        Assert.EndsWith(
            "a.jsonl:3: has no field 'text' or 'content.text', but 'title'",
            Assert.Single(reader.Report.FirstProblems).ToString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ReadDocuments_RefusesADomainFieldThatNoRecordHas()
    {
        string path = _folder.Write("a.jsonl", "{\"text\":\"x\"}\n");

        Assert.Contains(
            "None of 1 records has a domain in 'subset' or 'meta.set'",
            Assert
                .Throws<DataFormatException>(() =>
                    new CorpusReader([path], new() { DomainFields = ["subset", "meta.set"] })
                        .ReadDocuments(Cancel)
                        .Count()
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.jsonl.gz")]
    [InlineData("a.jsonl.zst")]
    public void ReadDocuments_GoesOnBehindAnyDocumentWithEqualCounts(string name)
    {
        string lines = string.Concat(
            Enumerable
                .Range(0, 20)
                .Select(i =>
                    i switch
                    {
                        _ when i % 5 == 2 => "\n",
                        _ when i % 7 == 3 => "broken\n",
                        _ => $"{{\"text\":\"{i}\"}}\n",
                    }
                )
        );
        _folder.Write(
            name,
            Path.GetExtension(name) switch
            {
                ".gz" => TemporaryFolder.Gzip(lines),
                ".zst" => TemporaryFolder.Zstandard(lines),
                _ => [.. System.Text.Encoding.UTF8.GetBytes(lines)],
            }
        );
        _folder.Write("b.txt", "text");
        CorpusReader reader = new([_folder[name], _folder["b.txt"]], new() { MaxBrokenShare = 1 });
        List<string> all = [.. reader.ReadDocuments(Cancel).Select(document => document.Text)];
        CorpusReadReport whole = reader.Report;

        for (int given = 1; given <= all.Count; given++)
        {
            List<string> texts = [.. reader.ReadDocuments(Cancel).Take(given).Select(document => document.Text)];
            texts.AddRange(
                reader.ReadDocuments(reader.Position, reader.Report, Cancel).Select(document => document.Text)
            );
            Assert.Equal(all, texts);
            Assert.Equal(
                (whole.Records, whole.BrokenRecords, whole.Documents, whole.Files),
                (reader.Report.Records, reader.Report.BrokenRecords, reader.Report.Documents, reader.Report.Files)
            );
            Assert.Equal(whole.FirstProblems, reader.Report.FirstProblems);
        }
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
        string text =
            string.Concat(Enumerable.Range(0, 100).Select(i => $"Paragraph {i} has some words.\n\n"))
            + new string('é', 2000);
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
        CorpusReaderOptions options = new()
        {
            TextFields = ["a..b"],
            MaxRecordBytes = 0,
            MaxBrokenShare = double.NaN,
            TextPieceBytes = 1,
        };

        Assert.Equal(
            4,
            Assert.Throws<ConfigurationException>(() => new CorpusReader([_folder.Path], options)).Problems.Count
        );
    }
}
