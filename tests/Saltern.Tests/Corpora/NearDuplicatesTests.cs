using System.Text;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public sealed class NearDuplicatesTests
{
    [Fact]
    public void TheSimilarity_IsThatOfTheShingles()
    {
        // 400 pairs at each similarity: the mean within four standard errors of it, the spread that of 128 independent draws.
        var random = new Random(3);
        foreach (int changed in (int[])[0, 4, 20, 60])
        {
            List<double> errors = [];
            List<double> expected = [];
            for (int pair = 0; pair < 400; pair++)
            {
                string[] words = Words(random, 200);
                string[] other = [.. words];
                for (int i = 0; i < changed; i++)
                {
                    other[random.Next(other.Length)] = Word(random);
                }

                double truth = Jaccard(words, other);
                errors.Add(MinHash.Similarity(Signature(words), Signature(other)) - truth);
                expected.Add(truth * (1 - truth) / MinHash.Permutations);
            }

            double variance = expected.Average();
            Assert.InRange(errors.Average(), -4 * Math.Sqrt(variance / 400), 4 * Math.Sqrt(variance / 400) + 1e-12);
            double spread = errors.Sum(error => error * error) / errors.Count;
            Assert.InRange(spread, variance * 0.75, (variance * 1.25) + 1e-12);
        }
    }

    [Fact]
    public void PlantedOnes_AreAllFound_AndNoneInvented()
    {
        // Texts of words of their own; one in four is planted again later with one of 200 words changed (similarity 0.95 and more), others only half.
        var random = new Random(7);
        var seen = new NearDuplicates();
        List<string[]> texts = [];
        int found = 0;
        int planted = 0;
        for (int i = 0; i < 4_000; i++)
        {
            string[] words = Words(random, 200);
            bool isPlanted = i > 100 && i % 4 == 0;
            if (isPlanted)
            {
                words = [.. texts[random.Next(texts.Count)]];
                words[random.Next(200)] = Word(random);
                planted++;
            }
            else if (i > 100 && i % 4 == 1)
            {
                // Half of an earlier text: similarity ⅓.
                texts[random.Next(texts.Count)].AsSpan(0, 100).CopyTo(words);
            }

            byte[] signature = Signature(words);
            NearMatch? match = seen.Find(signature);
            Assert.True(match is null || isPlanted, $"invented: {match}");
            if (match is { } known)
            {
                found++;
                Assert.Equal(Jaccard(words, texts[(int)known.Place.Line]), known.Similarity, 0.15);
            }
            else
            {
                seen.Add(signature, new NearPlace(1, texts.Count, IsValid: false));
                texts.Add(words);
            }
        }

        Assert.Equal(planted, found);
        Assert.Equal(texts.Count, seen.Added);
    }

    [Theory]
    [InlineData(1, 0.98, 1)] // 91 of 101 shingles: 0.90
    [InlineData(2, 0.5, 0.95)] // 86 of 106: 0.81
    [InlineData(6, 0, 0.02)] // 66 of 126: 0.52
    public void HowManyAreFound_DependsOnTheSimilarity(int changed, double least, double most)
    {
        var random = new Random(changed);
        int found = 0;
        for (int i = 0; i < 300; i++)
        {
            string[] words = Words(random, 100);
            string[] other = [.. words];
            for (int place = 0; place < changed; place++)
            {
                other[10 + (place * 10)] = Word(random);
            }

            var seen = new NearDuplicates();
            seen.Add(Signature(words), default);
            found += Convert.ToInt32(seen.Find(Signature(other)) is not null);
        }

        Assert.InRange(found / 300.0, least, most);
    }

    [Fact]
    public void TheMostSimilarOne_IsGiven_TheEarliestOfEquals()
    {
        string[] words = Words(new Random(1), 300);
        string[] close = [.. words[..^1], "other"];
        var seen = new NearDuplicates();
        seen.Add(Signature(close), new NearPlace(2, 7, IsValid: true));
        seen.Add(Signature(words), new NearPlace(3, 8, IsValid: false));
        seen.Add(Signature(words), new NearPlace(3, 9, IsValid: false));
        Assert.Equal(new NearMatch(new NearPlace(3, 8, IsValid: false), 1), seen.Find(Signature(words)));
        Assert.Equal(new NearPlace(2, 7, IsValid: true), seen.Find(Signature(close))!.Value.Place);
    }

    [Fact]
    public void TheOldestOnes_AreForgotten_AndThatIsSaid()
    {
        var random = new Random(2);
        byte[][] signatures = [.. Enumerable.Range(0, 301).Select(_ => Signature(Words(random, 50)))];
        var seen = new NearDuplicates(most: 100);
        for (int i = 0; i < 200; i++)
        {
            seen.Add(signatures[i], new NearPlace(1, i, IsValid: false));
        }

        Assert.False(seen.HasForgotten);
        Assert.All(signatures[..200], signature => Assert.NotNull(seen.Find(signature)));
        seen.Add(signatures[200], new NearPlace(1, 200, IsValid: false));
        Assert.True(seen.HasForgotten);
        Assert.All(signatures[..100], signature => Assert.Null(seen.Find(signature)));
        Assert.All(signatures[100..201], signature => Assert.NotNull(seen.Find(signature)));
    }

    [Fact]
    public void WhatIsRestored_FindsTheSame()
    {
        var random = new Random(4);
        var seen = new NearDuplicates(most: 100);
        var again = new NearDuplicates(most: 100);
        byte[][] signatures = [.. Enumerable.Range(0, 250).Select(_ => Signature(Words(random, 50)))];
        for (int i = 0; i < signatures.Length; i++)
        {
            again.Restore(seen.Add(signatures[i], new NearPlace(i % 3, i * 1_000_000L, i % 2 == 0)));
        }

        Assert.All(signatures, signature => Assert.Equal(seen.Find(signature), again.Find(signature)));
        Assert.Equal(new NearPlace(249 % 3, 249_000_000, IsValid: false), again.Find(signatures[249])!.Value.Place);
    }

    [Fact]
    public void AThousandPagesOfOneForm_StayApart_AndTheirCopiesAreFound()
    {
        // Two thirds of each page are the same words: similarity about a half, so that thousands of them share bands.
        var random = new Random(9);
        string[] form = Words(random, 100);
        string[][] pages = [.. Enumerable.Range(0, 3_000).Select(_ => (string[])[.. form, .. Words(random, 50)])];
        var seen = new NearDuplicates();
        foreach (string[] page in pages)
        {
            Assert.Null(seen.Find(Signature(page)));
            seen.Add(Signature(page), default);
        }

        Assert.All(pages, page => Assert.NotNull(seen.Find(Signature(page))));
    }

    [Fact]
    public void SignsAndCapitals_DoNotMatter_AndTextsWithoutWordsAreNotCompared()
    {
        string[] words = Words(new Random(1), 30);
        Assert.Equal(Signature(words), Bytes(string.Join(", ", words).ToUpperInvariant() + "!"));
        Assert.False(MinHash.TryCompute("... -- !"u8, new byte[MinHash.Permutations]));
        Assert.False(MinHash.TryCompute([], new byte[MinHash.Permutations]));

        // Fewer than five words are one shingle; scripts without blanks have a word a character.
        Assert.Equal(1, MinHash.Similarity(Bytes("One two."), Bytes("one, two")));
        Assert.InRange(MinHash.Similarity(Bytes("one two"), Bytes("one two three")), 0, 0.05);
        string chinese = string.Concat(Enumerable.Range(0, 120).Select(i => (char)(0x4E00 + (i * 37))));
        Assert.InRange(MinHash.Similarity(Bytes(chinese), Bytes(chinese[..^3])), 0.9, 1);
    }

    private static string Word(Random random) => $"w{random.Next(1_000_000_000)}";

    private static string[] Words(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Word(random))];

    private static byte[] Signature(string[] words) => Bytes(string.Join(' ', words));

    private static byte[] Bytes(string text)
    {
        byte[] signature = new byte[MinHash.Permutations];
        Assert.True(MinHash.TryCompute(Encoding.UTF8.GetBytes(text), signature));
        return signature;
    }

    private static double Jaccard(string[] one, string[] other)
    {
        HashSet<string> first = Shingles(one);
        HashSet<string> second = Shingles(other);
        int common = first.Count(second.Contains);
        return common / (double)(first.Count + second.Count - common);
    }

    private static HashSet<string> Shingles(string[] words) =>
        [.. Enumerable.Range(0, words.Length - 4).Select(i => string.Join(' ', words[i..(i + 5)]))];
}
