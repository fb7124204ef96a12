using System.Text;
using Saltern.Corpora;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Corpora;

public sealed class EvaluationOverlapTests : IDisposable
{
    private const string Question =
        "Which of the four small boats that left the old harbour before noon came back after the storm of Tuesday?";

    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-overlap-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("Before. " + Question + " After.", true)]
    [InlineData("WHICH of   the four\nsmall boats, that left the OLD harbour -- before noon came", true)] // 13 words, other signs and case
    [InlineData("which of the four small boats that left the old harbour before", false)] // 12 of them
    [InlineData(
        "Which of the five small boats that left the old harbour before midday came back after a storm?",
        false
    )]
    [InlineData("", false)]
    public void ARunOfThirteenWords_IsFound_AndNoShorterOne(string document, bool expected)
    {
        var overlap = new EvaluationOverlap();
        overlap.Add(overlap.Begin("boats"), Question);
        Assert.Equal(expected, overlap.Find(Encoding.UTF8.GetBytes(document)) is 0);
    }

    [Fact]
    public void AShortText_IsFoundAsAWhole_AndAVeryShortOneIsCountedAlone()
    {
        var overlap = new EvaluationOverlap();
        int set = overlap.Begin("short");
        overlap.Add(set, "one two three four five six seven eight nine");
        overlap.Add(set, "one two three");
        Assert.Equal([1L], overlap.TooShort);
        Assert.Equal(0, overlap.Find("zero one two three four five six seven eight nine ten"u8));
        Assert.Null(overlap.Find("one two three four five six seven eight"u8));
        Assert.Null(overlap.Find("one two three"u8));
    }

    [Fact]
    public void PlantedOverlaps_AreAllFound_AndNoneInvented()
    {
        // Texts of words that no other text has, so that nothing overlaps but what is planted.
        var random = new Random(5);
        string Text(int first, int count) =>
            string.Join(' ', Enumerable.Range(first, count).Select(word => $"w{word * 7919 % 1_000_003}"));
        File.WriteAllLines(
            Path.Combine(_folder, "quiz.jsonl"),
            Enumerable
                .Range(0, 200)
                .Select(i =>
                    $$"""{"q":"{{Text(i * 40, 30)}}","choices":{"text":["{{Text(i * 40 + 30, 10)}}"]},"gold":0}"""
                )
        );
        EvaluationOverlap overlap = EvaluationOverlap.Read([_folder]);
        var documents = new List<(string Text, bool Planted)>();
        for (int i = 0; i < 1_000; i++)
        {
            string text = Text(100_000 + (i * 60), 60);
            bool planted = random.Next(4) == 0;
            if (planted)
            {
                text =
                    text[..(text.Length / 2)] + " " + Text((random.Next(200) * 40) + random.Next(17), 13) + " " + text;
            }

            documents.Add((text, planted));
        }

        Assert.All(
            documents,
            document => Assert.Equal(document.Planted, overlap.Find(Encoding.UTF8.GetBytes(document.Text)) is not null)
        );
    }

    [Fact]
    public void ADataSet_LeavesThemOutOfTrainingText_AndSaysHowMany()
    {
        File.WriteAllText(Path.Combine(_folder, "quiz.jsonl"), $$"""{"question":"{{Question}}"}""" + "\n");
        TextDocument[] documents =
        [
            .. Enumerable
                .Range(0, 40)
                .Select(i => TextDocument.FromText($"Text number {i} about nothing in particular.", "a", "here")),
            TextDocument.FromText("A page that has the answer: " + Question, "a", "here"),
        ];
        BpeTokenizer tokenizer = BpeTrainer.Train(
            documents.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = 300 },
            progress: null,
            TestContext.Current.CancellationToken
        );
        PrepareSummary summary = DatasetBuilder.Build(
            documents,
            null,
            tokenizer,
            Path.Combine(_folder, "data"),
            new DatasetBuilderOptions { ValidPercent = 0, Overlap = EvaluationOverlap.Read([_folder + "/quiz.jsonl"]) },
            progress: null,
            TestContext.Current.CancellationToken
        );
        Assert.Equal(40, summary.Total.Documents);
        Assert.Equal([KeyValuePair.Create("quiz.jsonl", 1L)], summary.OverlappingDocuments);
    }

    [Fact]
    public void WhatIsNoRecords_IsAnError()
    {
        Assert.Contains(
            "does not exist",
            Assert.Throws<ConfigurationException>(() => EvaluationOverlap.Read([_folder + "/none"])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "holds no file of records",
            Assert.Throws<ConfigurationException>(() => EvaluationOverlap.Read([_folder])).Message,
            StringComparison.Ordinal
        );
    }
}
