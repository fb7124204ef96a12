using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class SpecialTokenTextTests : IDisposable
{
    private const string Stories =
        "One.\nTwo.\n<|endoftext|>\nThree.\n<|endoftext|>\n\nFour.<|endoftext|>Five.\r\n<|endoftext|>\r\n";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_SplitsATextFileThatIsFullOfMarks()
    {
        CorpusReader reader = new([_folder.Write("stories.txt", Stories)]);

        // By hand: one line break on either side belongs to the mark.
        Assert.Equal(["One.\nTwo.", "Three.", "\nFour.", "Five."], Texts(reader));
        Assert.Equal((4, 0), (reader.Report.SplitMarks, reader.Report.DocumentsWithSpecialTokens));
    }

    [Theory]
    [InlineData("A mark such as <|endoftext|> ends a text.", 1)]
    [InlineData("<|endoftext|>\nOne.", 1)]
    [InlineData("One.<|endoftext|>Two.<|endoftext|>Three.", 3)]
    public void Read_SplitsAtMarksThatStandBesideLineBreaksOrSeveralTimes(string text, int documents) =>
        Assert.Equal(documents, Texts(new CorpusReader([_folder.Write("a.txt", text)])).Length);

    [Fact]
    public void Read_CutsLongTextsBetweenMarksIntoPieces()
    {
        string paragraph = new string('x', 200) + "\n\n";
        string text = string.Concat(Enumerable.Repeat(paragraph, 5)) + "<|endoftext|>\nend\n<|endoftext|>\n";
        CorpusReader reader = new([_folder.Write("a.txt", text)], new() { TextPieceBytes = 512 });

        Assert.Equal([404, 404, 201, 3], Texts(reader).Select(part => part.Length));
    }

    [Fact]
    public void Read_FindsMarksAcrossBuffersAndBoundsTheTextBetween()
    {
        string text = string.Join("\n<|endoftext|>\n", Enumerable.Range(1, 60).Select(i => new string('x', i * 997)));
        string path = _folder.Write("a.txt", text);

        Assert.Equal(
            Enumerable.Range(1, 60).Select(i => i * 997),
            Texts(new CorpusReader([path])).Select(part => part.Length)
        );

        CorpusReader bounded = new([path], new() { MaxRecordBytes = 1 << 15, MaxBrokenShare = 1 });
        _ = Texts(bounded);
        Assert.Equal(1, bounded.Report.BrokenFiles);
    }

    [Fact]
    public void Read_KeepsCountsOrSplitsOrRefusesWhatRecordsSpellOut()
    {
        string path = _folder.Write(
            "a.jsonl",
            "{\"text\":\"one<|endoftext|>two<|im_start|>\"}\n{\"text\":\"plain\"}\n{\"text\":\"<|im_start|>x\"}\n"
        );
        (string[] Texts, CorpusReadReport Report) Read(SpecialTokenText? how)
        {
            CorpusReader reader = new([path], new() { SpecialTokens = how, MaxBrokenShare = 1 })
            {
                Marks = new SpecialMarks("</s>", ["<|im_start|>"]),
            };
            return (Texts(reader), reader.Report);
        }

        foreach (SpecialTokenText? kept in (SpecialTokenText?[])[null, SpecialTokenText.Text])
        {
            (string[] texts, CorpusReadReport report) = Read(kept);
            Assert.Equal(["one<|endoftext|>two<|im_start|>", "plain", "<|im_start|>x"], texts);
            Assert.Equal((2, "<|endoftext|>"), (report.DocumentsWithSpecialTokens, report.SpecialTokenFound));
        }

        (string[] split, CorpusReadReport splitReport) = Read(SpecialTokenText.Split);
        Assert.Equal(["one", "two<|im_start|>", "plain", "<|im_start|>x"], split);
        Assert.Equal(1, splitReport.SplitMarks);

        (string[] refused, CorpusReadReport refusedReport) = Read(SpecialTokenText.Refuse);
        Assert.Equal(["plain"], refused);
        Assert.Equal(2, refusedReport.BrokenRecords);
        Assert.Contains("spells out <|endoftext|>", refusedReport.FirstProblems[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_ResumesWithinARecordThatIsSplit()
    {
        _folder.Write("in/a.jsonl", "{\"text\":\"1<|endoftext|>2<|endoftext|>3\"}\n{\"text\":\"4<|endoftext|>5\"}\n");
        _folder.Write("in/b.txt", "6\n<|endoftext|>\n7\n<|endoftext|>\n8");
        CorpusReader Reader() => new([_folder["in"]], new() { SpecialTokens = SpecialTokenText.Split });
        CorpusReader whole = Reader();
        Assert.Equal("12345678", string.Concat(Texts(whole)));

        for (int taken = 1; taken < 8; taken++)
        {
            CorpusReader first = Reader();
            string before = string.Concat(first.ReadDocuments(Cancel).Take(taken).Select(document => document.Text));
            ReaderState state = first.State;
            CorpusReader second = Reader();
            var report = new CorpusReadReport(state.Counts);
            string after = string.Concat(
                second.ReadDocuments(state.Position, report, Cancel).Select(document => document.Text)
            );

            Assert.Equal("12345678", before + after);
            Assert.Equal(whole.Report.Counts with { FirstProblems = [] }, report.Counts with { FirstProblems = [] });
        }
    }

    private static string[] Texts(CorpusReader reader) =>
        [.. reader.ReadDocuments(Cancel).Select(document => document.Text)];
}
