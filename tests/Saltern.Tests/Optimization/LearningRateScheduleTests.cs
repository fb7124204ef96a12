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
