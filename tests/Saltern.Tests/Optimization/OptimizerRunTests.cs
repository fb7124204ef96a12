using Saltern.Configuration;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;
using Saltern.Tests.Runs;
using TorchSharp;

namespace Saltern.Tests.Optimization;

/// <summary>Whole runs with the kinds that the other run tests do not use.</summary>
public class OptimizerRunTests
{
    [Theory]
    [InlineData("muon")]
    [InlineData("muon of today")]
    [InlineData("adafactor")]
    public void InterruptedRun_EndsWithTheSameWeightsAndALowerLossThanItBeganWith(string kind)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("run", 20) with
        {
            Optimizer = kind switch
            {
                "muon" => new OptimizerConfig { Kind = OptimizerKind.Muon, LearningRate = 5e-3 },
                "adafactor" => new OptimizerConfig { Kind = OptimizerKind.Adafactor, LearningRate = 5e-3 },
                _ => new OptimizerConfig
                {
                    Kind = OptimizerKind.Muon,
                    LearningRate = 5e-3,
                    Orthogonalization = OrthogonalizationKind.PolarExpress,
                    Normalization = UpdateNormalization.LongSide,
                    CautiousWeightDecay = true,
                    WeightDecaySchedule = WeightDecaySchedule.Linear,
                    WeightDecayBaseWidth = 48,
                    Embedding = new WeightGroupConfig { LearningRate = 1e-2, Betas = [0.8, 0.95] },
                },
            },
        };
        List<double> losses = [];
        TrainingRunOptions options = TinyRun.Quick with
        {
            OnStep = report => losses.Add(report.Sums.Loss / report.Sums.Positions),
        };
        float[] straight = Train(config, folder["straight"], options, 20);
        Assert.True(losses[^1] < losses[0] - 0.5, $"{losses[0]} … {losses[^1]}"); // from about ln 300 = 5.7 nats to 5.0 or less
        Train(config, folder["twice"], TinyRun.Quick, 10);
        Assert.Equal(straight, Train(config, folder["twice"], TinyRun.Quick with { Resume = true }, 20));
    }

    [Theory]
    [InlineData("adamw 8bit")]
    [InlineData("adamw bf16")]
    [InlineData("muon 8bit")]
    [InlineData("muon bf16")]
    [InlineData("adamw split24")]
    [InlineData("adamw 8bit split24")]
    [InlineData("muon 8bit short")]
    public void WithCompactState_ARunResumedAtAnyCheckpoint_EndsWithTheSameWeights(string kind)
    {
        using var folder = new TemporaryFolder();
        OptimizerWeightType weights = CompactOptimizerTests.FormOf(kind) switch
        {
            WeightForm.Split24 => OptimizerWeightType.Split24,
            WeightForm.BFloat16 => OptimizerWeightType.Bf16,
            _ => OptimizerWeightType.Full,
        };
        bool isPacked = weights != OptimizerWeightType.Full;
        Assert.SkipUnless(!isPacked || BFloat16Product.IsThere, "this processor has no bfloat16 products");
        RunConfig plain = TinyRun.Shared.Plain("run", 20);
        RunConfig config = plain with
        {
            Precision = isPacked ? ComputePrecision.Bf16 : ComputePrecision.Fp32,
            Optimizer = CompactOptimizerTests.Config(kind) with
            {
                LearningRate = 5e-3,
                MaxGradientNorm = 1,
                Weights = weights,
            },
            Training = plain.Training with { CheckpointEvery = 4 },
        };
        List<double> losses = [];
        TrainingRunOptions options = TinyRun.Quick with
        {
            OnStep = report => losses.Add(report.Sums.Loss / report.Sums.Positions),
        };
        float[] straight = Train(config, folder["straight"], options, 20);
        Assert.True(losses[^1] < losses[0] - 0.5, $"{losses[0]} … {losses[^1]}");
        foreach (int last in new[] { 4, 8, 12, 16 })
        {
            string run = folder[$"until-{last}"];
            Train(config, run, TinyRun.Quick, last);
            Assert.Equal(straight, Train(config, run, TinyRun.Quick with { Resume = true }, 20));
        }
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    [InlineData("adamw 8bit")]
    [InlineData("muon 8bit split24")]
    public void ReleasedGradients_AreTheSameRun(string kind)
    {
        bool isPacked = CompactOptimizerTests.FormOf(kind) != WeightForm.Float32;
        Assert.SkipUnless(!isPacked || BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using var folder = new TemporaryFolder();
        RunConfig kept = TinyRun.Shared.Plain("run", 8) with
        {
            Precision = isPacked ? ComputePrecision.Bf16 : ComputePrecision.Fp32,
            Optimizer = CompactOptimizerTests.Config(kind) with
            {
                LearningRate = 5e-3,
                MaxGradientNorm = 0,
                Weights = isPacked ? OptimizerWeightType.Split24 : OptimizerWeightType.Full,
            },
        };
        RunConfig released = kept with { Optimizer = kept.Optimizer with { Gradients = OptimizerGradients.Released } };
        Assert.Empty(((IValidated)released).Validate());
        List<double> norms = [];
        TrainingRunOptions options = TinyRun.Quick with { OnStep = report => norms.Add(report.GradientNorm) };
        float[] expected = Train(kept, folder["kept"], options, 8);
        double[] expectedNorms = [.. norms];
        norms.Clear();
        Assert.Equal(expected, Train(released, folder["released"], options, 8));

        // Sums of squares in another order.
        Assert.Equal(expectedNorms, norms, (a, b) => Math.Abs(a - b) < 1e-9 * a);
        Train(released, folder["twice"], TinyRun.Quick, 4);
        Assert.Equal(expected, Train(released, folder["twice"], TinyRun.Quick with { Resume = true }, 8));
    }

    [Fact]
    public void ReleasedGradients_GoWithNoAccumulationAndNoClipping()
    {
        RunConfig config = TinyRun.Shared.Plain("run", 20);
        OptimizerConfig optimizer = config.Optimizer with
        {
            Gradients = OptimizerGradients.Released,
            MaxGradientNorm = 0,
        };
        RunConfig accumulating = config with
        {
            Optimizer = optimizer,
            Training = config.Training with { MicroBatchSequences = 4 },
        };
        Assert.Contains(
            "cannot be added up over micro-batches",
            Assert.Single(((IValidated)accumulating).Validate()).ToString(),
            StringComparison.Ordinal
        );
        OptimizerConfig clipping = optimizer with { MaxGradientNorm = 1 };
        Assert.Contains(
            "nothing can be clipped",
            Assert.Single(((IValidated)clipping).Validate()).ToString(),
            StringComparison.Ordinal
        );
        OptimizerConfig sharded = optimizer with { ShardState = true };
        Assert.Contains(
            "for one process",
            Assert.Single(((IValidated)sharded).Validate()).ToString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void PackedWeights_NeedOwnKernelsInBFloat16()
    {
        RunConfig config = TinyRun.Shared.Plain("run", 20) with
        {
            Optimizer = new OptimizerConfig { Weights = OptimizerWeightType.Split24 },
        };
        RunConfig[] wrong =
        [
            config,
            config with
            {
                Precision = ComputePrecision.Auto,
            },
            config with
            {
                Precision = ComputePrecision.Bf16,
                Kernels = KernelChoice.Plain,
            },
        ];
        Assert.All(
            wrong,
            recipe =>
                Assert.Contains(
                    "packs weights that bfloat16 products of own kernels read",
                    Assert.Single(((IValidated)recipe).Validate()).ToString(),
                    StringComparison.Ordinal
                )
        );
        RunConfig right = config with { Precision = ComputePrecision.Bf16 };
        Assert.Empty(((IValidated)right).Validate());
        RunConfig averaged = right with { Averaging = new AveragingConfig { Last = StepPoint.FromShare(0.5) } };
        Assert.Contains(
            "does not go with averaging",
            Assert.Single(((IValidated)averaged).Validate()).ToString(),
            StringComparison.Ordinal
        );
        RunConfig packed = config with { Optimizer = config.Optimizer with { Kind = OptimizerKind.Adafactor } };
        Assert.Contains(
            ((IValidated)packed.Optimizer).Validate(),
            problem => problem.ToString().Contains("'kind: adamw' and 'kind: muon'", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void HeadOfTiedEmbeddings_IsAnError()
    {
        RunConfig config = TinyRun.Shared.Plain("run", 20) with
        {
            Optimizer = new OptimizerConfig { Head = new WeightGroupConfig { LearningRate = 1e-3 } },
        };
        string problem = Assert.Single(((IValidated)config).Validate()).ToString();
        Assert.Contains("optimizer.head", problem, StringComparison.Ordinal);
        Assert.Contains("Say it in optimizer.embedding.", problem, StringComparison.Ordinal);
        RunConfig untied = config with { Model = config.Model with { TieWordEmbeddings = false } };
        Assert.Empty(((IValidated)untied).Validate());
    }

    [Fact]
    public void LinearDecay_IsNotExtended()
    {
        RunConfig config = TinyRun.Shared.Plain("run", 20) with
        {
            Optimizer = new OptimizerConfig { WeightDecaySchedule = WeightDecaySchedule.Linear },
            Schedule = new ScheduleConfig { Kind = ScheduleKind.Constant },
        };
        RunConfig longer = config with { Training = config.Training with { Steps = 30 } };
        string? problem = ((IRunRecipe)config).FixedBecause("training.steps", longer, 10);
        Assert.StartsWith("weight decay or momentum of step 2", problem, StringComparison.Ordinal);
    }

    private static float[] Train(RunConfig config, string folder, TrainingRunOptions options, int untilStep)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, options);
        run.Continue(untilStep, CancellationToken.None);
        using DisposeScope scope = torch.NewDisposeScope();
        ParameterSet parameters = run.Student.Parameters;
        return
        [
            .. parameters.Layout.Slices.SelectMany(slice => parameters.Weight(slice).detach().data<float>().ToArray()),
        ];
    }
}
