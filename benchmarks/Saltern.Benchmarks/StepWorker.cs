using System.Diagnostics;
using System.Text.Json;
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Benchmarks;

/// <summary>Times whole training steps of one variant in this process and prints one line of JSON.</summary>
internal static class StepWorker
{
    private const int Warmup = 2;
    private const double Weight = 0.667;
    private const double Temperature = 1.0;

    /// <summary>Runs the steps.</summary>
    public static int Run(Options options)
    {
        string variant = options.Text("variant", "fused");
        string runtime = NativeRuntime.Configure(tuneAllocator: !options.Has("default-malloc"));
        int threads = options.Number("threads", 1);
        int steps = options.Number("steps", 6);
        int taught = options.Number("taught", 0);
        set_num_threads(threads);
        Shape shape = Shape.Get(options);
        bool distils = options.Has("kd") || taught > 0;
        MatrixProduct.Use(
            options.Text("library", "fastest") switch
            {
                "blas" => ProductLibrary.Blas,
                "onednn" => ProductLibrary.OneDnn,
                _ => MatrixProduct.Fastest(),
            }
        );
        if (variant is not "fused" and not "kernels")
        {
            MatrixProduct.Use(ProductLibrary.Blas);
        }

        using IStepVariant trained = variant switch
        {
            "naive" => new NaiveVariant(shape, distils, Weight, Temperature),
            _ => new ProductVariant(shape, distils, Weight, Temperature, options),
        };
        var (cpu, wall) = (new List<double>(), new List<double>());
        double loss = 0;
        double runCpu = 0;
        using Process process = Process.GetCurrentProcess();
        for (int step = 0; step < Warmup + taught + steps; step++)
        {
            (Tensor tokens, long[] labels) = Batch(shape, step);
            process.Refresh();
            double before = process.TotalProcessorTime.TotalMilliseconds;
            long start = Stopwatch.GetTimestamp();
            loss = trained.Step(tokens, labels, distils && (taught == 0 || step < Warmup + taught));
            double elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            process.Refresh();
            tokens.Dispose();
            if (step == Warmup - 1)
            {
                StepProfile.Start();
            }

            if (step >= Warmup)
            {
                cpu.Add(process.TotalProcessorTime.TotalMilliseconds - before);
                runCpu += cpu[^1];
                wall.Add(elapsed);
            }
        }

        var parts = StepProfile
            .Stop()
            .ToDictionary(part => part.Key.ToString(), part => Math.Round(1e3 * part.Value / (taught + steps), 1));
        Console.WriteLine(
            JsonSerializer.Serialize(
                new
                {
                    variant,
                    shape = shape.Name,
                    distils,
                    threads,
                    precision = options.Text("precision", "fp32"),
                    library = MatrixProduct.Library.ToString(),
                    cpu_ms = Median(cpu),
                    wall_ms = Median(wall),
                    wall_min_ms = wall.Min(),
                    run_cpu_ms = runCpu,
                    tokens_per_second = 1e3 * shape.Sequences * shape.Length / wall.Min(),
                    gflops = shape.Sequences
                        * shape.Length
                        * Models.ModelFlops.TrainingPerToken(shape.Student, shape.Length)
                        / wall.Min()
                        / 1e6,
                    peak_rss_mb = ProcessMemory.Peak() / 1048576.0,
                    loss,
                    parts,
                    runtime,
                }
            )
        );
        return 0;
    }

    /// <summary>Middle value.</summary>
    public static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length % 2 == 1)
        {
            return sorted[sorted.Length / 2];
        }

        return (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static (Tensor Tokens, long[] Labels) Batch(Shape shape, int step)
    {
        var random = new Random(step);
        int count = shape.Sequences * shape.Length;
        long[] ids = [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(shape.Student.VocabSize))];
        long[] labels = [.. Enumerable.Range(0, count).Select(_ => (long)random.Next(shape.Student.VocabSize))];
        return (tensor(ids, shape.Sequences, shape.Length), labels);
    }
}
