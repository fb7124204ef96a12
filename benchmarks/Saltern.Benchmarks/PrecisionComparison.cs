using System.Globalization;
using System.Text.Json;
using Saltern.Benchmarks.Data;
using Saltern.Models;

namespace Saltern.Benchmarks;

/// <summary>Whole steps with float32 and with bfloat16 products, interleaved: <c>precision.md</c>.</summary>
internal static class PrecisionComparison
{
    private static readonly string[] Types = ["fp32", "bf16"];

    /// <summary>Runs the rounds and writes the file.</summary>
    public static int Run(Options options)
    {
        var load = new OtherLoad();
        int rounds = options.Number("rounds", 5);
        int steps = options.Number("steps", 5);
        string[] shapes = options.Text("shapes", "core,reference,d512").Split(',');
        List<string> lines =
        [
            Text(
                $"Medians of {steps} steps, then of {rounds} interleaved rounds: process CPU time with one thread, wall time with two. "
            )
                + "'Pairs' is the range of the rounds' own ratios. The teacher's products have the type of the student's. "
                + "Shares are counted operations over time and over the measured peak of products of the same type and as many threads.",
            "",
            "| student, tokens, threads, step | float32, ms | bfloat16, ms | ratio | pairs "
                + "| share of peak: float32, bfloat16 | peak memory, MiB: float32, bfloat16, ratio |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ];
        List<string> notes = [];
        foreach (string name in shapes)
        {
            Shape shape = Shape.Get(new Options(["--shape", name, "--sequences", "16"]));
            string sizes = $"--shape {name} --sequences 16";
            foreach (int threads in new[] { 1, 2 })
            {
                double[] peaks =
                [
                    .. Types.Select(type =>
                        Enumerable
                            .Range(0, 3)
                            .Max(_ =>
                                Worker.Number(Worker.Own($"peak --threads {threads} --precision {type}"), "gflops")
                            )
                    ),
                ];
                var medians = new List<double>();
                foreach (bool distils in new[] { false, true })
                {
                    string kd = distils ? " --kd" : "";
                    JsonElement[][] measured = [.. Types.Select(_ => new JsonElement[rounds])];
                    for (int round = 0; round < rounds; round++)
                    {
                        foreach ((int type, string word) in Types.Index())
                        {
                            measured[type][round] = Worker.Own(
                                $"step {sizes} --threads {threads} --steps {steps} --precision {word}{kd}"
                            );
                            Console.Error.WriteLine($"{name} {threads} {kd} {word}: {measured[type][round]}");
                        }
                    }

                    string clock = threads == 1 ? "cpu_ms" : "wall_ms";
                    double[] ms = [.. measured.Select(type => Median(type, clock))];
                    double[] memory = [.. measured.Select(type => Median(type, "peak_rss_mb"))];
                    double[] pairs =
                    [
                        .. measured[0].Zip(measured[1], (a, b) => Worker.Number(a, clock) / Worker.Number(b, clock)),
                    ];
                    medians.Add(ms[1]);
                    double[] shares = [.. ms.Zip(peaks, (time, peak) => Flops(shape, distils) / time / 1e6 / peak)];
                    lines.Add(
                        Text($"| {name}, {ModelFlops.Parameters(shape.Student) / 1e6:0.0}M, 16 × {shape.Length}, ")
                            + Text($"{threads}, {(distils ? "distilling" : "plain")} ")
                            + Text(
                                $"| {ms[0]:0} | {ms[1]:0} | {ms[0] / ms[1]:0.00} | {pairs.Min():0.00}–{pairs.Max():0.00} "
                            )
                            + Text($"| {shares[0]:0.00}, {shares[1]:0.00} ")
                            + Text($"| {memory[0]:0}, {memory[1]:0}, {memory[1] / memory[0]:0.00} |")
                    );
                }

                notes.Add(
                    Text(
                        $"{name}, {threads} threads: products reach {peaks[0]:0} GFLOP/s in float32, {peaks[1]:0} in bfloat16; "
                    )
                        + Text(
                            $"a distilling step with a bfloat16 teacher takes {medians[1] / medians[0]:0.000} plain steps."
                        )
                );
            }
        }

        lines.Add("");
        lines.AddRange(notes.Select(note => "- " + note));
        ResultFile.Write(
            "precision",
            $"dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- precision --rounds {rounds} --steps {steps}",
            load,
            lines,
            "Saltern.Core",
            "TorchSharp"
        );
        return 0;
    }

    private static double Flops(Shape shape, bool distils)
    {
        double student = ModelFlops.TrainingPerToken(shape.Student, shape.Length);
        double teacher = distils ? ModelFlops.ForwardPerToken(shape.Teacher, shape.Length) : 0;
        return shape.Sequences * shape.Length * (student + teacher);
    }

    private static double Median(JsonElement[] lines, string member) =>
        ResultFile.Median(lines.Select(line => Worker.Number(line, member)));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
