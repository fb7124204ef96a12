using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Saltern.Benchmarks.Data;

namespace Saltern.Benchmarks;

/// <summary>Parts of a step, threads, and a whole SALT run, against their naive twins.</summary>
internal static class PartComparison
{
    /// <summary>Loss head, attention, optimizer: <c>parts.md</c>.</summary>
    public static int Parts(Options options)
    {
        var load = new OtherLoad();
        int rounds = options.Number("rounds", 3);
        List<string> lines =
        [
            "Loss head alone with all its gradients, 4,096 positions, hidden size 256, teacher's 128, one thread; "
                + "process CPU time, median of rounds; memory is the high-water mark over what lay in memory before. "
                + "The naive head has Saltern's allocator settings too, which it would not have by itself; "
                + "a column shows it with glibc's own.",
            "",
            "| vocabulary | loss | naive, ms | with glibc's malloc | Saltern, ms | naive / Saltern | naive, MiB | Saltern, "
                + "MiB | Saltern / naive | loss values |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ];
        foreach (int vocabulary in new[] { 8_192, 32_768 })
        {
            foreach (bool distils in new[] { false, true })
            {
                string arguments = $"--vocabulary {vocabulary}{(distils ? " --kd" : "")}";
                (JsonElement[] naive, JsonElement[] fused) = Rounds(
                    rounds,
                    () => Worker.Own("head --variant naive " + arguments),
                    () => Worker.Own("head --variant fused " + arguments)
                );
                double untuned = Worker.Number(
                    Worker.Own("head --variant naive --default-malloc " + arguments),
                    "cpu_ms"
                );
                double a = Middle(naive, "cpu_ms");
                double b = Middle(fused, "cpu_ms");
                double memory = Middle(naive, "peak_over_base_mb");
                double own = Middle(fused, "peak_over_base_mb");
                lines.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {vocabulary} | {(distils ? "distilling" : "plain")} | {a:0} | {untuned:0} | {b:0} | {a / b:0.00} "
                            + $"| {memory:0} | {own:0} | 1/{memory / own:0} "
                            + $"| {Worker.Number(naive[0], "loss"):0.00000}, {Worker.Number(fused[0], "loss"):0.00000} |"
                    )
                );
            }
        }

        lines.AddRange([
            "",
            "Attention with rotary positions, forward and backward, all layers of a shape, 4,096 tokens, one thread, CPU ms, median.",
            "",
            "| shape | tokens of a sequence | Saltern | libtorch's fused attention | masked softmax | fused / Saltern |",
            "| --- | --- | --- | --- | --- | --- |",
        ]);
        foreach (string shape in new[] { "core", "reference" })
        {
            foreach (int length in new[] { 128, 256, 1_024 })
            {
                JsonElement line = Worker.Own(
                    $"attention --shape {shape} --length {length} --sequences {4_096 / length}"
                );
                lines.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {shape} | {length} | {Worker.Number(line, "kernel_ms"):0} | {Worker.Number(line, "sdpa_ms"):0} "
                            + $"| {Worker.Number(line, "softmax_ms"):0} "
                            + $"| {Worker.Number(line, "sdpa_ms") / Worker.Number(line, "kernel_ms"):0.0} |"
                    )
                );
            }
        }

        lines.AddRange([
            "",
            "AdamW with clipping, one thread, CPU ms, median of 20.",
            "",
            "| parameters | TorchSharp's AdamW and clip_grad_norm_ | Saltern | ratio |",
            "| --- | --- | --- | --- |",
        ]);
        foreach (string shape in new[] { "core", "reference", "d512 --vocabulary 32768" })
        {
            JsonElement line = Worker.Own("optimizer --shape " + shape);
            lines.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {Worker.Number(line, "parameters") / 1e6:0.0}M | {Worker.Number(line, "torchsharp_ms"):0.0} "
                        + $"| {Worker.Number(line, "own_ms"):0.0} "
                        + $"| {Worker.Number(line, "torchsharp_ms") / Worker.Number(line, "own_ms"):0.0} |"
                )
            );
        }

        ResultFile.Write(
            "parts",
            "dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- parts",
            load,
            lines,
            "Saltern.Core",
            "TorchSharp"
        );
        return 0;
    }

    /// <summary>One and two threads, quiet and with one core taken, and shares of the peak: <c>threads.md</c>.</summary>
    public static int Threads(Options options)
    {
        var load = new OtherLoad();
        int rounds = options.Number("rounds", 5);
        int steps = options.Number("steps", 4);
        List<string> lines =
        [
            string.Create(
                CultureInfo.InvariantCulture,
                $"Wall time of a plain step, reference student: medians of {steps} steps, {rounds} interleaved rounds. "
                    + $"On a virtual machine the host may take a core without saying so, and two threads meet it more often than one: "
                    + $"the least disturbed round stands beside the median."
            ),
            "",
            "| machine | one thread, ms: best, median | two threads, ms: best, median | one / two: best, median |",
            "| --- | --- | --- | --- |",
        ];
        foreach (bool shared in new[] { false, true })
        {
            using Process? neighbour = shared
                ? Process.Start(Environment.ProcessPath!, [typeof(Worker).Assembly.Location, "spin"])
                : null;
            try
            {
                (JsonElement[] one, JsonElement[] two) = Rounds(
                    rounds,
                    () => Worker.Own($"step --threads 1 --steps {steps}"),
                    () => Worker.Own($"step --threads 2 --steps {steps}")
                );
                double a = Middle(one, "wall_ms");
                double b = Middle(two, "wall_ms");
                double bestA = one.Min(line => Worker.Number(line, "wall_ms"));
                double bestB = two.Min(line => Worker.Number(line, "wall_ms"));
                lines.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {(shared ? "one core taken by another process" : "quiet")} | {bestA:0}, {a:0} | {bestB:0}, {b:0} "
                            + $"| {bestA / bestB:0.00}, {a / b:0.00} |"
                    )
                );
            }
            finally
            {
                neighbour?.Kill();
            }
        }

        lines.AddRange([
            "",
            "Share of the products' peak, whole plain step (counted operations over wall time); "
                + "the best of three interleaved rounds for both.",
            "",
            "| shape | threads | ms | GFLOP/s | peak | share |",
            "| --- | --- | --- | --- | --- | --- |",
        ]);
        foreach (string shape in new[] { "reference", "d512" })
        {
            foreach (int threads in new[] { 1, 2 })
            {
                var measured = new Options(["--shape", shape]);
                Shape sizes = Shape.Get(measured);
                double flops =
                    sizes.Sequences * sizes.Length * Models.ModelFlops.TrainingPerToken(sizes.Student, sizes.Length);
                var measuredRounds = Enumerable
                    .Range(0, 3)
                    .Select(_ =>
                        (
                            Peak: Worker.Number(Worker.Own($"peak --threads {threads}"), "gflops"),
                            Ms: Worker.Number(
                                Worker.Own($"step --shape {shape} --threads {threads} --steps {steps}"),
                                "wall_ms"
                            )
                        )
                    )
                    .ToArray();
                double ms = measuredRounds.Min(round => round.Ms);
                double peak = measuredRounds.Max(round => round.Peak);
                lines.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {shape} | {threads} | {ms:0} | {flops / ms / 1e6:0} | {peak:0} | {flops / ms / 1e6 / peak:0.00} |"
                    )
                );
            }
        }

        ResultFile.Write(
            "threads",
            "dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- threads",
            load,
            lines,
            "Saltern.Core",
            "TorchSharp"
        );
        return 0;
    }

    /// <summary>A SALT run from end to end against the naive twin's: <c>salt.md</c>.</summary>
    public static int Salt(Options options)
    {
        var load = new OtherLoad();
        int rounds = options.Number("rounds", 3);
        const int Taught = 5;
        const int Alone = 15;
        (JsonElement[] naive, JsonElement[] own) = Rounds(
            rounds,
            () => Worker.Own($"step --variant naive --taught {Taught} --steps {Alone}"),
            () => Worker.Own($"step --variant fused --taught {Taught} --steps {Alone}")
        );
        List<string> lines =
        [
            string.Create(
                CultureInfo.InvariantCulture,
                $"A SALT run from end to end, reference student and teacher, {Taught} steps with the teacher and {Alone} alone, "
                    + $"one thread: naive twin {Middle(naive, "run_cpu_ms") / 1e3:0.0} s of CPU, "
                    + $"Saltern {Middle(own, "run_cpu_ms") / 1e3:0.0} s, "
                    + $"ratio {Middle(naive, "run_cpu_ms") / Middle(own, "run_cpu_ms"):0.00} (median of {rounds} rounds)."
            ),
        ];
        ResultFile.Write(
            "salt",
            "dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- salt",
            load,
            lines,
            "Saltern.Core",
            "TorchSharp"
        );
        return 0;
    }

    private static (JsonElement[] First, JsonElement[] Second) Rounds(
        int rounds,
        Func<JsonElement> first,
        Func<JsonElement> second
    )
    {
        var pairs = Enumerable.Range(0, rounds).Select(_ => (First: first(), Second: second())).ToArray();
        return ([.. pairs.Select(pair => pair.First)], [.. pairs.Select(pair => pair.Second)]);
    }

    private static double Middle(IEnumerable<JsonElement> lines, string name) =>
        ResultFile.Median(lines.Select(line => Worker.Number(line, name)));
}
