using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Saltern.Cli.Tests;

/// <summary>What <c>saltern plan</c> says beforehand beside what <c>saltern train</c> then takes: peak memory within 10 %, processor time within 20 %.</summary>
/// <remarks>The short form trains one model whose weights outweigh everything else, for a few steps. <c>SALTERN_PLAN_STEPS=60</c> takes three recipes, two with long enough runs to compare processor time, and prints the table of docs/planning.md.</remarks>
public class PlanTests(Workspace workspace, ITestOutputHelper output) : IClassFixture<Workspace>
{
    private const double MemoryTolerance = 0.10;
    private const double ProcessorTolerance = 0.20;

    private static int LongSteps
    {
        get
        {
            if (Environment.GetEnvironmentVariable("SALTERN_PLAN_STEPS") is { Length: > 0 } text)
            {
                return int.Parse(text, CultureInfo.InvariantCulture);
            }

            return 0;
        }
    }

    [Fact]
    public void Memory_OfAModelThatIsMostlyWeights_IsWhatThePlanSays()
    {
        // 19M weights and few tokens: gradients, optimizer and the checkpoint's copy are nearly all of it, and nothing else may be as large as they.
        (Plan plan, Taken taken) = Compare(
            "weights",
            Recipe("weights", hidden: 512, layers: 6, batch: 2, steps: 4, ""),
            seconds: 0
        );
        output.WriteLine($"planned {plan.MemoryMib:0} MiB, took {taken.MemoryMib:0} MiB");
        Assert.InRange(
            plan.MemoryMib,
            (1 - MemoryTolerance) * taken.MemoryMib,
            (1 + MemoryTolerance) * taken.MemoryMib
        );
    }

    [Fact]
    public void ADescribedCluster_GivesTimeEnergyPriceAndScaling()
    {
        // 8 ranks of 1e12 FLOP/s at 40 %; what a step waits for is the network. The arithmetic has its tests beside it.
        File.WriteAllText(
            workspace["cluster.yaml"],
            "name: eight\nranks: 8\npeak_flops: 1.0e+12\nmemory_gib: 0.1\nnetwork_gbit: 100\nwatts: 300\n"
                + "price_per_kwh: 0.3\nprice_per_rank_hour: 2\ncurrency: CHF\n"
        );
        (int code, string text, string error) = SalternProcess.Run(
            "plan",
            workspace["salt.yaml"],
            "--cluster",
            workspace["cluster.yaml"],
            "--scaling"
        );
        Assert.True(code == 0, error);
        Assert.Contains("time (described: eight, 8 x 1e+12 FLOP/s at 40 %): ", text, StringComparison.Ordinal);
        Assert.Contains("It does NOT fit into memory: ", text, StringComparison.Ordinal);
        Assert.Matches("Energy [0-9.]+ kWh. Price [0-9.]+ CHF.", text);
        Assert.Equal(
            4,
            text.Split('\n').Count(line => line.Contains(" ranks   10 Gbit/s: ", StringComparison.Ordinal))
        );
        Assert.Contains(
            "SALT against BASELINE, if it reaches BASELINE's quality after 80 %",
            text,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ThreeRecipes_TakeWhatThePlanSays()
    {
        Assert.SkipWhen(LongSteps == 0, "The long form takes minutes: SALTERN_PLAN_STEPS=60 runs it.");
        string teacher =
            $"teacher: {{ path: {workspace["teacher"]} }}\ndistillation: {{ transition: step, start: 0.5 }}\n";
        (string Name, string Text)[] recipes =
        [
            ("plain-1M", Recipe("plain-1M", hidden: 128, layers: 5, batch: 16, LongSteps, "")),
            ("salt-2M", Recipe("salt-2M", hidden: 192, layers: 4, batch: 16, LongSteps, teacher)),
            ("plain-11M", Recipe("plain-11M", hidden: 384, layers: 6, batch: 16, LongSteps / 3, "")),
        ];
        output.WriteLine(
            "| recipe | memory: plan | run | ratio | processor time: plan | run | ratio "
                + "| wall: plan | run | peak, GFLOP/s: plan | run |\n"
                + "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        );
        var misses = new List<string>();
        foreach ((string name, string text) in recipes)
        {
            (Plan plan, Taken taken) = Compare(name, text, seconds: 6);
            (double memory, double processor) = (
                plan.MemoryMib / taken.MemoryMib,
                plan.ProcessorSeconds!.Value / taken.ProcessorSeconds
            );
            output.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {plan.MemoryMib:0} MiB | {taken.MemoryMib:0} MiB | {memory:0.00} | "
                        + $"{plan.ProcessorSeconds:0} s | {taken.ProcessorSeconds:0} s | {processor:0.00} | "
                        + $"{plan.Seconds:0} s | {taken.Seconds:0} s | {plan.Peak:0} | {taken.Peak:0} |"
                )
            );
            if (Math.Abs(memory - 1) > MemoryTolerance || Math.Abs(processor - 1) > ProcessorTolerance)
            {
                misses.Add(name);
            }
        }

        Assert.Empty(misses);
    }

    private (Plan Plan, Taken Taken) Compare(string name, string text, double seconds)
    {
        string recipe = workspace[name + ".yaml"];
        string folder = workspace["run-" + name];
        File.WriteAllText(recipe, text);
        (int code, string json, string error) = SalternProcess.Run(
            "plan",
            recipe,
            "--json",
            "--seconds",
            seconds.ToString(CultureInfo.InvariantCulture)
        );
        Assert.True(code == 0, error);
        using var document = JsonDocument.Parse(json);
        JsonElement plan = document.RootElement.GetProperty("plan");
        JsonElement time = plan.GetProperty("time");
        double? Of(string key)
        {
            if (time.ValueKind == JsonValueKind.Null)
            {
                return null;
            }

            return time.GetProperty(key).GetDouble();
        }
        double planned =
            plan.GetProperty("memory")
                .GetProperty("parts")
                .EnumerateArray()
                .Sum(part => part.GetProperty("bytes").GetDouble()) / 1048576;

        long start = Stopwatch.GetTimestamp();
        using Process process = SalternProcess.StartMeasuring("train", recipe, "--out", folder);
        _ = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        // Both only rise, so what was seen last is all but the final moments.
        (double peak, double processor) = (0, 0);
        while (!process.WaitForExit(20))
        {
            (peak, processor) = (Math.Max(peak, HighWater(process.Id)), Math.Max(processor, ProcessorSeconds(process)));
        }

        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        using var result = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "result.json")));
        double gflops = result.RootElement.GetProperty("machine").GetProperty("matmul_peak_gflops").GetDouble();
        return (
            new Plan(planned, Of("processor_seconds"), Of("run"), Of("matmul_peak_gflops")),
            new Taken(peak / 1024, processor, Stopwatch.GetElapsedTime(start).TotalSeconds, gflops)
        );
    }

    private static double ProcessorSeconds(Process process)
    {
        try
        {
            return process.TotalProcessorTime.TotalSeconds;
        }
        catch (InvalidOperationException)
        {
            // It has just ended.
            return 0;
        }
    }

    // VmHWM in kB.
    private static double HighWater(int process)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{process}/status")
                .FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            if (line is null)
            {
                return 0;
            }

            return double.Parse(
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                CultureInfo.InvariantCulture
            );
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private string Recipe(string name, int hidden, int layers, int batch, int steps, string more) =>
        $$"""
            name: {{name}}
            threads: 1
            data: { path: {{workspace["data"]}}, sequence_length: 32 }
            model: { hidden_size: {{hidden}}, num_hidden_layers: {{layers}}, num_attention_heads: 4, intermediate_size: {{hidden
                * 11
                / 4}}, tie_word_embeddings: true }
            schedule: { warmup_steps: 1 }
            training: { steps: {{steps}}, batch_sequences: {{batch}}, evaluate_every: {{Math.Max(
                2,
                steps / 3
            )}}, checkpoint_every: {{Math.Max(2, steps / 2)}}, evaluation_tokens: 512, final_evaluation_tokens: 1024 }
            {{more}}
            """;

    private sealed record Plan(double MemoryMib, double? ProcessorSeconds, double? Seconds, double? Peak);

    private sealed record Taken(double MemoryMib, double ProcessorSeconds, double Seconds, double Peak);
}
