using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Numerics;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Runs;

// Every fast path has a switch, and a run with it off is the same run to rounding (or to the bit, where nothing is summed in another order).
public class ComputeTests
{
    private const int Steps = 12;

    [Theory]
    [InlineData("kernels plain", 1e-4)] // 12 updates of AdamW, whose first steps turn rounding of tiny gradients into full steps
    [InlineData("other products", 1e-4)]
    [InlineData("recompute", 0)]
    [InlineData("recompute one layer of two", 0)]
    [InlineData("checkpoints in the foreground", 0)]
    [InlineData("kernels plain, recompute one layer of two", 1e-4)]
    [InlineData("kernels plain, recompute", 1e-4)]
    public void SwitchedOff_IsTheSameRun(string what, double tolerance)
    {
        Assert.SkipWhen(
            what == "other products" && !MatrixProduct.OneDnnIsThere,
            "this processor has no AVX-512, so there is one library for products only"
        );
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt(
            "fast",
            Steps,
            new DistillationConfig
            {
                Transition = TransitionKind.LinearRatio,
                Start = StepPoint.FromSteps(4),
                End = StepPoint.FromSteps(10),
            }
        );
        config = config with { Products = ProductChoice.Blas };
        RunConfig slow = what switch
        {
            "kernels plain" => config with { Kernels = KernelChoice.Plain },
            "other products" => config with { Products = ProductChoice.Onednn },
            "recompute" => config with { Training = config.Training with { Recompute = LayerCount.All } },
            "recompute one layer of two" => config with
            {
                Training = config.Training with { Recompute = LayerCount.Of(1) },
            },
            "kernels plain, recompute one layer of two" => config with
            {
                Kernels = KernelChoice.Plain,
                Training = config.Training with { Recompute = LayerCount.Of(1) },
            },
            "checkpoints in the foreground" => config with
            {
                Training = config.Training with { CheckpointInBackground = false },
            },
            _ => config with
            {
                Kernels = KernelChoice.Plain,
                Training = config.Training with { Recompute = LayerCount.All },
            },
        };
        float[] expected = Train(config, folder["fast"]);
        float[] actual = Train(slow, folder["slow"]);
        double difference = Math.Sqrt(expected.Zip(actual, (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(expected.Sum(w => (double)w * w));
        Assert.True(difference <= tolerance * size, $"weights differ by {difference / size:e2}");
    }

    [Fact]
    public void Bfloat16_LearnsAsFloat32ButForItsRounding()
    {
        using var folder = new TemporaryFolder();
        var distillation = new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(6) };
        RunConfig config = TinyRun.Shared.Salt("bf16", 40, distillation);
        double[] losses =
        [
            .. new[] { ComputePrecision.Fp32, ComputePrecision.Bf16 }.Select(precision =>
            {
                using TrainingRun run = TrainingRun.Open(
                    config with
                    {
                        Precision = precision,
                    },
                    folder[precision.ToString()],
                    TinyRun.Quick
                );
                run.Continue(40, CancellationToken.None);
                Assert.Equal(torch.ScalarType.Float32, run.Student.Parameters.FlatWeights.dtype);
                Assert.Equal(precision == ComputePrecision.Bf16, Says(run, "in bfloat16"));
                Assert.Equal(
                    precision == ComputePrecision.Bf16 && !BFloat16Product.IsThere,
                    Says(run, "no bfloat16 products that are faster")
                );
                return run.Finish().Final!.Loss;
            }),
        ];

        // 8 bits of mantissa: about 0.004 of each product, of both signs; untrained the loss is 5.7.
        Assert.True(
            losses[0] < 5.0 && Math.Abs(losses[0] - losses[1]) < 0.05,
            $"float32 {losses[0]}, bfloat16 {losses[1]}"
        );
    }

    private static bool Says(TrainingRun run, string words) =>
        run.Description().Any(line => line.Contains(words, StringComparison.Ordinal));

    [Fact]
    public void OtherProducts_AreSaidOnResume_AndTheChoiceIsKept()
    {
        Assert.SkipUnless(
            MatrixProduct.OneDnnIsThere,
            "this processor has no AVX-512, so there is one library for products only"
        );
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("products", 20) with { Products = ProductChoice.Blas };
        Train(config, folder["run"], 10);
        var log = new List<string>();
        using (
            TrainingRun.Open(
                config with
                {
                    Products = ProductChoice.Fastest,
                },
                folder["run"],
                TinyRun.Quick with
                {
                    Resume = true,
                    Log = log.Add,
                }
            )
        )
        {
            Assert.Equal(ProductLibrary.Blas, MatrixProduct.Library);
            Assert.DoesNotContain(log, line => line.Contains("bit-exact", StringComparison.Ordinal));
        }

        using (
            TrainingRun.Open(
                config with
                {
                    Products = ProductChoice.Onednn,
                },
                folder["run"],
                TinyRun.Quick with
                {
                    Resume = true,
                    Log = log.Add,
                }
            )
        )
        {
            Assert.Contains(
                log,
                line => line.Contains("from Blas so far and come from OneDnn now", StringComparison.Ordinal)
            );
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ACheckpointThatCannotBeWritten_EndsTheRunWithItsName(bool inBackground)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("unwritable", 20);
        using TrainingRun run = TrainingRun.Open(
            config with
            {
                Training = config.Training with { CheckpointInBackground = inBackground },
            },
            folder["run"],
            TinyRun.Quick
        );
        File.WriteAllText(Path.Combine(run.Folder.Path, "checkpoints"), "a file where a folder has to be");
        CheckpointException problem = Assert.Throws<CheckpointException>(() =>
            run.Continue(20, CancellationToken.None)
        );
        Assert.Contains("step-00000010 cannot be written", problem.Message, StringComparison.Ordinal);
        Assert.Contains("go on with --resume", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, 0.0, 2)]
    [InlineData(2, 0.4, 2)]
    [InlineData(2, 0.6, 1)]
    [InlineData(2, 1.9, 1)]
    [InlineData(8, 3.2, 5)]
    [InlineData(1, 0.9, 1)]
    public void FreeCores_AreThoseThatOthersLeave(int cores, double others, int expected) =>
        Assert.Equal(expected, FreeCores.Free(cores, others));

    // user nice system idle iowait irq softirq steal guest: seven hundredths of a second on core 0, seventy on core 1, none on core 12.
    [Theory]
    [InlineData(null, 0.77)]
    [InlineData("0", 0.07)]
    [InlineData("1", 0.70)]
    [InlineData("0-1", 0.77)]
    [InlineData("0,12", 0.07)]
    [InlineData("2-11", 0.0)]
    public void TheLoadOfOtherCores_IsNotCounted(string? allowed, double expected)
    {
        string[] stat =
        [
            "cpu  11 11 11 999 999 11 11 22 5",
            "cpu0 1 1 1 999 999 1 1 2 5",
            "cpu1 10 10 10 0 0 10 10 20 0",
            "cpu12 0 0 0 7 7 0 0 0 0",
            "intr 5 5 5 5 5 5 5 5 5",
        ];
        IReadOnlySet<int>? cores = allowed is null ? null : FreeCores.Numbers(allowed);
        Assert.Equal(expected, FreeCores.BusySeconds(stat, cores), 1e-12);
    }

    private static float[] Train(RunConfig config, string folder, int until = Steps)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick);
        run.Continue(until, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }
}
