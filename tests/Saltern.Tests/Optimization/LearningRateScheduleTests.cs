using Saltern.Configuration;
using Saltern.Optimization;

namespace Saltern.Tests.Optimization;

public class LearningRateScheduleTests
{
    [Theory]
    [InlineData(ScheduleKind.Cosine)]
    [InlineData(ScheduleKind.Wsd)]
    [InlineData(ScheduleKind.Constant)]
    public void EveryStep_EqualsItsClosedForm(ScheduleKind kind)
    {
        const int T = 913;
        const int W = 57;
        const int Decay = 183; // ⌊0.2·913 + ½⌋
        var schedule = new LearningRateSchedule(
            new ScheduleConfig
            {
                Kind = kind,
                WarmupSteps = W,
                FinalShare = 0.1,
            },
            3e-3,
            T
        );
        for (int j = 1; j <= T; j++)
        {
            double after = kind switch
            {
                ScheduleKind.Cosine => 0.1 + (0.45 * (1 + Math.Cos(Math.PI * (j - W - 1) / (T - W - 1)))),
                ScheduleKind.Wsd => 0.1 + (0.9 * Math.Min(1.0, (T - j) / (double)Decay)),
                _ => 1.0,
            };
            double expected = 3e-3 * (j <= W ? j / (W + 1.0) : after);
            Assert.True(
                Math.Abs(schedule.At(j) - expected) <= 1e-12,
                $"step {j}: {schedule.At(j)}, expected {expected}"
            );
        }
    }

    [Fact]
    public void Ends_AreThePeakAndTheFinalShare()
    {
        var schedule = new LearningRateSchedule(new ScheduleConfig { WarmupSteps = 10, FinalShare = 0.1 }, 1.0, 100);
        Assert.Equal(1.0, schedule.At(11), 12);
        Assert.Equal(0.1, schedule.At(100), 12);
    }

    [Theory]
    [InlineData(DecayShape.Linear, null, 0.75, 0.5, 0.25)]
    [InlineData(DecayShape.Cosine, null, 0.8535533905932737, 0.5, 0.14644660940672624)] // (1 + cos π/4)/2, ½, (1 + cos 3π/4)/2
    [InlineData(DecayShape.OneMinusSqrt, null, 0.5, 0.2928932188134524, 0.1339745962155614)] // 1 − √¼, 1 − √½, 1 − √¾
    [InlineData(DecayShape.Power, 2.0, 0.5625, 0.25, 0.0625)]
    [InlineData(DecayShape.Power, 1.0, 0.75, 0.5, 0.25)]
    public void Decay_HasTheShapeThatIsNamed(
        DecayShape shape,
        double? exponent,
        double quarter,
        double half,
        double threeQuarters
    )
    {
        // The last 40 of 100 steps: a quarter of the way is step 70, the end step 100.
        var config = new ScheduleConfig
        {
            Kind = ScheduleKind.Wsd,
            Decay = StepPoint.FromSteps(40),
            DecayShape = shape,
            DecayExponent = exponent,
            FinalShare = 0,
        };
        var schedule = new LearningRateSchedule(config, 1.0, 100);
        double[] expected = [1.0, quarter, half, threeQuarters, 0.0];
        Assert.Equal(expected, new[] { 60, 70, 80, 90, 100 }.Select(schedule.At), (a, b) => Math.Abs(a - b) < 1e-12);

        // Between the peak and the final share in proportion, and never up.
        var kept = new LearningRateSchedule(config with { FinalShare = 0.1 }, 2.0, 100);
        Assert.Equal(2 * (0.1 + (0.9 * half)), kept.At(80), 12);
        double[] all = [.. Enumerable.Range(60, 41).Select(schedule.At)];
        Assert.Equal(all.OrderDescending(), all);
        Assert.Equal(61, config.FirstDecayStep(100));
    }

    [Theory]
    [InlineData("kind: cosine, decay_shape: linear", "decay_shape is used by 'kind: wsd' only. Remove it.")]
    [InlineData("kind: wsd, decay_shape: power", "decay_exponent is missing. Of 'decay_shape: power'")]
    [InlineData("kind: wsd, decay_exponent: 2", "decay_exponent is used by 'decay_shape: power' only. Remove it.")]
    [InlineData("kind: constant, decay_exponent: 2", "decay_exponent is used by 'kind: wsd' only. Remove it.")]
    [InlineData("momentum: { start: 0.8 }", "momentum.warmup is missing")]
    [InlineData("momentum: { cooldown: 20 }", "momentum.end is missing")]
    [InlineData("momentum: { }", "momentum names nothing")]
    public void KeysThatWouldBeIgnoredOrAreMissing_AreErrors(string keys, string problem) =>
        Assert.Contains(
            problem,
            Assert.Single(
                Assert
                    .Throws<ConfigurationException>(() =>
                        RecipeReader.Parse<ScheduleConfig>($"{{ {keys} }}", "recipe.yaml", [])
                    )
                    .Problems
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void Wsd_WithoutADecay_KeepsThePeakToTheLastStep()
    {
        var config = new ScheduleConfig { Kind = ScheduleKind.Wsd, Decay = StepPoint.FromSteps(0) };
        Assert.Equal(0.5, new LearningRateSchedule(config, 0.5, 100).At(100));
    }

    [Fact]
    public void WarmupAndDecayThatDoNotFit_AreNamed()
    {
        var config = new ScheduleConfig
        {
            Kind = ScheduleKind.Wsd,
            WarmupSteps = 60,
            Decay = StepPoint.FromSteps(50),
        };
        Assert.Equal(
            "schedule.warmup_steps = 60 and a decay of 50 steps do not fit into training.steps = 100.",
            Assert.Throws<ConfigurationException>(() => new LearningRateSchedule(config, 1, 100)).Message
        );

        // 60 steps up and 50 down are 110: the peak lasts no step, and that fits.
        Assert.Equal(1, new LearningRateSchedule(config, 1, 110).At(60), 0.02);
    }
}
