using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Runs;

// What a GPU computes is what the processor computes, to rounding. Skipped where there is none, so CI never runs them: docs/cuda.md says where and when they ran.
public sealed class CudaTests : IDisposable
{
    private const int Steps = 12;
    private static readonly DistillationConfig Ratio = new()
    {
        Transition = TransitionKind.LinearRatio,
        Start = StepPoint.FromSteps(4),
        End = StepPoint.FromSteps(10),
    };
    private readonly TemporaryFolder _folder = new();

    public CudaTests() =>
        Assert.SkipUnless(torch.cuda.is_available(), "there is no CUDA device, or this libtorch is built for the CPU");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("plain")]
    [InlineData("live teacher")]
    [InlineData("cached teacher")]
    [InlineData("gate")]
    [InlineData("aligned")]
    [InlineData("masked documents")]
    [InlineData("recompute")]
    [InlineData("muon")]
    [InlineData("GPT-NeoX")]
    public void ARunOnTheGpu_IsTheProcessors(string kind)
    {
        RunConfig config = Config(kind);
        float[] expected = Train(config, "cpu");
        float[] actual = Train(config with { Device = ComputeDevice.Cuda }, "gpu");
        double difference = Math.Sqrt(expected.Zip(actual, (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(expected.Sum(w => (double)w * w));

        // 12 updates whose first steps turn the rounding of tiny gradients into full steps.
        Assert.True(difference > 0 && difference <= 1e-3 * size, $"weights differ by {difference / size:e2}");
    }

    [Fact]
    public void ResumedOnTheGpu_OrOnTheProcessor_GoesOn()
    {
        RunConfig config = Config("live teacher") with { Device = ComputeDevice.Cuda };
        config = config with
        {
            Training = config.Training with { Steps = 20 },
            Distillation = Ratio with { End = StepPoint.FromSteps(16) },
        };
        float[] whole = Train(config, "whole", until: 20);
        foreach (ComputeDevice device in new[] { ComputeDevice.Cuda, ComputeDevice.Cpu })
        {
            string name = "cut-" + device;
            Train(config, name, until: 10);
            float[] resumed = Train(config with { Device = device }, name, until: 20, resume: true);

            // Not to the bit: the gradient of the embedding is summed by atomic additions, whose order varies.
            double difference = Math.Sqrt(whole.Zip(resumed, (a, b) => Math.Pow(a - b, 2)).Sum());
            double size = Math.Sqrt(whole.Sum(w => (double)w * w));
            Assert.True(difference <= 1e-3 * size, $"{device}: weights differ by {difference / size:e2}");
        }
    }

    [Fact]
    public void Bfloat16_LearnsAsFloat32ButForItsRounding()
    {
        double[] losses =
        [
            .. new[] { ComputePrecision.Fp32, ComputePrecision.Bf16 }.Select(precision =>
            {
                RunConfig config = Config("live teacher") with { Device = ComputeDevice.Cuda, Precision = precision };
                config = config with { Training = config.Training with { Steps = 40 } };
                using TrainingRun run = TrainingRun.Open(config, _folder[precision.ToString()], TinyRun.Quick);
                run.Continue(40, CancellationToken.None);
                return run.Finish().Final!.Loss;
            }),
        ];
        Assert.True(
            losses[0] < 5.0 && Math.Abs(losses[0] - losses[1]) < 0.05,
            $"float32 {losses[0]}, bfloat16 {losses[1]}"
        );
    }

    [Fact]
    public void Tf32_LearnsAsFloat32ButForItsRounding_AndIsRecorded()
    {
        RunResult[] results =
        [
            .. new[] { false, true }.Select(allowed =>
            {
                RunConfig config = Config("live teacher") with { Device = ComputeDevice.Cuda, AllowTf32 = allowed };
                config = config with { Training = config.Training with { Steps = 40 } };
                using TrainingRun run = TrainingRun.Open(config, _folder[$"tf32 {allowed}"], TinyRun.Quick);
                Assert.Equal(allowed, torch.backends.cuda.matmul.allow_tf32);
                run.Continue(40, CancellationToken.None);
                return run.Finish();
            }),
        ];
        Assert.Equal(["fp32", "tf32"], results.Select(result => result.Machine.Precision));
        double[] losses = [.. results.Select(result => result.Final!.Loss)];
        Assert.True(
            losses[0] != losses[1] && Math.Abs(losses[0] - losses[1]) < 0.05,
            $"float32 {losses[0]}, TF32 {losses[1]}"
        );
    }

    [Fact]
    public void ANotANumberOnTheGpu_IsNotApplied()
    {
        using TrainingRun run = TrainingRun.Open(
            Config("plain") with
            {
                Device = ComputeDevice.Cuda,
            },
            _folder["nan"],
            TinyRun.Quick
        );
        using (torch.no_grad())
        {
            using torch.Tensor row = run.Student.Parameters[0].narrow(0, 0, 300);
            using torch.Tensor same = row.fill_(double.NaN);
        }

        Assert.Contains(
            "NaN",
            Assert.Throws<TrainingException>(() => run.Continue(Steps, CancellationToken.None)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(CacheMode.TopK)]
    [InlineData(CacheMode.Scores)]
    public void APassOnTheGpu_FindsWhatTheProcessorFinds(CacheMode mode)
    {
        TeachManifest[] passes =
        [
            .. new[] { ComputeDevice.Cpu, ComputeDevice.Cuda }.Select(device =>
                TeachRun.Pass(
                    new TeachRequest
                    {
                        Teacher = TinyRun.Shared.TeacherFolder,
                        Recipe = Config("live teacher"),
                        Out = _folder[device.ToString()],
                        Mode = mode,
                        Kept = mode == CacheMode.TopK ? 5 : null,
                        Device = device,
                        Threads = 2,
                    },
                    _ => { },
                    null,
                    cancellation: TestContext.Current.CancellationToken
                )
            ),
        ];
        Assert.Equal(passes[0].Positions, passes[1].Positions);
        Assert.Equal(passes[0].Buckets.TokenBounds[0], passes[1].Buckets.TokenBounds[0], 2e-3);
        Assert.Equal(passes[0].Buckets.TokenBounds[1], passes[1].Buckets.TokenBounds[1], 2e-3);
        Assert.Equal(passes[0].Buckets.SequenceBounds[1], passes[1].Buckets.SequenceBounds[1], 2e-3);
    }

    [Fact]
    public void TheGpu_HasANameAndAPeak()
    {
        Assert.False(string.IsNullOrEmpty(MachineDescription.Accelerator()));
        Assert.True(MatmulPeak.Measure(torch.CUDA, torch.ScalarType.Float32) > 1e11);
    }

    private RunConfig Config(string kind)
    {
        RunConfig plain = TinyRun.Shared.Plain("plain", Steps);
        RunConfig live = TinyRun.Shared.Salt("live", Steps, Ratio, temperature: 0.5);
        return kind switch
        {
            "live teacher" => live,
            "cached teacher" => Cached(live),
            "gate" => live with
            {
                Distillation = Ratio with { Gate = GateKind.TopProbability, GateThreshold = 0.05, Renormalise = true },
            },
            "aligned" => plain with
            {
                Teacher = new TeacherConfig { Path = TinyRun.Shared.TeacherFolder },
                Alignment = new AlignmentConfig
                {
                    Weight = 0.5,
                    Start = StepPoint.FromSteps(4),
                    End = StepPoint.FromSteps(10),
                },
            },
            "masked documents" => live with { Data = live.Data with { MaskDocuments = true } },
            "recompute" => live with { Training = live.Training with { Recompute = LayerCount.All } },
            "muon" => plain with
            {
                Optimizer = new OptimizerConfig { Kind = OptimizerKind.Muon, LearningRate = 3e-3 },
            },
            "GPT-NeoX" => plain with { Model = TinyRun.GptNeoxShape },
            _ => plain,
        };
    }

    private RunConfig Cached(RunConfig live)
    {
        if (!Directory.Exists(_folder["teach"]))
        {
            TeachRun.Pass(
                new TeachRequest
                {
                    Teacher = TinyRun.Shared.TeacherFolder,
                    Recipe = live,
                    Out = _folder["teach"],
                    Threads = 2,
                },
                _ => { },
                null,
                cancellation: TestContext.Current.CancellationToken
            );
        }

        return live with
        {
            Teacher = new TeacherConfig { Cache = _folder["teach"], Temperature = live.Teacher!.Temperature },
        };
    }

    private float[] Train(RunConfig config, string name, int until = Steps, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick with { Resume = resume });
        run.Continue(until, TestContext.Current.CancellationToken);
        using torch.Tensor weights = run.Student.Parameters.FlatWeights.cpu();
        return weights.data<float>().ToArray();
    }
}
