using Saltern.Selection;

namespace Saltern.Tests.Selection;

public class SampleSelectionTests
{
    private static readonly ScoredSample[] Samples =
    [
        new(0, 0, 1.0, 3),
        new(0, 1, 2.0, 3),
        new(0, 2, 2.0, 3),
        new(0, 3, null, 9),
        new(1, 0, 0.0, 5),
        new(1, 1, 0.5, 3),
        new(1, 2, 0.0, 5),
    ];

    [Fact]
    public void EqualScores_GoToTheLowerId()
    {
        var one = SampleSelection.Choose(Samples, new SelectionRule { Count = 1 });
        Assert.Equal([(0, 1L)], one.Chosen);
        Assert.Equal(
            [(0, 1L), (0, 2L), (0, 0L), (1, 1L), (1, 0L), (1, 2L)],
            one.Ranked.Select(sample => (sample.Domain, sample.Index))
        );
    }

    [Theory]
    [InlineData(0.5, 3)]
    [InlineData(0.4, 2)] // ⌊0.4 · 6 + ½⌋
    [InlineData(0.01, 1)]
    [InlineData(1.0, 6)] // the unscored one is never chosen
    public void Share_IsOfTheScoredSamples(double share, int expected) =>
        Assert.Equal(expected, SampleSelection.Choose(Samples, new SelectionRule { Share = share }).Chosen.Count);

    [Fact]
    public void Balance_ChoosesWithinEachDomain_AndChosenZerosAreCounted()
    {
        var balanced = SampleSelection.Choose(Samples, new SelectionRule { Share = 0.6, BalanceDomains = true });
        Assert.Equal([(0, 1L), (0, 2L), (1, 0L), (1, 1L)], balanced.Chosen.Order()); // ⌊1.8 + ½⌋ of each domain
        Assert.Equal(1, balanced.ChosenZeros);
        Assert.Equal([1L, 2L], balanced.Subset(2).Indices(0));
    }

    [Fact]
    public void NothingToScore_AndContradictions_AreErrors()
    {
        Assert.Contains(
            "None of the 1 samples has 32 counted tokens",
            Assert
                .Throws<ConfigurationException>(() =>
                    SampleSelection.Choose([Samples[3]], new SelectionRule { Share = 1 })
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ConfigurationException>(() => new SelectionRule().Validate(300));
        Assert.Throws<ConfigurationException>(() => new SelectionRule { Share = 0.5, Count = 3 }.Validate(300));
        Assert.Throws<ConfigurationException>(() => new SelectionRule { Share = 1.5 }.Validate(300));
    }
}
