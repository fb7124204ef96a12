using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.Runs;

namespace Saltern.Tests.Planning;

public class CostPlanTests
{
    [Fact]
    public void WorkedExample_IsThatOfTheMethod()
    {
        // docs/method.md, "Cost": 4,096 tokens a step are 179.62 GFLOP; a teacher of the same shape costs a third of that for its forward pass.
        TransformerConfig shape = new TransformerConfig
        {
            HiddenSize = 256,
            NumHiddenLayers = 6,
            NumAttentionHeads = 4,
            IntermediateSize = 704,
        }.Resolve(8_192, 256);
        CostPlan cost = CostPlan.Of(Recipe(1_000, TransitionKind.Step, 0.25), shape, shape, teacherSteps: 500);
        Assert.Equal(179.62e9, cost.StudentStep, 0.005e9);
        Assert.Equal(cost.StudentStep / 3, cost.TeacherStep, 1);
        Assert.Equal(250, cost.TaughtSteps);
        Assert.Equal(65_536.0 / (3 * 100 * 4_096), cost.EvaluationShare, 1e-12); // the defaults: a third of a step's arithmetic per token

        // 0.8 of the steps, 250 of them with a third more: 0.8 + 0.25/3; charged + 500/1,000 of a training, shared by two.
        Assert.Equal(0.8 + (0.25 / 3), cost.FreeRatio(0.8), 1e-12);
        Assert.Equal(0.8 + (0.25 / 3) + 0.25, cost.ChargedRatio(0.8, 2), 1e-12);
        Assert.Equal(1 - (0.25 / 3), cost.FreeBreakEven, 1e-12);
        Assert.Equal(0.5 / (0.2 - (0.25 / 3)), cost.StudentsToBreakEven(0.8)!.Value, 1e-9);
        Assert.Null(cost.StudentsToBreakEven(0.95));

        // A crossing before the teacher has left pays for the steps up to it alone.
        Assert.Equal(0.1 + (0.1 / 3), cost.FreeRatio(0.1), 1e-12);
    }

    [Theory]
    [InlineData("paper-1.5b", "paper-2.8b", 0.27, 1.255)]
    [InlineData("paper-2.8b", "paper-8.6b", 0.28, 1.055)]
    public void PapersSettings_GiveThePapersSaving_AndTheChargeItLeavesOut(
        string teacher,
        string student,
        double saving,
        double charged
    )
    {
        // arXiv:2410.18779: 27 to 28 % less at 70 % of the steps; 36K of 208K steps with the teacher, vocabulary 256K, 2,048 × 1,280 tokens a step.
        RunConfig recipe = Recipe(208_000, TransitionKind.Step, 36_000.0 / 208_000, batch: 2_048, length: 1_280);
        CostPlan cost = CostPlan.Of(
            recipe,
            ModelPresets.Get(student).Resolve(256_000, 1_280),
            ModelPresets.Get(teacher).Resolve(256_000, 1_280),
            208_000
        );
        Assert.Equal(saving, 1 - cost.FreeRatio(0.7), 0.005);
        Assert.Equal(charged, cost.ChargedRatio(0.7, 1), 0.005);
    }

    [Fact]
    public void DescribedMachine_IsPeakTimesUtilisation_AndTheExchangeOfBuckets()
    {
        TransformerConfig shape = new TransformerConfig
        {
            HiddenSize = 256,
            NumHiddenLayers = 6,
            NumAttentionHeads = 4,
            IntermediateSize = 704,
        }.Resolve(8_192, 256);
        CostPlan cost = CostPlan.Of(Recipe(1_000, TransitionKind.Step, 0.25), shape, shape, 1_000);
        MemoryPlan memory = MemoryPlan.Of(Recipe(1_000, TransitionKind.Step, 0.25), shape, shape, 0);
        var cluster = new ClusterConfig
        {
            Name = "four",
            Ranks = 4,
            PeakFlops = 1e12,
            Utilisation = 0.5,
            NetworkGbit = 8,
            NetworkLatencyUs = 10,
            Watts = 250,
            PricePerKwh = 0.4,
            PricePerRankHour = 1.5,
            MemoryGib = 4,
        };
        TimePlan time = TimePlan.Described(cost, memory, parameters: 7_000_000, batchSequences: 16, cluster);

        // Two buckets of 2·2 messages of 10 µs each, five small calls of 2 messages, and 2·3/4 of 28 MB at 1 GB/s; a ring has 2·3 messages a bucket.
        double exchange = (2 * 4 * 10e-6) + (5 * 2 * 10e-6) + (1.5 * 28e6 / 1e9);
        Assert.Equal(exchange, TimePlan.ExchangeSeconds(7_000_000, cluster), 1e-12);
        Assert.Equal(
            exchange + (2 * 2 * 10e-6),
            TimePlan.ExchangeSeconds(7_000_000, cluster with { NetworkAlgorithm = NetworkAlgorithm.Ring }),
            1e-12
        );
        Assert.Equal((cost.StudentStep / 2e12) + exchange, time.PlainStep, 1e-12);
        Assert.Equal(time.PlainStep + (cost.TeacherStep / 2e12), time.TaughtStep!.Value, 1e-12);
        Assert.Equal(
            (1_000 * time.PlainStep) + (250 * cost.TeacherStep / 2e12) + (cost.Evaluation / 2e12),
            time.Run,
            1e-9
        );
        Assert.Equal(time.Run / 3_600, time.EnergyKwh!.Value, 1e-12); // 4 × 250 W
        Assert.Equal((0.4 * time.EnergyKwh!.Value) + (1.5 * 4 * time.Run / 3_600), time.Price!.Value, 1e-12);
        Assert.True(time.Fits);
        Assert.Equal(0, TimePlan.ExchangeSeconds(7_000_000, cluster with { Ranks = 1 }));

        // 16 sequences on 5 ranks: the slowest has 4 of them. More ranks than sequences there cannot be.
        double uneven = TimePlan
            .Described(cost, memory, 7_000_000, 16, cluster with { Ranks = 5, NetworkGbit = null })
            .PlainStep;
        Assert.Equal(cost.StudentStep / 4 / 0.5e12, uneven, 1e-12);
        Assert.Contains(
            "more than training.batch_sequences = 16",
            Assert
                .Throws<ConfigurationException>(() =>
                    TimePlan.Described(cost, memory, 7_000_000, 16, cluster with { Ranks = 17 })
                )
                .Message,
            StringComparison.Ordinal
        );

        // Efficiency falls with ranks and rises with bandwidth; one rank has all of it.
        IReadOnlyList<ScalingPoint> points = ScalingPlan.Of(cost, 7_000_000, 16, cluster);
        Assert.Equal(3 * 5, points.Count);
        Assert.All(points.Where(point => point.Ranks == 1), point => Assert.Equal(1, point.Efficiency, 1e-12));
        Assert.Equal(points.OrderBy(point => point.NetworkGbit).ThenByDescending(point => point.Efficiency), points);
        Assert.True(points[^1].Efficiency > points[4].Efficiency);
    }

    private static RunConfig Recipe(
        int steps,
        TransitionKind transition,
        double start,
        int batch = 16,
        int length = 256
    ) =>
        new()
        {
            Name = "plan",
            Data = new DataConfig { Path = "nowhere", SequenceLength = length },
            Model = new TransformerConfig(),
            Teacher = new TeacherConfig { Path = "nowhere" },
            Distillation = new DistillationConfig { Transition = transition, Start = StepPoint.FromShare(start) },
            Optimizer = new OptimizerConfig(),
            Training = new TrainingConfig { Steps = steps, BatchSequences = batch },
        };
}
