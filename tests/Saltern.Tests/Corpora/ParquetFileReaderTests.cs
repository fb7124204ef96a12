using Parquet;
using Parquet.Schema;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class ParquetFileReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Zstd)]
    public async Task Read_StreamsEveryRowGroupWithNestedDomains(CompressionMethod compression)
    {
        string path = await Write("books.train.parquet", compression);
        CorpusReader reader = new([path], new() { MaxBrokenShare = 0.5 });

        List<TextDocument> documents = [.. reader.ReadDocuments(Cancel)];

        // By hand: rows 2 and 5 have no text; a row without its own domain belongs to the file's.
        Assert.Equal(
            ["1 Pile héllo", "3 books x😀", "4 Pile héllo", "6 books x😀"],
            documents.Select(document => $"{document.Line} {document.Domain} {document.Text}")
        );
        Assert.Equal((6, 2, 1), (reader.Report.Records, reader.Report.BrokenRecords, reader.Report.Files));
        Assert.Contains(
            "parquet:2: column 'text' is null",
            reader.Report.FirstProblems[0].ToString(),
            StringComparison.Ordinal
        );
        Assert.Equal(reader.TotalFileBytes, reader.FileBytesRead);
    }

    [Fact]
    public async Task Read_TakesTheFirstColumnThatIsThere()
    {
        string path = await Write("a.parquet");
        CorpusReader reader = new(
            [path],
            new()
            {
                TextFields = ["body", "title"],
                DomainFields = ["source", "text"],
                MaxBrokenShare = 1,
            }
        );

        Assert.Equal(
            ["héllo a", "a b", "x😀 c", "héllo a", "a b", "x😀 c"],
            reader.ReadDocuments(Cancel).Select(document => $"{document.Domain} {document.Text}")
        );
    }

    [Theory]
    [InlineData("content", null, "has no column 'content'; it has 'text', 'title', 'meta.pile_set_name', 'n'")]
    [InlineData(
        "text",
        "topic",
        "has no column 'topic' for the domain; it has 'text', 'title', 'meta.pile_set_name', 'n'"
    )]
    [InlineData("n", null, "has a column 'n' that is not one optional text a row, but Int32")]
    public async Task Read_NamesWrongColumnsAndThoseThatAreThere(string text, string? domain, string expected)
    {
        string path = await Write("a.parquet");
        CorpusReader reader = new(
            [path],
            new() { TextFields = [text], DomainFields = domain is null ? null : [domain] }
        );

        Assert.Contains(
            expected,
            Assert.Throws<DataFormatException>(() => reader.ReadDocuments(Cancel).Count()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Read_CountsInvalidUtf8AndTextsOverTheBound()
    {
        byte[] values = HandMadeParquet.Plain("ok", "??", new string('x', 500));
        values[^(500 + 4 + 1)] = 0xFF; // the last byte of "??"
        _folder.Write("a.parquet", new HandMadeParquet { Values = values, Rows = 3 }.Bytes());
        CorpusReader reader = new([_folder["a.parquet"]], new() { MaxRecordBytes = 400, MaxBrokenShare = 1 });

        Assert.Equal(["ok"], reader.ReadDocuments(Cancel).Select(document => document.Text));
        Assert.Equal(
            ["a.parquet:2: holds text that is not valid Unicode", "a.parquet:3: is longer than 400 bytes"],
            reader.Report.FirstProblems.Select(problem => Path.GetFileName(problem.ToString()))
        );
    }

    [Fact]
    public void Read_GoesOnAtAnyRow()
    {
        _folder.Write(
            "a.parquet",
            new HandMadeParquet { Values = HandMadeParquet.Plain("a", "b", "c"), Rows = 3 }.Bytes()
        );
        CorpusReader reader = new([_folder["a.parquet"]]);

        for (int row = 0; row <= 3; row++)
        {
            Assert.Equal(
                "abc"[row..],
                string.Concat(
                    reader
                        .ReadDocuments(new CorpusPosition(0, row), new CorpusReadReport(), Cancel)
                        .Select(document => document.Text)
                )
            );
        }
    }

    // Every lie is found before memory is asked for by it: 2 billion rows of 16 bytes would be 32 GB.
    [Fact]
    public void Read_RefusesNumbersThatLie()
    {
        (HandMadeParquet File, string Finding)[] lies =
        [
            (new() { Rows = int.MaxValue }, "a row group of 2147483647 rows"),
            (new() { ColumnValues = 7 }, "2 rows with 7 values"),
            (new() { ColumnStored = long.MaxValue }, "outside the file"),
            (new() { PageOffset = -1 }, "outside the file"),
            (new() { ColumnExpanded = 1L << 40 }, "a column of 1099511627776 bytes"),
            (new() { PageExpanded = int.MaxValue }, "pages of more than 1073741824 bytes"),
            (new() { PageExpanded = 1 << 29 }, "an uncompressed page of"),
            (new() { PageStored = 1 << 29 }, "which leaves its column"),
            (new() { PageStored = -5 }, "which leaves its column"),
            (new() { PageValues = -2 }, "a page of -2 values"),
            (new() { PageValues = 1 }, "1 values in its pages, expected 2"),
            (new() { Encoding = 7 }, "DELTA_BYTE_ARRAY"),
            (new() { FooterLength = uint.MaxValue }, "metadata of 4294967295 bytes"),
            (new() { Footer = [0x29, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00] }, "a list of 4294967295 values"),
            (new() { Footer = [.. Enumerable.Repeat((byte)0x1C, 1000)] }, "nested deeper than 32"),
            (new() { Footer = [0x18, 0xFF, 0x7F, 0x00] }, "metadata ends in the middle"),
        ];
        Assert.Equal(2, Read(new HandMadeParquet().Bytes()).Report.Documents);
        long before = GC.GetTotalAllocatedBytes();
        foreach ((HandMadeParquet file, string finding) in lies)
        {
            CorpusReader reader = Read(file.Bytes());
            Assert.Equal((0, 1), (reader.Report.Documents, reader.Report.BrokenFiles));
            Assert.Contains(finding, reader.Report.FirstProblems[0].Reason, StringComparison.Ordinal);
        }

        // One 1 MiB buffer for page headers a file, and little else.
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 64 << 20);
    }

    [Theory]
    [InlineData(1 << 30)]
    [InlineData(-1)]
    [InlineData(100)]
    public void Read_RefusesTextLengthsThatLie(int length)
    {
        byte[] values = HandMadeParquet.Plain("one", "two");
        BitConverter.GetBytes(length).CopyTo(values, 0);

        CorpusReader reader = Read(new HandMadeParquet { Values = values }.Bytes());

        Assert.Equal((0, 1), (reader.Report.Documents, reader.Report.BrokenFiles));
    }

    [Fact]
    public void Read_OfAPageThatExpandsBeyondItsWord_StaysSmall()
    {
        // 150 MB of one letter, in a page that says it has 20 bytes.
        byte[] values = HandMadeParquet.Plain(new string('a', 150_000_000));
        byte[] file = new HandMadeParquet
        {
            Values = values,
            Rows = 1,
            Gzip = true,
            PageExpanded = 20,
        }.Bytes();
        values = [];
        GC.Collect();
        long before = GC.GetTotalAllocatedBytes();

        CorpusReader reader = Read(file);

        Assert.Equal((0, 1), (reader.Report.Documents, reader.Report.BrokenFiles));
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 64 << 20);
    }

    [Fact]
    public void Read_OfDamagedBytes_NeverFailsOtherwise()
    {
        byte[] whole = new HandMadeParquet
        {
            Values = HandMadeParquet.Plain([.. Enumerable.Range(0, 20).Select(i => $"text {i}")]),
            Rows = 20,
        }.Bytes();
        Random random = new(1);
        for (int round = 0; round < 500; round++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            CorpusReader reader = Read(random.Next(4) == 0 ? damaged[..random.Next(damaged.Length)] : damaged);
            Assert.InRange(reader.Report.Documents, 0, 20);
        }
    }

    private CorpusReader Read(byte[] file)
    {
        CorpusReader reader = new([_folder.Write("lie.parquet", file)], new() { MaxBrokenShare = 1 });
        _ = reader.ReadDocuments(Cancel).Count();
        return reader;
    }

    private async Task<string> Write(string name, CompressionMethod compression = CompressionMethod.Snappy)
    {
        var schema = new ParquetSchema(
            new DataField<string>("text"),
            new DataField("title", typeof(string), false),
            new StructField("meta", new DataField<string>("pile_set_name")),
            new DataField<int>("n")
        );
        await using FileStream file = File.Create(_folder[name]);
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(
            schema,
            file,
            new ParquetOptions { CompressionMethod = compression },
            cancellationToken: Cancel
        );
        for (int group = 0; group < 2; group++)
        {
            using ParquetRowGroupWriter rows = writer.CreateRowGroup();
            DataField[] fields = schema.GetDataFields();
            await rows.WriteAsync(fields[0], new string?[] { "héllo", null, "x😀" });
            await rows.WriteAsync(fields[1], new[] { "a", "b", "c" });
            await rows.WriteAsync(fields[2], new string?[] { "Pile", "Pile", null });
            await rows.WriteAsync<int>(fields[3], new[] { 1, 2, 3 }, cancellationToken: Cancel);
        }

        return _folder[name];
    }
}
