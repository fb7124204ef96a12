using System.Text;
using Saltern.Cli.Demo;
using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tests.Corpora;
using Saltern.Tests.Distributed;
using Saltern.Tokenization;

namespace Saltern.Tests.Shards;

public sealed class PrepareResumeTests(PrepareResumeTests.WholeWork made)
    : IClassFixture<PrepareResumeTests.WholeWork>,
        IDisposable
{
    private static readonly BpeTokenizer Tokenizer = BpeTrainer.Train(
        ["the salt works near the sea", "the sea near the salt"],
        new BpeTrainerOptions { VocabularySize = 270 }
    );

    private readonly TemporaryFolder _folder = new();
    private string[] _input = made.Input;

    // Every format, broken records among them, duplicates, two domains a file, and a dozen points to go on from.
    private static readonly Lazy<(string Name, byte[] Bytes)[]> Corpus = new(() =>
    {
        List<string> lines =
        [
            .. GeneratedText
                .Generate(3, 350_000)
                .Select(document =>
                    document
                        .Text.Replace("\n", "\\n", StringComparison.Ordinal)
                        .Replace("\"", "'", StringComparison.Ordinal)
                )
                .Select((text, i) => $"{{\"text\":\"{text} {i}\",\"domain\":\"d{i % 3}\"}}"),
        ];
        lines.InsertRange(lines.Count / 2, ["broken", "", lines[1], "{}"]);
        string[] parts = [.. lines.Chunk((lines.Count / 3) + 1).Select(part => string.Join('\n', part))];
        return
        [
            ("in/1.jsonl.gz", TemporaryFolder.Gzip(parts[0])),
            ("in/2.jsonl.zst", TemporaryFolder.Zstandard(parts[1])),
            ("in/3.jsonl", Encoding.UTF8.GetBytes(parts[2])),
            (
                "in/4.parquet",
                new HandMadeParquet
                {
                    Values = HandMadeParquet.Plain([
                        .. Enumerable.Range(0, 200).Select(i => $"parquet {i} {new string('p', 125)}"),
                    ]),
                    Rows = 200,
                }.Bytes()
            ),
            ("in/text/5.txt", "a text file"u8.ToArray()),
        ];
    });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Build_SaysHowManyRecordsWereRefused_WhereNoneIsLeft()
    {
        string path = _folder.Write(
            "marked/a.jsonl",
            "{\"text\":\"a <|endoftext|> b\"}\n{\"text\":\"<|endoftext|>\"}\n"
        );
        CorpusReader reader = new([path], new() { SpecialTokens = SpecialTokenText.Refuse, MaxBrokenShare = 1 });
        Assert.Contains(
            "0 are validation text, 2 were broken or refused.",
            Assert
                .Throws<DataFormatException>(() =>
                    DatasetBuilder.Build(reader, null, Tokenizer, _folder["none"], Options, null, Cancel)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Build_InterruptedAnywhere_EndsInTheSameBytes()
    {
        long all = made.Manifest.Domains.Sum(domain => (domain.Train?.Documents ?? 0) + (domain.Valid?.Documents ?? 0));
        long gained = 0;
        for (int stop = 1; stop <= 12; stop++)
        {
            // Each time interrupted twice, at other places.
            Interrupt("again", stop * 30_000L);
            PrepareSummary? summary = Interrupt("again", (stop + 1) * 30_000L) ?? Build("again", Cancel);

            gained += summary.ResumedDocuments;
            Assert.Equal(all, summary.Total.Documents);
            AssertSame(Files("again"));
            Directory.Delete(_folder["again"], recursive: true);
        }

        Assert.InRange(gained, all, long.MaxValue); // all did not begin anew
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Build_OnSeveralRanks_EndsInTheSameBytes(int size)
    {
        // Undivided, and interrupted on a rank that is not the first, then gone on with by another number.
        Share("shared", size, Cancel);
        AssertSame(Files("shared"));
        using CancellationTokenSource source = new();
        AggregateException stopped = Assert.Throws<AggregateException>(() =>
            Share("moved", size, source.Token, new Listener(p => CancelBehind(source, p, 112_000)))
        );
        Assert.IsAssignableFrom<OperationCanceledException>(stopped.InnerException);
        Assert.InRange(Share("moved", size + 1, Cancel)!.ResumedDocuments, 1, long.MaxValue);
        AssertSame(Files("moved"));
        Directory.Delete(_folder["moved"], recursive: true);

        // By one rank what several began, and the other way round.
        Interrupt("moved", 62_000);
        Assert.InRange(Share("moved", size, Cancel)!.ResumedDocuments, 1, long.MaxValue);
        AssertSame(Files("moved"));
    }

    [Fact]
    public void ARankWithOtherInput_EndsTheWork()
    {
        AggregateException failed = Assert.Throws<AggregateException>(() =>
            ThreadRanks.Run(
                2,
                ranks =>
                {
                    DatasetBuilderOptions options = Options with { Ranks = ranks, Threads = 1 };
                    if (ranks.Rank == 0)
                    {
                        DatasetBuilder.Build(
                            new CorpusReader(_input, Reading),
                            null,
                            Tokenizer,
                            _folder["other"],
                            options,
                            null,
                            Cancel
                        );
                    }
                    else
                    {
                        DatasetBuilder.Assist(
                            new CorpusReader([made["in/1.jsonl.gz"]], Reading),
                            null,
                            Tokenizer,
                            options,
                            Cancel
                        );
                    }

                    return 0;
                }
            )
        );
        Assert.Contains(
            "All ranks need the same input files under the same paths.",
            Assert.IsType<DistributedException>(failed.InnerException).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Build_CountsTheSameWhenInterrupted()
    {
        CorpusReader reader = new(_input, new() { MaxBrokenShare = 0.5 });
        PrepareSummary whole = DatasetBuilder.Build(reader, null, Tokenizer, _folder["counted"], Options, null, Cancel);
        Interrupt("again", 62_000);

        CorpusReader second = new(_input, new() { MaxBrokenShare = 0.5 });
        PrepareSummary summary = DatasetBuilder.Build(second, null, Tokenizer, _folder["again"], Options, null, Cancel);

        Assert.InRange(summary.ResumedDocuments, 1, whole.Total.Documents - 1);
        Assert.Equal(
            (whole.DuplicateDocuments, whole.EmptyDocuments, whole.Total.Tokens, whole.Total.Bytes),
            (summary.DuplicateDocuments, summary.EmptyDocuments, summary.Total.Tokens, summary.Total.Bytes)
        );
        Assert.Equal(1, summary.DuplicateDocuments);
        Assert.Equal(
            (reader.Report.Records, 2L, reader.Report.Documents, reader.Report.Files),
            (second.Report.Records, second.Report.BrokenRecords, second.Report.Documents, second.Report.Files)
        );
        Assert.Equal(reader.Report.FirstProblems, second.Report.FirstProblems);
    }

    [Fact]
    public void Build_WithoutNearDuplicates_EndsInTheSameBytes_InterruptedAndOnSeveralRanks()
    {
        // Of 600 texts each fifth comes again later, with another last word; so the copies of what an interrupted run had read are met by the next.
        var random = new Random(11);
        string[] texts =
        [
            .. Enumerable
                .Range(0, 600)
                .Select(_ => string.Join(' ', Enumerable.Range(0, 60).Select(_ => $"w{random.Next(1_000_000)}"))),
        ];
        string[] copies = [.. texts.Where((_, i) => i % 5 == 0).Select(text => text[..text.LastIndexOf(' ')] + " end")];
        _folder.Write("near/a.jsonl", string.Concat(texts.Select(text => $"{{\"text\":\"{text}\"}}\n")));
        _folder.Write("near/b.jsonl", string.Concat(copies.Select(text => $"{{\"text\":\"{text}\"}}\n")));
        DatasetBuilderOptions options = new()
        {
            ValidPercent = 20,
            CheckpointBytes = 20_000,
            ChunkBytes = 5_000,
            NearDuplicates = true,
        };
        PrepareSummary Run(string name, CancellationToken token, IProgress<PrepareProgress>? progress = null) =>
            DatasetBuilder.Build(
                new CorpusReader([_folder["near"]]),
                null,
                Tokenizer,
                _folder[name],
                options,
                progress,
                token
            );
        PrepareSummary whole = Run("near-whole", Cancel);
        Assert.Equal((600L, 120L), (whole.Total.Documents, whole.NearDuplicateDocuments));
        Assert.InRange(whole.NearDuplicatesAcrossSplit, 10, 70); // 2 · 0.2 · 0.8 of 120 are 38
        Assert.Equal(5, whole.NearDuplicateExamples.Count);
        Assert.Matches(
            @"/near/b\.jsonl:1 is like .*/near/a\.jsonl:1 \((0\.9\d|1\.00)\)$",
            whole.NearDuplicateExamples[0]
        );
        Dictionary<string, byte[]> expected = Files("near-whole");
        Assert.DoesNotContain(
            expected.Keys,
            file => file.Contains(PrepareJournal.NearFileName, StringComparison.Ordinal)
        );
        foreach (long bytes in (long[])[30_000, 120_000, 200_000])
        {
            using CancellationTokenSource source = new();
            Assert.ThrowsAny<OperationCanceledException>(() =>
                Run("near-again", source.Token, new Listener(p => CancelBehind(source, p, bytes)))
            );
            AssertSummary(Run("near-again", Cancel));
            AssertEqual(expected, Files("near-again"));
            Directory.Delete(_folder["near-again"], recursive: true);
        }

        using CancellationTokenSource shared = new();
        Assert.Throws<AggregateException>(() =>
            Share(2, shared.Token, new Listener(p => CancelBehind(shared, p, 100_000)))
        );
        AssertSummary(Share(3, Cancel, null)!);
        AssertEqual(expected, Files("near-again"));

        // What is resumed has the same rule, and what is damaged is named.
        Directory.Delete(_folder["near-again"], recursive: true);
        using CancellationTokenSource last = new();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            Run("near-again", last.Token, new Listener(p => CancelBehind(last, p, 100_000)))
        );
        options = options with { NearDuplicates = false };
        Assert.Contains(
            "the rule for near-duplicates was 5 words, 128 permutations, 16 bands, from 0.8 on, is none",
            Assert.Throws<DataFormatException>(() => Run("near-again", Cancel)).Message,
            StringComparison.Ordinal
        );
        options = options with { NearDuplicates = true };
        byte[] near = File.ReadAllBytes(_folder[$"near-again/{PrepareJournal.NearFileName}"]);
        near[200] ^= 1;
        File.WriteAllBytes(_folder[$"near-again/{PrepareJournal.NearFileName}"], near);
        Assert.Contains(
            "dataset.near' does not have the checksum",
            Assert.Throws<DataFormatException>(() => Run("near-again", Cancel)).Message,
            StringComparison.Ordinal
        );

        void AssertSummary(PrepareSummary found)
        {
            Assert.InRange(found.ResumedDocuments, 1, 600);
            Assert.Equal(
                (whole.NearDuplicateDocuments, whole.NearDuplicatesAcrossSplit),
                (found.NearDuplicateDocuments, found.NearDuplicatesAcrossSplit)
            );
            Assert.Equal(whole.NearDuplicateExamples, found.NearDuplicateExamples);
        }

        PrepareSummary? Share(int size, CancellationToken token, IProgress<PrepareProgress>? progress) =>
            ThreadRanks.Run(
                size,
                ranks =>
                {
                    DatasetBuilderOptions own = options with { Ranks = ranks, Threads = 1 };
                    var reader = new CorpusReader([_folder["near"]]);
                    if (ranks.Rank == 0)
                    {
                        return DatasetBuilder.Build(
                            reader,
                            null,
                            Tokenizer,
                            _folder["near-again"],
                            own,
                            progress,
                            token
                        );
                    }

                    DatasetBuilder.Assist(reader, null, Tokenizer, own, token);
                    return null;
                }
            )[0];

        static void AssertEqual(Dictionary<string, byte[]> expected, Dictionary<string, byte[]> found)
        {
            Assert.Equal(expected.Keys.Order(), found.Keys.Order());
            Assert.All(expected, file => Assert.Equal(file.Value, found[file.Key]));
        }
    }

    [Fact]
    public void Build_AfterAKill_GoesOnFromTheLastPointOnDisk()
    {
        // What a kill leaves at any moment is what lies in the folder then: copied while the work goes on, with bytes behind the last point.
        int copies = 0;
        Build(
            "running",
            Cancel,
            new Listener(_ =>
            {
                if (File.Exists(_folder[$"running/{PrepareJournal.FileName}"]))
                {
                    Copy("running", $"killed-{copies++}");
                }
            })
        );
        Assert.InRange(copies, 1, 1000);
        for (int i = 0; i < copies; i++)
        {
            string torn = Directory.GetFiles(_folder[$"killed-{i}/train"], "*.bin.partial")[0];
            File.AppendAllText(torn, "half a docu");
            _folder.Write($"killed-{i}/train/later.bin.partial", "a shard that was begun behind the last point");
            File.AppendAllText(_folder[$"killed-{i}/{PrepareJournal.SeenFileName}"], "1234567");
            _folder.Write($"killed-{i}/{PrepareJournal.FileName}.partial", "{\"schema\":");
            Assert.Contains(
                "holds an unfinished data set",
                Assert
                    .Throws<DataFormatException>(() => TokenDataset.Open(_folder[$"killed-{i}"], verify: false, Cancel))
                    .Message,
                StringComparison.Ordinal
            );

            Assert.InRange(Build($"killed-{i}", Cancel).ResumedDocuments, 1, long.MaxValue);
            AssertSame(Files($"killed-{i}"));
        }
    }

    [Fact]
    public void Build_KilledWhileItFinished_IsMadeWhole()
    {
        Interrupt("again", 62_000);
        Copy("again", "late");
        Build("again", Cancel);

        // Shards have their names, the manifest is missing: what lies between the renames.
        foreach (string split in (string[])["train", "valid"])
        {
            foreach (string file in Directory.GetFiles(_folder[$"again/{split}"], "*.bin"))
            {
                string partial = _folder[$"late/{split}/{Path.GetFileName(file)}.partial"];
                if (File.Exists(partial))
                {
                    File.Delete(partial);
                    File.Copy(file, partial[..^".partial".Length]);
                    File.Copy(
                        Path.ChangeExtension(file, ".idx"),
                        Path.ChangeExtension(partial[..^".partial".Length], ".idx")
                    );
                }
            }
        }

        Assert.InRange(Build("late", Cancel).ResumedDocuments, 1, long.MaxValue);
        AssertSame(Files("late"));
    }

    [Fact]
    public void Build_WithValidationTextOfItsOwn_GoesOnInEitherPart()
    {
        string[] valid = [made["in/1.jsonl.gz"]];
        string[] train = [made["in/2.jsonl.zst"], made["in/3.jsonl"]];
        PrepareSummary Run(string name, CancellationToken token, IProgress<PrepareProgress>? progress = null) =>
            DatasetBuilder.Build(
                new CorpusReader(train, Reading),
                new CorpusReader(valid, Reading),
                Tokenizer,
                _folder[name],
                Options,
                progress,
                token
            );
        Run("apart", Cancel);
        Dictionary<string, byte[]> expected = Files("apart");
        foreach (long bytes in (long[])[12_000, 31_000, 50_000, 87_000])
        {
            using CancellationTokenSource source = new();
            Assert.ThrowsAny<OperationCanceledException>(() =>
                Run("again", source.Token, new Listener(p => CancelBehind(source, p, bytes)))
            );
            Assert.InRange(Run("again", Cancel).ResumedDocuments, 1, long.MaxValue);
            Dictionary<string, byte[]> found = Files("again");
            Assert.Equal(expected.Keys.Order(), found.Keys.Order());
            Assert.All(expected, file => Assert.Equal(file.Value, found[file.Key]));
            Directory.Delete(_folder["again"], recursive: true);
        }
    }

    [Fact]
    public void Build_RefusesToGoOnWhenAnythingHasChanged()
    {
        foreach ((string name, byte[] bytes) in Corpus.Value)
        {
            _folder.Write(name, bytes);
        }

        _input = [_folder["in"]];
        Interrupt("again", 62_000);
        byte[] parquet = File.ReadAllBytes(_folder["in/4.parquet"]);

        _folder.Write("in/4.parquet", [.. parquet, 0]);
        string message = Assert.Throws<DataFormatException>(() => Build("again", Cancel)).Message;
        Assert.Contains("holds an unfinished data set of another job", message, StringComparison.Ordinal);
        Assert.Matches($@"4\.parquet' had {parquet.Length} bytes of .*, has {parquet.Length + 1} of", message);

        _folder.Write("in/4.parquet", parquet);
        Assert.Matches("4.parquet' had", Assert.Throws<DataFormatException>(() => Build("again", Cancel)).Message); // touched: another time
        File.Delete(_folder["in/4.parquet"]);
        Assert.Matches(
            "input 4 was '.*4.parquet', is '.*5.txt'",
            Assert.Throws<DataFormatException>(() => Build("again", Cancel)).Message
        );
        Assert.Contains(
            "the percentage of validation text was 5, is 6",
            Assert
                .Throws<DataFormatException>(() =>
                    DatasetBuilder.Build(
                        new CorpusReader(_input, Reading),
                        null,
                        Tokenizer,
                        _folder["again"],
                        Options with
                        {
                            ValidPercent = 6,
                        },
                        null,
                        Cancel
                    )
                )
                .Message,
            StringComparison.Ordinal
        );

        // Nothing was touched by the refusals, and --overwrite begins anew.
        Assert.True(File.Exists(_folder[$"again/{PrepareJournal.FileName}"]));
        PrepareSummary summary = DatasetBuilder.Build(
            new CorpusReader(_input, Reading),
            null,
            Tokenizer,
            _folder["again"],
            Options with
            {
                Overwrite = true,
            },
            null,
            Cancel
        );
        Assert.Equal(0, summary.ResumedDocuments);
    }

    [Fact]
    public void Build_NamesAJournalOrShardThatIsDamaged()
    {
        Interrupt("again", 62_000);
        Copy("again", "short");
        File.WriteAllText(_folder[$"again/{PrepareJournal.FileName}"], "{\"schema\": 7}");
        Assert.Contains(
            "dataset.progress.json' is damaged",
            Assert.Throws<DataFormatException>(() => Build("again", Cancel)).Message,
            StringComparison.Ordinal
        );

        using (FileStream file = File.OpenWrite(Directory.GetFiles(_folder["short/train"], "*.bin.partial")[0]))
        {
            file.SetLength(10);
        }

        Assert.Contains(
            "has 10 bytes, expected at least",
            Assert.Throws<DataFormatException>(() => Build("short", Cancel)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(0, Build("short", Cancel).ResumedDocuments);
        AssertSame(Files("short"));
    }

    [Fact]
    public void Build_TooMuchBroken_LeavesNothingToGoOnWith()
    {
        Assert.Throws<DataFormatException>(() =>
            DatasetBuilder.Build(
                new CorpusReader(_input, new() { MaxBrokenShare = 0 }),
                null,
                Tokenizer,
                _folder["failed"],
                Options,
                null,
                Cancel
            )
        );
        Assert.False(Directory.Exists(_folder["failed"])); // it was made for this, so nothing of it stays
    }

    private static DatasetBuilderOptions Options =>
        new()
        {
            ValidPercent = 5,
            CheckpointBytes = 12_500,
            ChunkBytes = 1 << 15, // an eighth of the usual, for an eighth of the text
        };

    private static CorpusReaderOptions Reading => new() { MaxBrokenShare = 0.5 };

    private static void CancelBehind(CancellationTokenSource source, PrepareProgress progress, long bytes)
    {
        if (progress.Bytes >= bytes)
        {
            source.Cancel();
        }
    }

    private PrepareSummary Build(string name, CancellationToken token, IProgress<PrepareProgress>? progress = null) =>
        Build(_input, _folder[name], progress, token);

    private static PrepareSummary Build(
        string[] input,
        string folder,
        IProgress<PrepareProgress>? progress,
        CancellationToken token
    ) => DatasetBuilder.Build(new CorpusReader(input, Reading), null, Tokenizer, folder, Options, progress, token);

    // Null where the run was interrupted, its summary where it had ended before.
    private PrepareSummary? Interrupt(string name, long bytes)
    {
        using CancellationTokenSource source = new();
        CorpusReader reader = new(_input, Reading);
        try
        {
            return DatasetBuilder.Build(
                reader,
                null,
                Tokenizer,
                _folder[name],
                Options with
                {
                    Overwrite = !Directory.Exists(_folder[name]),
                },
                new Listener(p => CancelBehind(source, p, bytes)),
                source.Token
            );
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    // Only the last rank is told to stop.
    private PrepareSummary? Share(
        string name,
        int size,
        CancellationToken token,
        IProgress<PrepareProgress>? progress = null
    ) =>
        ThreadRanks.Run(
            size,
            ranks =>
            {
                DatasetBuilderOptions options = Options with { Ranks = ranks, Threads = 1 };
                if (ranks.Rank == 0)
                {
                    return DatasetBuilder.Build(
                        new CorpusReader(_input, Reading),
                        null,
                        Tokenizer,
                        _folder[name],
                        options,
                        progress,
                        CancellationToken.None
                    );
                }

                DatasetBuilder.Assist(
                    new CorpusReader(_input, Reading),
                    null,
                    Tokenizer,
                    options,
                    ranks.Rank == size - 1 ? token : CancellationToken.None
                );
                return null;
            }
        )[0];

    private Dictionary<string, byte[]> Files(string name) => FilesOf(_folder[name]);

    private static Dictionary<string, byte[]> FilesOf(string folder) =>
        Directory
            .GetFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(file => Path.GetRelativePath(folder, file), File.ReadAllBytes);

    private void AssertSame(Dictionary<string, byte[]> found)
    {
        Assert.Equal(made.Files.Keys.Order(), found.Keys.Order());
        Assert.All(made.Files, file => Assert.Equal(file.Value, found[file.Key]));
    }

    // By another process, which the locks of this one do not stop.
    private void Copy(string from, string to)
    {
        using var copy = System.Diagnostics.Process.Start("cp", ["-r", _folder[from], _folder[to]]);
        copy.WaitForExit();
        Assert.Equal(0, copy.ExitCode);
    }

    private sealed class Listener(Action<PrepareProgress> report) : IProgress<PrepareProgress>
    {
        public void Report(PrepareProgress value) => report(value);
    }

    /// <summary>The input, which no test changes, and what undisturbed work makes of it.</summary>
    public sealed class WholeWork : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public WholeWork()
        {
            foreach ((string name, byte[] bytes) in Corpus.Value)
            {
                _folder.Write(name, bytes);
            }

            Build(Input, _folder["whole"], null, CancellationToken.None);
            Files = FilesOf(_folder["whole"]);
            Manifest = DatasetManifest.Load(_folder["whole"]);
        }

        internal string[] Input => [_folder["in"]];

        internal Dictionary<string, byte[]> Files { get; }

        internal DatasetManifest Manifest { get; }

        internal string this[string name] => _folder[name];

        public void Dispose() => _folder.Dispose();
    }
}
