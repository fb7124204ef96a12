using System.Text;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

/// <summary>The forms under which corpora are published, written small by hand.</summary>
public sealed class PublishedFormsTests : IDisposable
{
    private const string TwoLines = "{\"text\":\"one\"}\n{\"text\":\"two\"}\n";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ABzip2FileDamagedInItsFirstBlock_IsABrokenFile()
    {
        // The library reads that block when it is opened, and has exceptions of its own for it.
        for (int at = 4; at < 40; at++)
        {
            byte[] damaged = [.. PublishedBytes.Bzip2];
            damaged[at] ^= 0x55;
            CorpusReader reader = new([_folder.Write("a.jsonl.bz2", damaged)], new() { MaxBrokenShare = 1 });
            Assert.Empty(reader.ReadDocuments(Cancel));
            Assert.Equal(1, reader.Report.BrokenFiles);
        }
    }

    [Theory]
    [InlineData(true, 4)]
    [InlineData(false, -10)]
    public void AnArrowFileThatLiesAboutItsSchema_IsABrokenFile(bool isStream, int at)
    {
        string path = WriteArrow("a.arrow", isStream);
        byte[] lying = File.ReadAllBytes(path);
        BitConverter.TryWriteBytes(lying.AsSpan(at < 0 ? lying.Length + at : at), 1 << 30);
        File.WriteAllBytes(path, lying);
        CorpusReader reader = new([path], new() { MaxBrokenShare = 1 });
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Empty(reader.ReadDocuments(Cancel));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        Assert.Contains(
            "is said to have 1073741824 bytes",
            Assert.Single(reader.Report.FirstProblems).Reason,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.ndjson")]
    [InlineData("a.jsonlines")]
    [InlineData("a.JSON")]
    [InlineData("a.json.gz")]
    [InlineData("a.ndjson.zst")]
    [InlineData("a.jsonl.bz2")]
    [InlineData("a.jsonl.xz")]
    [InlineData("misnamed.jsonl")]
    [InlineData("unpacked.jsonl.gz")]
    public void Read_TakesEveryEndingAndCompression(string name)
    {
        _folder.Write(
            name,
            Path.GetExtension(name) switch
            {
                _ when name.StartsWith("misnamed", StringComparison.Ordinal) => TemporaryFolder.Gzip(TwoLines),
                ".gz" when !name.StartsWith("unpacked", StringComparison.Ordinal) => TemporaryFolder.Gzip(TwoLines),
                ".zst" => TemporaryFolder.Zstandard(TwoLines),
                ".bz2" => PublishedBytes.Bzip2,
                ".xz" => PublishedBytes.Xz,
                _ => Encoding.UTF8.GetBytes(TwoLines),
            }
        );

        Assert.Equal(["one", "two"], Texts(new CorpusReader([_folder[name]])));
        Assert.Equal(["one", "two"], Texts(new CorpusReader([_folder.Path])));
    }

    [Theory]
    [InlineData("[{\"text\":\"one\"},{\"text\":\"two\"}]")]
    [InlineData(" [\n  {\n    \"text\": \"one\",\n    \"more\": [\"]\", \"\\\"}\"]\n  },\n  {\"text\": \"two\"}\n]\n")]
    [InlineData("{\n  \"text\": \"one\"\n}\n{\n  \"text\": \"two\"\n}\n")]
    [InlineData("\uFEFF[{\"text\":\"one\"}\n,{\"text\":\"two\", \"p\": NaN}]")]
    public void Read_TakesListsAndValuesOverSeveralLines(string json)
    {
        CorpusReader reader = new([_folder.Write("a.json", json)]);

        Assert.Equal(["one", "two"], Texts(reader));
        Assert.Equal([1L, 2L], reader.ReadDocuments(Cancel).Select(document => document.Line!.Value));
    }

    [Fact]
    public void Read_LosesNoLineToABrokenFirstOne()
    {
        CorpusReader reader = new(
            [_folder.Write("a.jsonl", "{\"text\":\"zero\",\"more\":{\n" + TwoLines)],
            new() { MaxBrokenShare = 0.5 }
        );

        Assert.Equal(["one", "two"], Texts(reader));
        Assert.Equal(1, reader.Report.BrokenRecords);
    }

    [Fact]
    public void Read_CountsBrokenEntriesOfAListAndNamesOneCutShort()
    {
        CorpusReader reader = new(
            [_folder.Write("a.json", "[{\"text\":\"one\"}, 7, \"x\", {\"body\":\"no\"}, {\"text\":\"two\"}")],
            new() { MaxBrokenShare = 1 }
        );

        Assert.Equal(["one", "two"], Texts(reader));
        Assert.Equal(3, reader.Report.BrokenRecords);
        Assert.Contains(
            "the list that the file holds is not closed",
            reader.Report.FirstProblems[^1].Reason,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("a.jsonl.bz2")]
    [InlineData("a.jsonl.xz")]
    public void Read_NamesADamagedArchive(string name)
    {
        byte[] whole = name.EndsWith("xz", StringComparison.Ordinal) ? PublishedBytes.Xz : PublishedBytes.Bzip2;
        foreach (int cut in (int[])[1, 5, 9, 20])
        {
            CorpusReader reader = new([_folder.Write(name, whole[..^cut])], new() { MaxBrokenShare = 1 });
            _ = Texts(reader);
            Assert.True(reader.Report.BrokenFiles == 1, $"without the last {cut} bytes");
        }

        byte[] flipped = [.. whole];
        flipped[^30] ^= 4;
        CorpusReader damaged = new([_folder.Write(name, flipped)], new() { MaxBrokenShare = 1 });
        _ = Texts(damaged);
        Assert.Equal(1, damaged.Report.BrokenFiles);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10_000)]
    public void Read_PassesOverZerosBehindGzip(int padding)
    {
        byte[] whole = [.. TemporaryFolder.Gzip(TwoLines), .. TemporaryFolder.Gzip(TwoLines)];
        CorpusReader reader = new([_folder.Write("a.jsonl.gz", [.. whole, .. new byte[padding]])]);

        Assert.Equal(["one", "two", "one", "two"], Texts(reader));
    }

    [Fact]
    public void Read_NamesWhatFollowsGzipAndIsNone()
    {
        byte[] whole = TemporaryFolder.Gzip(TwoLines);
        CorpusReader garbage = new([_folder.Write("a.jsonl.gz", [.. whole, 0, 0, 7])], new() { MaxBrokenShare = 1 });
        CorpusReader cut = new([_folder.Write("b.jsonl.gz", [.. whole[..^3], 0, 0])], new() { MaxBrokenShare = 1 });

        Assert.Equal(["one", "two"], Texts(garbage));
        Assert.Contains("no gzip", Assert.Single(garbage.Report.FirstProblems).Reason, StringComparison.Ordinal);
        _ = Texts(cut);
        Assert.Equal(1, cut.Report.BrokenFiles);
    }

    [Fact]
    public void Read_SaysThatAPointerIsNotTheFile()
    {
        CorpusReader reader = new(
            [_folder.Write("a.jsonl.gz", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")],
            new() { MaxBrokenShare = 1 }
        );

        Assert.Empty(Texts(reader));
        Assert.Contains("Git LFS pointer", Assert.Single(reader.Report.FirstProblems).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Read_TakesArrowAsStreamAndAsFile(bool isStream)
    {
        string path = WriteArrow("part-0.arrow", isStream);
        CorpusReader reader = new([path], new() { MaxBrokenShare = 0.5 });

        Assert.Equal(
            ["1 wiki one", "2 books twö", "4 wiki four"],
            reader.ReadDocuments(Cancel).Select(document => $"{document.Line} {document.Domain} {document.Text}")
        );
        Assert.Contains(
            "arrow:3: column 'text' is null",
            reader.Report.FirstProblems[0].ToString(),
            StringComparison.Ordinal
        );

        byte[] whole = File.ReadAllBytes(path);
        foreach (int cut in (int[])[8, 40, whole.Length / 2])
        {
            CorpusReader damaged = new([_folder.Write("cut.arrow", whole[..^cut])], new() { MaxBrokenShare = 1 });
            _ = Texts(damaged);
            Assert.True(damaged.Report.BrokenFiles == 1, $"without the last {cut} bytes");
        }

        Assert.Contains(
            "has no column 'body'; it has 'text', 'meta'",
            Assert
                .Throws<DataFormatException>(() => Texts(new CorpusReader([path], new() { TextFields = ["body"] })))
                .Message,
            StringComparison.Ordinal
        );
    }

    // Two batches of two rows: text, and a structure with the domain, which is missing where the structure is.
    private string WriteArrow(string name, bool isStream)
    {
        Field domain = new("pile_set_name", StringType.Default, nullable: true);
        StructType meta = new([domain]);
        Schema schema = new([new Field("text", StringType.Default, true), new Field("meta", meta, true)], null);
        RecordBatch Batch(string?[] texts, string?[] domains)
        {
            StringArray.Builder values = new();
            StringArray.Builder names = new();
            ArrowBuffer.BitmapBuilder there = new();
            foreach (string? text in texts)
            {
                _ = text is null ? values.AppendNull() : values.Append(text);
            }

            foreach (string? one in domains)
            {
                _ = one is null ? names.AppendNull() : names.Append(one);
                there.Append(one is not null);
            }

            StructArray structure = new(
                meta,
                2,
                [names.Build()],
                there.Build(),
                nullCount: domains.Count(one => one is null)
            );
            return new RecordBatch(schema, [values.Build(), structure], 2);
        }

        using FileStream file = File.Create(_folder[name]);
        using ArrowStreamWriter writer = isStream
            ? new ArrowStreamWriter(file, schema)
            : new ArrowFileWriter(file, schema);
        writer.WriteRecordBatch(Batch(["one", "twö"], ["wiki", "books"]));
        writer.WriteRecordBatch(Batch([null, "four"], [null, "wiki"]));
        writer.WriteEnd();
        return _folder[name];
    }

    private static string[] Texts(CorpusReader reader) =>
        [.. reader.ReadDocuments(Cancel).Select(document => document.Text)];
}
