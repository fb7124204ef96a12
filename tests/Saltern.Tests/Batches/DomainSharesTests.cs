using Saltern.Batches;

namespace Saltern.Tests.Batches;

public class DomainSharesTests
{
    private static readonly string[] Names = ["books", "maths", "wiki"];
    private static readonly long[] Sizes = [600, 100, 300];

    [Fact]
    public void WithoutAMixture_SharesAreNatural() =>
        AssertShares([0.6, 0.1, 0.3], DomainShares.Of(null, Names, Sizes, 1_000));

    [Fact]
    public void Weights_AreRelativeAndLeaveOutWhatTheyDoNotName() =>
        AssertShares(
            [0, 0.75, 0.25],
            DomainShares.Of(
                new MixtureConfig
                {
                    Weights = new Dictionary<string, double> { ["maths"] = 3, ["wiki"] = 1 },
                },
                Names,
                Sizes,
                1_000
            )
        );

    [Fact]
    public void Temperature_TakesRootsOfTheSizes() =>
        AssertShares(
            [20.0 / 35, 5.0 / 35, 10.0 / 35],
            DomainShares.Of(new MixtureConfig { Temperature = 2 }, Names, [400, 25, 100], 1_000)
        ); // √ = 20, 5, 10

    [Fact]
    public void Cap_GivesTheRestToTheOthersInTheirShares()
    {
        // 1,000 samples in equal thirds; maths may give 2 · 100 = 200. The 800 left go half and half.
        var mixture = new MixtureConfig
        {
            Weights = new Dictionary<string, double>
            {
                ["books"] = 1,
                ["maths"] = 1,
                ["wiki"] = 1,
            },
            MaxEpochs = 2,
        };
        AssertShares([0.4, 0.2, 0.4], DomainShares.Of(mixture, Names, Sizes, 1_000));

        // 1,700 samples: maths 200, then wiki's half of 1,500 is over its 600, then books has 900.
        AssertShares([900.0 / 1_700, 200.0 / 1_700, 600.0 / 1_700], DomainShares.Of(mixture, Names, Sizes, 1_700));
    }

    [Fact]
    public void ACapBelowTheRun_SaysWhatItAllows()
    {
        var mixture = new MixtureConfig
        {
            Weights = new Dictionary<string, double> { ["maths"] = 1 },
            MaxEpochs = 2,
        };
        Assert.Contains(
            "allows 200 samples of the domains maths, but the run draws 1000",
            Assert.Throws<ConfigurationException>(() => DomainShares.Of(mixture, Names, Sizes, 1_000)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ACapThatIsJustEnough_GivesEveryDomainAllItHas()
    {
        // 2·(600 + 100 + 300) = 2,000 samples are allowed and drawn: the natural shares, whatever the weights.
        var mixture = new MixtureConfig
        {
            Weights = new Dictionary<string, double>
            {
                ["books"] = 1,
                ["maths"] = 1,
                ["wiki"] = 1,
            },
            MaxEpochs = 2,
        };
        AssertShares([0.6, 0.1, 0.3], DomainShares.Of(mixture, Names, Sizes, 2_000));
        Assert.Throws<ConfigurationException>(() => DomainShares.Of(mixture, Names, Sizes, 2_001));

        // 0.7 + 0.2 + 0.1 is a little less than 1 in float64.
        AssertShares([0.7, 0.2, 0.1], DomainShares.Of(new MixtureConfig { MaxEpochs = 1 }, Names, [7, 2, 1], 10));
    }

    [Fact]
    public void UnknownAndEmptyDomains_AreNamedTogether()
    {
        var mixture = new MixtureConfig
        {
            Weights = new Dictionary<string, double> { ["poems"] = 1, ["maths"] = 1 },
        };
        ConfigurationException e = Assert.Throws<ConfigurationException>(() =>
            DomainShares.Of(mixture, Names, [600, 0, 300], 1_000)
        );
        Assert.Contains("no domain 'poems'. It has books, maths, wiki", e.Problems[0], StringComparison.Ordinal);
        Assert.Contains("'maths' has no whole sequence", e.Problems[1], StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmptyDomainWithoutAWeight_IsNoProblem()
    {
        var mixture = new MixtureConfig
        {
            Weights = new Dictionary<string, double> { ["maths"] = 1, ["wiki"] = 3 },
        };
        AssertShares([0, 0.25, 0.75], DomainShares.Of(mixture, Names, [0, 100, 300], 100));
    }

    // Sums and quotients of float64: a few rounding errors.
    private static void AssertShares(double[] expected, double[] found) =>
        Assert.All(Enumerable.Range(0, expected.Length), i => Assert.Equal(expected[i], found[i], 12));
}
