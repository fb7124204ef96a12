using System.Text;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class TextEncodingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("utf-8")]
    [InlineData("utf-16le")]
    [InlineData("utf-16be")]
    [InlineData("utf-32le")]
    [InlineData("utf-32be")]
    public void Read_DecodesByTheByteOrderMark(string name)
    {
        Encoding encoding = TextDecoding.Named(name)!;
        byte[] Marked(string text) => encoding.GetBytes("\uFEFF" + text);
        _folder.Write("in/a.txt", Marked("héllo 😀"));
        _folder.Write("in/b.jsonl", Marked("{\"text\":\"ünd\"}\n{\"text\":\"zwei\"}\n"));

        // The mark wins over the option, which is for files without one.
        foreach (string? option in (string?[])[null, "windows-1252"])
        {
            CorpusReader reader = new([_folder["in"]], new() { Encoding = option });
            Assert.Equal(["héllo 😀", "ünd", "zwei"], reader.ReadDocuments(Cancel).Select(document => document.Text));
        }
    }

    [Fact]
    public void Read_TakesAnEncodingByName()
    {
        _folder.Write("a.txt", [.. "caf"u8, 0xE9, 0x80]);
        _folder.Write("b.jsonl", [.. "{\"text\":\"na"u8, 0xEF, .. "ve\"}"u8]);

        Assert.Equal(
            ["café€", "naïve"],
            new CorpusReader([_folder.Path], new() { Encoding = "windows-1252" })
                .ReadDocuments(Cancel)
                .Select(document => document.Text)
        );
        Assert.Contains(
            "klingon is not known",
            Assert
                .Throws<ConfigurationException>(() => new CorpusReader([_folder.Path], new() { Encoding = "klingon" }))
                .Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(new byte[] { 0x63, 0xE9 }, "is not valid UTF-8 (at byte 1)")]
    [InlineData(new byte[] { 0x63, 0x00, 0x64, 0x00 }, "UTF-16 without a byte order mark")]
    [InlineData(new byte[] { 0xFF, 0xFE, 0x63, 0x00, 0x00, 0xD8 }, "holds bytes that are not utf-16")]
    [InlineData(new byte[] { 0xFF, 0xFE, 0x63 }, "holds bytes that are not utf-16")]
    public void Read_CountsTextThatIsNotWhatItShouldBe(byte[] text, string reason)
    {
        CorpusReader reader = new([_folder.Write("a.txt", text)], new() { MaxBrokenShare = 1 });

        Assert.Empty(reader.ReadDocuments(Cancel));

        Assert.Equal(1, reader.Report.BrokenFiles);
        Assert.Contains(reason, Assert.Single(reader.Report.FirstProblems).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_CountsOnlyThePieceThatIsNotText()
    {
        string lines = string.Concat(Enumerable.Range(0, 200).Select(i => $"line {i:000} of text\n"));
        byte[] text = Encoding.UTF8.GetBytes(lines);
        text[1000] = 0xFF;
        CorpusReader reader = new([_folder.Write("a.txt", text)], new() { TextPieceBytes = 256, MaxBrokenShare = 0.2 });

        int documents = reader.ReadDocuments(Cancel).Count();

        Assert.Equal((documents + 1, 1), ((int)reader.Report.Records, (int)reader.Report.BrokenRecords));
        Assert.InRange(documents, 10, 30);
        Assert.Contains("piece is not valid UTF-8", reader.Report.FirstProblems[0].Reason, StringComparison.Ordinal);
    }
}
