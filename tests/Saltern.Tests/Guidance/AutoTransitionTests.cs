using Saltern.Configuration;
using Saltern.Guidance;

namespace Saltern.Tests.Guidance;

// J = 100 and no smoothing unless a test says so: n_a = 10, n_min = 2, n_max = 50; ω₀ = ⅔, so r₀ = 2.
public class AutoTransitionTests
{
    private static readonly DistillationConfig Config = new() { Weight = 2.0 / 3.0, Transition = TransitionKind.Auto };

    [Theory]
    [InlineData(11, true)]
    [InlineData(100, true)]
    [InlineData(10, false)]
    [InlineData(101, false)]
    public void TheMaximum_LiesAfterTheAnchorAndNotAfterTheRun(int maximum, bool allowed)
    {
        DistillationConfig config = Config with { Maximum = StepPoint.FromSteps(maximum) };
        if (allowed)
        {
            Assert.Equal(maximum, Create(config).Maximum);
        }
        else
        {
            string message = Assert.Throws<ConfigurationException>(() => Create(config)).Message;
            Assert.StartsWith(
                $"distillation.maximum = {maximum} is step {maximum} of 100",
                message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void TheMeasure_IsTheGapAtTheAnchor_WhateverCameBefore()
    {
        // Step 12: 0.5 of 2.0 is a quarter, φ = (0.25 − 0.1)/(0.4 − 0.1) = ½, r = 1, ω = ½.
        AutoTransition auto = Create(Config);
        double[] weights = Run(auto, [.. Enumerable.Repeat(8.0, 9), 2.0, 0.5, 0.5]);
        Assert.Equal(0.5, weights[11], 12);
        Assert.Equal(0.25, auto.GapShare, 12);
        Assert.Equal(0.5, auto.Gap, 12);
    }

    [Fact]
    public void BeforeTheAnchor_ThereIsNoShare_AndNoEnd()
    {
        AutoTransition auto = Create(Config);
        Run(auto, [.. Enumerable.Repeat(2.0, 9)]);
        Assert.True(double.IsNaN(auto.GapShare));
        Assert.Null(auto.FirstWithout);
        Assert.Equal("schedule", auto.EndReason);
    }

    [Theory]
    [InlineData(-0.5)]
    [InlineData(0.0)]
    public void AGapThatIsNotAboveNothing_EndsStage1AfterTheMinimum(double gap)
    {
        AutoTransition auto = Create(Config);
        double[] weights = Run(auto, [gap, gap, gap]);
        Assert.True(weights[1] > 0);
        Assert.Equal(0, weights[2]);
        Assert.Equal((3, "gap"), auto.FirstWithout);
        Assert.Equal("gap", auto.EndReason);
    }

    [Fact]
    public void Smoothing_IsAShareOfTheRun()
    {
        // Over two steps of 100, as in TransitionTests.SmoothedGap_HandWorked.
        AutoTransition auto = Create(Config with { Smoothing = 0.02 });
        Run(auto, [4.0, 2.0, 0.0]);
        Assert.Equal(8.0 / 7.0, auto.Gap, 12);
    }

    [Fact]
    public void TheLearningRatesFactor_IsItsShareOfTheHighest_UnlessSwitchedOff()
    {
        Assert.Equal([1.0, 1.0, 0.5], Factors(Config));
        Assert.Equal([1.0, 1.0, 1.0], Factors(Config with { FollowLearningRate = false }));

        static double[] Factors(DistillationConfig config)
        {
            AutoTransition auto = Create(config);
            return
            [
                .. new[] { 0.0, 3e-3, 1.5e-3 }.Select(
                    (rate, i) =>
                    {
                        auto.Next(i + 1, rate);
                        return auto.Factors.LearningRate;
                    }
                ),
            ];
        }
    }

    [Fact]
    public void AWeightAtTheEndWeight_IsTheEnd() =>
        Assert.Equal(0, Create(Config with { Weight = 0.5, EndWeight = 0.5 }).Next(1, 1.0).Global);

    [Fact]
    public void WithoutPerDomain_EveryDomainHasTheOverallWeight()
    {
        AutoTransition auto = Create(Config, domains: 2);
        StageWeights weights = auto.Next(1, 1.0);
        for (int step = 2; step < 6; step++)
        {
            auto.Observe([(-20_000, 10_000), (90_000, 10_000)]);
            weights = auto.Next(step, 1.0);
        }

        Assert.Equal([2.0 / 3.0, 2.0 / 3.0], weights.ByDomain);
    }

    [Fact]
    public void PerDomain_StageOneEndsWithTheLastDomain()
    {
        AutoTransition auto = Create(Config with { PerDomain = true }, domains: 2);
        for (int step = 1; step <= 50; step++)
        {
            StageWeights weights = auto.Next(step, 1.0);
            Assert.Equal(weights.ByDomain.Max(), weights.Global);
            Assert.Equal(step is > 20 and < 50, weights.ByDomain[0] == 0 && weights.ByDomain[1] > 0);
            Assert.Equal(step == 50, auto.FirstWithout is not null);
            auto.Observe([(step < 20 ? 20_000 : -20_000, 10_000), (20_000, 10_000)]);
        }

        Assert.Equal((50, "maximum"), auto.FirstWithout);
    }

    [Theory]
    [InlineData(8_192, true)]
    [InlineData(8_191, false)]
    public void PerDomain_ADomainIsJudgedByItself_FromTheFewestPositionsOn(int positions, bool itself)
    {
        // Before the anchor by the sign of its gap …
        AutoTransition early = Create(Config with { PerDomain = true }, domains: 2);
        double weight = Watch(early, 3, _ => -1.0);
        Assert.Equal(itself, weight == 0);

        // … and after it by its share of the gap at the anchor: 0.01 of 0.5 is below a tenth.
        AutoTransition late = Create(Config with { PerDomain = true }, domains: 2);
        weight = Watch(late, 12, step => step <= 10 ? 0.5 : 0.01);
        Assert.Equal(itself, weight == 0);

        double Watch(AutoTransition auto, int last, Func<int, double> gap)
        {
            double found = double.NaN;
            for (int step = 1; step <= last; step++)
            {
                found = auto.Next(step, 1.0).ByDomain[0];
                auto.Observe([(gap(step) * positions, positions), (100_000, 50_000)]);
            }

            return found;
        }
    }

    private static AutoTransition Create(DistillationConfig config, int domains = 1) =>
        new(config, 100, warmupSteps: 0, domains);

    // ω of each step; element i of the gaps is what step i + 1 found.
    private static double[] Run(AutoTransition auto, double[] gaps) =>
        [
            .. gaps.Select(
                (gap, i) =>
                {
                    double weight = auto.Next(i + 1, 1.0).Global;
                    auto.Observe([(gap * 1_000, 1_000)]);
                    return weight;
                }
            ),
        ];
}
