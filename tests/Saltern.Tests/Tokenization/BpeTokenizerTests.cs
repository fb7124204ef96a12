using System.Text;
using CsCheck;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class BpeTokenizerTests
{
    private static readonly BpeTokenizer Tokenizer = Train(SplitPattern.Llama3);

    [Fact]
    public void Encode_ThenDecode_GivesBackAnyBytes() =>
        Gen
            .Byte.Array[0, 300]
            .Sample(bytes => Tokenizer.DecodeToBytes(Ids(bytes)).AsSpan().SequenceEqual(bytes), iter: 5_000);

    [Fact]
    public void Encode_ThenDecode_GivesBackAnyBytesThatAreNearlyText() =>
        Gen.Select(TestTraining.OneOf(SampleTexts.All.ToArray()), Gen.Int[0, 500], Gen.Byte)
            .Sample(
                (text, place, value) =>
                {
                    var bytes = Encoding.UTF8.GetBytes(text);
                    bytes[place % bytes.Length] = value;
                    return Tokenizer.DecodeToBytes(Ids(bytes)).AsSpan().SequenceEqual(bytes);
                },
                iter: 5_000
            );

    [Fact]
    public void Encode_ThenDecode_GivesBackTextOfManyScripts()
    {
        foreach (var text in SampleTexts.All)
        {
            Assert.Equal(text, Tokenizer.Decode(Tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Encode_AppliesMergesByRankNotByLength()
    {
        // "abc" can end as ab+c or a+bc; the rule learned first decides, and then no rule is left.
        var tokenizer = Define(["bc", "ab"], [(98, 99), (97, 98)]);

        Assert.Equal([97, 256], tokenizer.Encode("abc"));
        Assert.Equal([257, 256], tokenizer.Encode("abbc"));
    }

    [Fact]
    public void Encode_OfLongWords_EqualsTheDefinition()
    {
        // Long words go through a queue, short ones through a scan; both must equal the plain definition.
        TestTraining
            .OneOf("abehntuä".ToCharArray())
            .Array[1, 400]
            .Sample(
                letters =>
                {
                    var word = Encoding.UTF8.GetBytes(new string(letters));
                    return Ids(word).SequenceEqual(MergeByDefinition(Tokenizer.Definition, word));
                },
                iter: 2_000
            );
    }

    [Fact]
    public void Encode_OfAMillionEqualLetters_TakesNoQuadraticTime()
    {
        TimeSpan before = Environment.CpuUsage.TotalTime;

        var ids = Tokenizer.Encode(new string('e', 1_000_000));

        // Quadratic work would be 10^12 steps, hours. Processor time: a busy machine adds nothing to it.
        Assert.InRange((Environment.CpuUsage.TotalTime - before).TotalSeconds, 0, 60);
        Assert.Equal(1_000_000, ids.Sum(Tokenizer.ByteLength));
    }

    [Fact]
    public void Encode_Appends()
    {
        var ids = new List<int> { -1 };

        Tokenizer.Encode("free"u8, ids);

        Assert.Equal([-1, .. Tokenizer.Encode("free")], ids);
    }

    [Fact]
    public void Encode_TakesSpecialTokensForText_UnlessAllowed()
    {
        const string Text = "free<|endoftext|>free";

        Assert.DoesNotContain(Tokenizer.EndOfTextId, Tokenizer.Encode(Text));
        Assert.Equal(
            [.. Tokenizer.Encode("free"), Tokenizer.EndOfTextId, .. Tokenizer.Encode("free")],
            Tokenizer.Encode(Text, allowSpecial: true)
        );
        Assert.Equal(Text, Tokenizer.Decode(Tokenizer.Encode(Text, allowSpecial: true)));
        Assert.Equal(Text, Tokenizer.Decode(Tokenizer.Encode(Text)));
    }

    [Fact]
    public void Encode_FindsTheLongestOfSpecialTokensThatStartAlike()
    {
        var tokenizer = TestTraining.Train(
            [],
            new BpeTrainerOptions { VocabularySize = 300, SpecialTokens = ["<a>", "<a>b", "</s>"] }
        );

        Assert.Equal([257, 256, 258, '<', 'a'], tokenizer.Encode("<a>b<a></s><a", allowSpecial: true));
    }

    [Fact]
    public void Encode_GivesTheSameOnManyThreads()
    {
        var texts = Enumerable.Repeat(SampleTexts.All, 50).SelectMany(text => text).ToArray();
        var expected = texts.Select(text => Tokenizer.Encode(text)).ToArray();
        var actual = new int[texts.Length][];

        Parallel.For(
            0,
            texts.Length,
            new ParallelOptions { MaxDegreeOfParallelism = 4 },
            i => actual[i] = Tokenizer.Encode(texts[i])
        );

        Assert.Equal(expected, actual);
    }

    [Fact]
    public void Encode_StaysRightWhenItsMemoryOfWordsIsFull()
    {
        // More distinct words than the 131,072 that an encoder remembers, then the first ones again.
        var tokenizer = Define(["ab"], [(97, 98)]);
        var many = string.Join(
            ' ',
            Enumerable
                .Range(0, 200_000)
                .Select(i => string.Concat(i.ToString("D6", null).Select(c => (char)(c - '0' + 'a'))))
        );

        Assert.Equal(
            tokenizer.Encode(many[..700]),
            tokenizer.Encode(many + many[..700])[^tokenizer.Encode(many[..700]).Length..]
        );
        Assert.Equal(many, tokenizer.Decode(tokenizer.Encode(many)));
    }

    [Fact]
    public void ByteLength_SumsToTheBytesOfTheText()
    {
        foreach (var text in SampleTexts.All)
        {
            Assert.Equal(Encoding.UTF8.GetByteCount(text), Tokenizer.Encode(text).Sum(Tokenizer.ByteLength));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(600)]
    public void Decode_NamesAnIdOutsideTheVocabulary(int id)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.Decode([id]));

        Assert.Contains("0 to 599", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokenizer.ByteLength(id));
    }

    [Fact]
    public void Fingerprint_DependsOnContentAlone()
    {
        Assert.Matches("^sha256:[0-9a-f]{64}$", Tokenizer.Fingerprint);
        Assert.Equal(Tokenizer.Fingerprint, Train(SplitPattern.Llama3).Fingerprint);
        Assert.NotEqual(Tokenizer.Fingerprint, Train(SplitPattern.Qwen2).Fingerprint);
        Assert.NotEqual(
            Define(["ab", "cd"], [(97, 98), (99, 100)]).Fingerprint,
            Define(["ab", "cd"], [(99, 100), (97, 98)]).Fingerprint
        );
    }

    [Fact]
    public void Fingerprint_StaysTheSameFromVersionToVersion() =>
        // Data sets and checkpoints carry it: a change here makes every existing one a stranger.
        Assert.Equal(
            "sha256:1ca15f00995272ff8f797c324f359c1b6cbb75de9528bd2eabd6b448edb424d2",
            Define(["ab"], [(97, 98)]).Fingerprint
        );

    private static BpeTokenizer Train(SplitPattern pattern) =>
        TestTraining.Train(
            SampleTexts.All,
            new BpeTrainerOptions
            {
                VocabularySize = 600,
                MinimumFrequency = 1,
                Pattern = pattern,
            }
        );

    /// <summary>The 256 bytes, the tokens given (ASCII), merges of ids into them in order, and the end of text.</summary>
    private static BpeTokenizer Define(string[] tokens, (int Left, int Right)[] merges)
    {
        var entries = Enumerable
            .Range(0, 256)
            .Select(b => new byte[] { (byte)b })
            .Concat(tokens.Select(Encoding.ASCII.GetBytes))
            .Select(bytes => (VocabularyEntry?)new VocabularyEntry(bytes, IsLiteral: false));
        var end = new AddedToken(256 + tokens.Length, "<|endoftext|>", IsSpecial: true, IsNormalized: false);
        return new BpeTokenizer(
            new TokenizerDefinition
            {
                Tokens = [.. entries, new VocabularyEntry(Encoding.ASCII.GetBytes(end.Content), IsLiteral: true)],
                Merges = [.. merges.Select((pair, i) => new Merge(pair.Left, pair.Right, 256 + i))],
                AddedTokens = [end],
                PreTokenizer = new PreTokenizer([SplitRule.Of(SplitPattern.Llama3)]),
            }
        );
    }

    private static int[] Ids(byte[] bytes)
    {
        var ids = new List<int>();
        Tokenizer.Encode(bytes, ids);
        return [.. ids];
    }

    /// <summary>The definition of BPE: again and again the lowest rank, leftmost first.</summary>
    private static List<int> MergeByDefinition(TokenizerDefinition definition, byte[] word)
    {
        var rules = definition
            .Merges.Select((merge, rank) => (merge, rank))
            .ToDictionary(x => (x.merge.Left, x.merge.Right), x => (x.rank, x.merge.Result));
        var ids = word.Select(b => (int)b).ToList();
        while (true)
        {
            var candidates = Enumerable
                .Range(0, ids.Count - 1)
                .Where(i => rules.ContainsKey((ids[i], ids[i + 1])))
                .ToList();
            if (candidates.Count == 0)
            {
                return ids;
            }

            var best = candidates.MinBy(i => rules[(ids[i], ids[i + 1])].rank);
            ids[best] = rules[(ids[best], ids[best + 1])].Result;
            ids.RemoveAt(best + 1);
        }
    }
}
