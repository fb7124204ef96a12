using Saltern.Configuration;
using Saltern.Optimization;

namespace Saltern.Tests.Optimization;

public class UpdateScheduleTests
{
    private static readonly MomentumScheduleConfig UpAndDown = new()
    {
        Start = 0.85,
        Warmup = StepPoint.FromSteps(10),
        End = 0.75,
        Cooldown = StepPoint.FromShare(0.2),
    };

    [Fact]
    public void Momentum_RisesStaysAndFalls()
    {
        UpdateSchedule schedule = Of(new OptimizerConfig { Kind = OptimizerKind.Muon }, UpAndDown);

        // 0.85 at step 1, a tenth of the way to 0.95 more each step; from step 80 to 100 a twentieth of the way to 0.75.
        Assert.Equal(
            [0.85, 0.86, 0.94, 0.95, 0.95, 0.94, 0.75],
            new[] { 1, 2, 10, 11, 80, 81, 100 }.Select(step => schedule.At(step).Momentum!.Value),
            (a, b) => Math.Abs(a - b) < 1e-12
        );
    }

    [Fact]
    public void Momentum_IsBeta1OfAdamWAndAdafactor_AndAnErrorWhereThereIsNone()
    {
        var betas = new OptimizerConfig { Betas = [0.8, 0.95] };
        Assert.Equal(0.8, Of(betas, UpAndDown).At(50).Momentum);
        var adafactor = new OptimizerConfig { Kind = OptimizerKind.Adafactor, Beta1 = 0.7 };
        Assert.Equal(0.7, Of(adafactor, UpAndDown).At(50).Momentum);
        Assert.Null(Of(adafactor, null).At(1).Momentum);
        string problem = Assert
            .Throws<ConfigurationException>(() => Of(adafactor with { Beta1 = null }, UpAndDown))
            .Message;
        Assert.Contains(
            "schedule.momentum changes nothing with 'kind: adafactor' without beta1",
            problem,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void WarmupAndCooldownThatDoNotFit_AreNamed()
    {
        string problem = Assert
            .Throws<ConfigurationException>(() =>
                Of(new OptimizerConfig(), UpAndDown with { Warmup = StepPoint.FromSteps(81) })
            )
            .Message;
        Assert.Contains(
            "a warm-up of 81 and a cool-down of 20 steps do not fit into training.steps = 100",
            problem,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(WeightDecaySchedule.Constant, 1.0, 1.0, 1.0)]
    [InlineData(WeightDecaySchedule.Linear, 1.0, 0.5, 0.01)]
    [InlineData(WeightDecaySchedule.Rate, 0.2, 1.0, 0.0)] // the first of four steps of warm-up; the end of the decay
    public void WeightDecay_FollowsItsSchedule(WeightDecaySchedule kind, double first, double middle, double last)
    {
        UpdateSchedule schedule = Of(new OptimizerConfig { WeightDecaySchedule = kind }, null);
        Assert.Equal(
            [first, middle, last],
            new[] { 1, 51, 100 }.Select(step => schedule.At(step).DecayShare),
            (a, b) => Math.Abs(a - b) < 1e-12
        );
    }

    private static UpdateSchedule Of(OptimizerConfig optimizer, MomentumScheduleConfig? momentum)
    {
        var config = new ScheduleConfig
        {
            Kind = ScheduleKind.Wsd,
            WarmupSteps = 4,
            FinalShare = 0,
            Momentum = momentum,
        };
        var rate = new LearningRateSchedule(config, optimizer.LearningRate, 100);
        return new UpdateSchedule(rate, optimizer, config, 100);
    }
}
