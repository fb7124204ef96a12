using Saltern.Selection;

namespace Saltern.Tests.Selection;

// The hand-worked examples of docs/method.md, with min_tokens = 1 and k = 10.
public class SampleScoreTests
{
    private static readonly ScoreRule Rule = new() { MinTokens = 1 };
    private static readonly (float, byte)[] Mixed = [(0.5f, 1), (2, 4), (3, 9), (6, 50), (1, 2)];
    private static readonly (float, byte)[] Hard = [(6, 50), (7, 90), (8, 255), (1, 1), (2, 3)];

    [Fact]
    public void MedianMeanTrimmedAndZerosOut_OfAMixedSample()
    {
        Assert.Equal(1.0, Score(Mixed, Rule));
        Assert.Equal(1.3, Score(Mixed, Rule with { Statistic = ScoreStatistic.Mean })!.Value, 6);
        Assert.Equal(7.0 / 6, Score(Mixed, Rule with { Statistic = ScoreStatistic.Trimmed })!.Value, 6);
        Assert.Equal(1.5, Score(Mixed, Rule with { Zeros = false }));
    }

    [Fact]
    public void ASampleOutOfSight_ScoresZero_WithZerosOrWithout()
    {
        Assert.Equal(0.0, Score(Hard, Rule));
        Assert.Equal(0.0, Score(Hard, Rule with { Zeros = false })); // two hits of five: one lucky hard token must not win
    }

    [Fact]
    public void AnEvenCount_TakesTheMeanOfTheMiddleTwo() =>
        Assert.Equal(0.3, Score([(0.2f, 1), (0.4f, 1), (3, 5), (5, 30)], Rule)!.Value, 6);

    [Fact]
    public void TooFewCountedTokens_AreNotScored()
    {
        Assert.Null(Score([], Rule)); // padding only
        Assert.Null(Score(Mixed, Rule with { MinTokens = 6 }));
        Assert.Equal(32, new ScoreRule().MinTokens);
    }

    [Fact]
    public void AKBeyondTheVocabulary_IsTheMedianLoss() => Assert.Equal(6.0, Score(Hard, Rule with { K = 300 }));

    [Fact]
    public void RanksThatNoPassStores_AreRefused()
    {
        Assert.Contains(
            "--k = 255 must be 1 to 254",
            Assert.Throws<ConfigurationException>(() => (Rule with { K = 255 }).Validate(300)).Message,
            StringComparison.Ordinal
        );
        (Rule with { K = 300 }).Validate(300);
    }

    private static double? Score((float Nll, byte Rank)[] tokens, ScoreRule rule) =>
        SampleScore.Of([.. tokens.Select(t => t.Nll)], [.. tokens.Select(t => t.Rank)], rule, vocabulary: 300);
}
