using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Guidance;
using Saltern.Numerics;
using Saltern.Runs;
using Saltern.Tests.Distributed;
using TorchSharp;

namespace Saltern.Tests.Runs;

// Whole runs with bfloat16 products: the same bits where float32 has them, and a choice that is kept.
public class PrecisionTests
{
    private static readonly DistillationConfig Distillation = new()
    {
        Transition = TransitionKind.LinearRatio,
        Start = StepPoint.FromSteps(4),
        End = StepPoint.FromSteps(10),
    };

    [Theory]
    [InlineData("threads")]
    [InlineData("recompute")]
    [InlineData("resumed")]
    public void BFloat16_GivesTheSameBits(string what)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt("bf16", 12, Distillation) with { Precision = ComputePrecision.Bf16 };
        float[] expected = Train(config, folder["one"], 12);
        RunConfig other = what switch
        {
            "threads" => config with { Threads = 1 },
            "recompute" => config with { Training = config.Training with { Recompute = LayerCount.All } },
            _ => config,
        };
        if (what == "resumed")
        {
            Train(other, folder["two"], 7);
        }

        Assert.Equal(expected, Train(other, folder["two"], 12));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void BFloat16_DoesNotDependOnTheNumberOfRanks(int ranks)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt("bf16", 12, Distillation) with
        {
            Precision = ComputePrecision.Bf16,
            Threads = 1,
        };
        float[] expected = Train(config, folder["one"], 12);
        float[][] found = ThreadRanks.Run(ranks, rank => Train(config, folder["ranks"], 12, rank));
        Assert.All(found, weights => Assert.Equal(found[0], weights));
        double difference = Math.Sqrt(expected.Zip(found[0], (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(expected.Sum(w => (double)w * w));

        // Products of a rank's rows are the same numbers; sums of gradients are in another order, and a bit there may round an activation otherwise: as float32's ranks, times 2⁸ or so.
        Assert.True(difference <= 2e-3 * size, $"weights differ by {difference / size:e2}");
    }

    [Fact]
    public void Auto_IsFoundOnce_AndKeptOnResume()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("auto", 20) with { Precision = ComputePrecision.Auto };
        ComputePrecision found = PrecisionChoice.Make(torch.CPU, KernelChoice.Fused, fits: true).Precision;
        using (TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            Assert.Equal(found, run.State.Precision);
            Assert.Contains(
                run.Description(),
                line => line.StartsWith($"precision: {PrecisionChoice.Word(found)} (auto)", StringComparison.Ordinal)
            );
            run.Continue(10, CancellationToken.None);
        }

        // As if the run had begun on a machine that chose otherwise.
        ComputePrecision other = found == ComputePrecision.Bf16 ? ComputePrecision.Fp32 : ComputePrecision.Bf16;
        ComputePlan kept = ComputePlan.Of(config, other);
        Assert.Equal(other, kept.Precision);
        Assert.Contains(kept.Remarks(), line => line.Contains("what the run began with", StringComparison.Ordinal));
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true };
        using TrainingRun again = TrainingRun.Open(config, folder["run"], resume);
        Assert.Equal(found, again.State.Precision);
        again.Continue(20, CancellationToken.None);
        Assert.Equal(PrecisionChoice.Word(found), again.Finish().Machine.Precision);
    }

    [Fact]
    public void Tf32_IsForAGpu_AndAnErrorOnAProcessor()
    {
        RunConfig config = TinyRun.Shared.Plain("tf32", 20) with { AllowTf32 = true };
        ConfigurationProblem problem = Assert.Single(((IValidated)config).Validate());
        Assert.Equal("allow_tf32", problem.Key);
        Assert.Contains("a processor has no TF32 products", problem.Message, StringComparison.Ordinal);
        Assert.Empty(((IValidated)(config with { Device = ComputeDevice.Cuda })).Validate());
    }

    [Theory]
    [InlineData(ComputePrecision.Fp32, false, "fp32")]
    [InlineData(ComputePrecision.Fp32, true, "tf32")]
    [InlineData(ComputePrecision.Bf16, true, "bf16")]
    public void ARecordedType_SaysWhatProductsRead(ComputePrecision precision, bool allowed, string expected) =>
        Assert.Equal(expected, ComputePlan.RecordedWord(precision, allowed));

    // The processor's libtorch has the setting too, unused: that it is the one that a plan on a GPU makes.
    [Fact]
    public void LibtorchKnowsTheSettingOfTf32()
    {
        Assert.False(torch.backends.cuda.matmul.allow_tf32);
        torch.backends.cuda.matmul.allow_tf32 = true;
        Assert.True(torch.backends.cuda.matmul.allow_tf32);
        torch.backends.cuda.matmul.allow_tf32 = false;
    }

    [Fact]
    public void AnExplicitPrecision_SaysNothingOfItself()
    {
        Assert.Empty(ComputePlan.Of(TinyRun.Shared.Plain("plain", 20)).Remarks());
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Open(TinyRun.Shared.Plain("plain", 20), folder["run"], TinyRun.Quick);
        Assert.Null(run.State.Precision);
    }

    [Fact]
    public void ATeachersPrecision_IsItsOwn_AndNeverAuto()
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt("taught", 12, Distillation);
        RunConfig rounded = config with { Teacher = config.Teacher! with { Precision = ComputePrecision.Bf16 } };
        using (TrainingRun run = TrainingRun.Open(rounded, folder["run"], TinyRun.Quick))
        {
            Assert.Equal(torch.ScalarType.BFloat16, Assert.IsType<LiveTeacher>(run.Teacher).ProductType);
            Assert.Equal(torch.ScalarType.Float32, run.Student.ProductType);
        }

        float[] plain = Train(config, folder["plain"], 12);
        Assert.NotEqual(plain, Train(rounded, folder["rounded"], 12));
        ConfigurationProblem problem = Assert.Single(
            ((IValidated)new TeacherConfig { Path = "x", Precision = ComputePrecision.Auto }).Validate()
        );
        Assert.Contains("auto is the run's to decide", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ATeacherPass_KeepsItsPrecisionInThePlan()
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using var folder = new TemporaryFolder();
        var request = new TeachRequest
        {
            Teacher = TinyRun.Shared.TeacherFolder,
            DataPath = TinyRun.Shared.DataFolder,
            SequenceLength = 32,
            Out = folder["exact"],
            Threads = 1,
        };
        TeachManifest exact = TeachRun.Pass(request, _ => { }, cancellation: TestContext.Current.CancellationToken);
        Assert.Null(exact.Plan.Precision);
        Assert.DoesNotContain("precision", exact.Plan.Text(), StringComparison.Ordinal);
        TeachManifest rounded = TeachRun.Pass(
            request with
            {
                Out = folder["rounded"],
                Precision = ComputePrecision.Bf16,
            },
            _ => { },
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Equal(ComputePrecision.Bf16, rounded.Plan.Precision);
        Assert.NotEqual(exact.Fingerprint(), rounded.Fingerprint());
        Assert.InRange(rounded.Positions, exact.Positions, exact.Positions);
        Assert.All(
            exact.Buckets.TokenBounds.Zip(rounded.Buckets.TokenBounds),
            pair => Assert.InRange(pair.Second, pair.First - 0.05, pair.First + 0.05)
        );
        ConfigurationException refused = Assert.Throws<ConfigurationException>(() =>
            TeachRun.Pass(
                request with
                {
                    Out = folder["rounded"],
                },
                _ => { },
                cancellation: TestContext.Current.CancellationToken
            )
        );
        Assert.Contains("\"precision\": \"bf16\"", refused.Message, StringComparison.Ordinal);
    }

    private static float[] Train(RunConfig config, string folder, int until, ICommunicator? ranks = null)
    {
        TrainingRunOptions options = TinyRun.Quick with { Resume = Directory.Exists(folder) && ranks is null };
        if (ranks is not null)
        {
            options = options with { Ranks = ranks };
        }

        using TrainingRun run = TrainingRun.Open(config, folder, options);
        run.Continue(until, CancellationToken.None);
        if (until < config.Training.Steps)
        {
            run.Leave();
        }

        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }
}
