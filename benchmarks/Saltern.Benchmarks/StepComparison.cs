using System.Globalization;
using System.Text.Json;
using Saltern.Benchmarks.Data;
using Saltern.Models;

namespace Saltern.Benchmarks;

/// <summary>Whole steps against the naive twin and PyTorch, interleaved: naive, Saltern, PyTorch, naive, …, one thread each.</summary>
internal static class StepComparison
{
    /// <summary>Runs the rounds and writes <c>steps-SHAPE.md</c>.</summary>
    public static int Run(Options options)
    {
        var load = new OtherLoad();
        Shape shape = Shape.Get(options);
        int rounds = options.Number("rounds", 3);
        int steps = options.Number("steps", 4);
        string sizes = "--shape " + shape.Name;
        var columns = new List<(string Name, List<JsonElement> Lines)>();
        for (int round = 0; round < rounds; round++)
        {
            foreach (bool distils in new[] { false, true })
            {
                string kd = distils ? " --kd" : "";
                string suffix = distils ? ", distilling" : ", plain";
                Add(columns, "naive twin" + suffix, Worker.Own($"step {sizes} --variant naive --steps {steps}{kd}"));
                Add(columns, "Saltern" + suffix, Worker.Own($"step {sizes} --variant fused --steps {steps}{kd}"));
                Add(
                    columns,
                    "Saltern, bfloat16" + suffix,
                    Worker.Own($"step {sizes} --variant fused --precision bf16 --steps {steps}{kd}")
                );
                Add(
                    columns,
                    "Saltern, MKL products" + suffix,
                    Worker.Own($"step {sizes} --variant fused --library blas --steps {steps}{kd}")
                );
                Add(
                    columns,
                    "Saltern, layers off" + suffix,
                    Worker.Own($"step {sizes} --variant layers-off --steps {steps}{kd}")
                );
                if (
                    options.Text("peers", "torch") != "none"
                    && Worker.PyTorch(shape, distils, 1, steps) is JsonElement peer
                )
                {
                    Add(columns, "PyTorch 1.13 eager, OpenBLAS" + suffix, peer);
                }
            }
        }

        double peak = Worker.Number(Worker.Own("peak --threads 1"), "gflops");
        double half = Worker.Number(Worker.Own("peak --threads 1 --precision bf16"), "gflops");
        double flops = shape.Sequences * shape.Length * ModelFlops.TrainingPerToken(shape.Student, shape.Length);
        double teacher =
            ModelFlops.ForwardPerToken(shape.Teacher, shape.Length)
            / ModelFlops.TrainingPerToken(shape.Student, shape.Length);
        double Cpu(string name) =>
            ResultFile.Median(
                columns.First(column => column.Name == name).Lines.Select(line => Worker.Number(line, "cpu_ms"))
            );
        List<string> lines =
        [
            string.Create(
                CultureInfo.InvariantCulture,
                $"Shape '{shape.Name}': student {ModelFlops.Parameters(shape.Student) / 1e6:0.0}M parameters, "
                    + $"teacher {ModelFlops.Parameters(shape.Teacher) / 1e6:0.0}M, "
                    + $"vocabulary {shape.Student.VocabSize}, {shape.Sequences} x {shape.Length} tokens, {flops / 1e9:0.0} GFLOP a "
                    + $"plain step; one thread; products reach {peak:0} GFLOP/s, in bfloat16 {half:0}. "
                    + $"Process CPU time of a step, median of {steps} steps, then of {rounds} rounds; in brackets the rounds' range. "
                    + $"Ratios are of medians; 'pairs' is the range of the rounds' own ratios."
            ),
            "",
            "| variant | ms a step | naive twin / this | pairs | PyTorch / this | share of the peak | peak memory, MiB | loss |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ];
        foreach ((string name, List<JsonElement> measured) in columns)
        {
            bool distils = name.EndsWith("distilling", StringComparison.Ordinal);
            string suffix = distils ? ", distilling" : ", plain";
            string pytorch = "PyTorch 1.13 eager, OpenBLAS" + suffix;
            double[] own = [.. measured.Select(line => Worker.Number(line, "cpu_ms"))];
            double[] naive =
            [
                .. columns
                    .First(column => column.Name == "naive twin" + suffix)
                    .Lines.Select(line => Worker.Number(line, "cpu_ms")),
            ];
            double[] pairs = [.. naive.Zip(own, (a, b) => a / b)];
            string peerRatio = columns.Any(column => column.Name == pytorch)
                ? string.Create(CultureInfo.InvariantCulture, $"{Cpu(pytorch) / ResultFile.Median(own):0.00}")
                : "-";
            double counted = flops * (distils ? 1 + teacher : 1);
            double itsPeak = name.StartsWith("Saltern, bfloat16", StringComparison.Ordinal) ? half : peak;
            lines.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {ResultFile.Median(own):0} [{own.Min():0}–{own.Max():0}] "
                        + $"| {ResultFile.Median(naive) / ResultFile.Median(own):0.00} | {pairs.Min():0.00}–{pairs.Max():0.00} "
                        + $"| {peerRatio} | {counted / (ResultFile.Median(own) / 1e3) / (itsPeak * 1e9):0.00} "
                        + $"| {ResultFile.Median(measured.Select(line => Worker.Number(line, "peak_rss_mb"))):0} "
                        + $"| {Worker.Number(measured[0], "loss"):0.0000} |"
                )
            );
        }

        double ratio = Cpu("Saltern, distilling") / Cpu("Saltern, plain");
        lines.Add("");
        lines.Add(
            string.Create(
                CultureInfo.InvariantCulture,
                $"A distilling step takes {ratio:0.000} plain steps; "
                    + $"the teacher's operations are {teacher:0.000} of the student's, so 1 + 1.4 × that is {1 + (1.4 * teacher):0.000}."
            )
        );
        ResultFile.Write(
            "steps-" + shape.Name,
            $"dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- steps {sizes} --rounds {rounds} --steps {steps}",
            load,
            lines,
            "Saltern.Core",
            "TorchSharp"
        );
        return 0;
    }

    private static void Add(List<(string Name, List<JsonElement> Lines)> columns, string name, JsonElement line)
    {
        if (columns.All(column => column.Name != name))
        {
            columns.Add((name, []));
        }

        columns.First(column => column.Name == name).Lines.Add(line);
        Console.Error.WriteLine($"{name}: {line}");
    }
}
