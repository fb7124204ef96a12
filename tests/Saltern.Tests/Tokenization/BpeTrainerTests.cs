using CsCheck;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class BpeTrainerTests
{
    private const int FirstMerge = 256;

    /// <summary>Reports on the spot; <see cref="Progress{T}"/> would do so on another thread, perhaps too late.</summary>
    private sealed class Reports : List<BpeTrainingProgress>, IProgress<BpeTrainingProgress>
    {
        public void Report(BpeTrainingProgress value) => Add(value);
    }

    [Fact]
    public void Train_MergesAsWorkedOutByHand()
    {
        // "low" ×3, "lower" ×2, "newest" ×4. Pairs: w+e 6; l+o, o+w 5; n+e, e+w, e+s, s+t 4; e+r 2.
        // w+e (6) leaves "lo we r" and "ne we st": o+w falls to 3. l+o (5).
        // Of count 4: n+e (ids 110, 101), e+we (101, 256), we+s (256, 115), s+t (115, 116): the lowest left id, e+we.
        // Then n+ewe (110, …) before s+t (115, …) and ewe+s (258, …); s+t; newe+st. Count 3: lo+w.
        // Count 2: we+r (256, 114) before lo+we (257, 256); lo+wer. Nothing is left to merge.
        string[] documents = ["low", "low", "low", "lower", "lower", "newest", "newest", "newest", "newest"];

        var tokenizer = TestTraining.Train(documents, new BpeTrainerOptions { VocabularySize = 400 });

        Assert.Equal(
            ["we", "lo", "ewe", "newe", "st", "newest", "low", "wer", "lower", "<|endoftext|>"],
            Enumerable.Range(FirstMerge, tokenizer.VocabularySize - FirstMerge).Select(id => tokenizer.Decode([id]))
        );
        Assert.Equal([262], tokenizer.Encode("low").Take(1));
    }

    [Fact]
    public void Train_StopsAtTheSizeWanted()
    {
        var tokenizer = TestTraining.Train(
            SampleTexts.All,
            new BpeTrainerOptions { VocabularySize = 300, MinimumFrequency = 1 }
        );

        Assert.Equal(300, tokenizer.VocabularySize);
        Assert.Equal(299, tokenizer.EndOfTextId);
        Assert.Equal(0, tokenizer.ByteLength(299));
        Assert.Equal(
            Enumerable.Range(0, 256),
            Enumerable.Range(0, 256).Select(id => (int)tokenizer.DecodeToBytes([id]).Single())
        );
    }

    [Fact]
    public void Train_MergesNothingRarerThanTheMinimum()
    {
        string[] documents = ["ab", "ab", "cd", "cd", "cd"];

        var tokenizer = TestTraining.Train(
            documents,
            new BpeTrainerOptions { VocabularySize = 1000, MinimumFrequency = 3 }
        );

        Assert.Equal(FirstMerge + 1 + 1, tokenizer.VocabularySize);
        Assert.Equal("cd", tokenizer.Decode([FirstMerge]));
    }

    [Fact]
    public void Train_NeverLearnsTheSpellingOfASpecialToken()
    {
        var documents = Enumerable.Repeat("word", 50);

        var tokenizer = TestTraining.Train(
            documents,
            new BpeTrainerOptions { VocabularySize = 300, SpecialTokens = ["word", "<|endoftext|>"] }
        );

        Assert.DoesNotContain(tokenizer.Encode("word"), id => tokenizer.ByteLength(id) is 0 or 4);
        Assert.Equal([tokenizer.VocabularySize - 2], tokenizer.Encode("word", allowSpecial: true));
    }

    [Fact]
    public void Train_EqualDocumentsGiveEqualFiles()
    {
        var options = new BpeTrainerOptions { VocabularySize = 800, MinimumFrequency = 1 };
        using var folder = new TemporaryFolder();

        TestTraining.Train(SampleTexts.All, options).Save(folder["a.json"]);
        TestTraining.Train(SampleTexts.All, options).Save(folder["b.json"]);

        Assert.Equal(File.ReadAllBytes(folder["a.json"]), File.ReadAllBytes(folder["b.json"]));
    }

    [Fact]
    public void Train_EqualsMergingByCountingAnewEachTime()
    {
        var documents = SampleTexts.BasicPlane.Concat(SampleTexts.BasicPlane.Take(12)).ToList();

        var tokenizer = TestTraining.Train(
            documents,
            new BpeTrainerOptions { VocabularySize = 700, Pattern = SplitPattern.Gpt2 }
        );

        Assert.Equal(
            NaiveTrainer.Train(documents, SplitPattern.Gpt2, 700 - 257),
            tokenizer.Definition.Merges.Select(merge => (merge.Left, merge.Right))
        );
    }

    [Fact]
    public void Train_EqualsTheDefinition_OnRunsAndRepetitions() =>
        // Overlapping pairs ("aaa") and ties are where incremental counts go wrong.
        Gen.Char['a', 'b']
            .Array[1, 9]
            .Select(letters => new string(letters))
            .Array[1, 12]
            .Sample(
                words =>
                    TestTraining
                        .Train(words, new BpeTrainerOptions { VocabularySize = 257 + 15 })
                        .Definition.Merges.Select(merge => (merge.Left, merge.Right))
                        .SequenceEqual(NaiveTrainer.Train(words, SplitPattern.Llama3, 15)),
                iter: 1_000
            );

    [Fact]
    public void Train_ForgetsRareWordsBeyondTheBoundAndSaysSo()
    {
        // 5,000 words that occur once, and one that occurs everywhere.
        var documents = Enumerable
            .Range(0, 5000)
            .Select(i =>
                $"common x{(char)('a' + (i % 26))}{(char)('a' + (i / 26 % 26))}{(char)('a' + (i / 676))}q common"
            );
        var reports = new Reports();

        var tokenizer = TestTraining.Train(
            documents,
            new BpeTrainerOptions { VocabularySize = 270, MaximumDistinctWords = 1000 },
            reports
        );

        Assert.InRange(reports[^1].DistinctWords, 1, 1000);
        Assert.InRange(reports[^1].PrunedWords, 3000, 5000);
        Assert.Equal(5000, reports[^1].Documents);
        Assert.Equal(tokenizer.VocabularySize, reports[^1].VocabularySize);
        Assert.Single(tokenizer.Encode("common"));
    }

    [Fact]
    public void Train_OfNothing_HasTheBytesAndTheSpecialTokens() =>
        Assert.Equal(257, TestTraining.Train([], new BpeTrainerOptions { VocabularySize = 500 }).VocabularySize);

    [Fact]
    public void Train_EndsWhenCancelled()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() =>
            BpeTrainer.Train(["text"], new BpeTrainerOptions { VocabularySize = 300 }, cancellationToken: source.Token)
        );
    }

    [Theory]
    [InlineData(256, 2, "<|endoftext|>", "VocabularySize = 256")]
    [InlineData(300, 0, "<|endoftext|>", "MinimumFrequency = 0")]
    [InlineData(300, 2, "<|mark|>", "none that ends a text")]
    [InlineData(300, 2, "<|endoftext|>,<|endoftext|>", "must be distinct")]
    [InlineData(300, 2, "<|endoftext|>,a", "name of a byte")]
    public void Train_NamesTheSettingThatIsWrong(int size, long minimum, string special, string expected)
    {
        var options = new BpeTrainerOptions
        {
            VocabularySize = size,
            MinimumFrequency = minimum,
            SpecialTokens = special.Split(','),
        };

        Assert.Contains(
            expected,
            Assert.Throws<ArgumentException>(() => TestTraining.Train([], options)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Options_DefaultsAreThoseDocumented()
    {
        var options = new BpeTrainerOptions { VocabularySize = 1000 };

        Assert.Equal(
            (2, SplitPattern.Llama3, 8_000_000),
            (options.MinimumFrequency, options.Pattern, options.MaximumDistinctWords)
        );
        Assert.Equal(["<|endoftext|>"], options.SpecialTokens);
    }
}
