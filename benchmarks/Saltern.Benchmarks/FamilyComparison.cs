using System.Globalization;
using Saltern.Benchmarks.Data;

namespace Saltern.Benchmarks;

/// <summary>Whole steps of every family beside Llama's with as many operations in products, interleaved: <c>families.md</c>.</summary>
internal static class FamilyComparison
{
    private static readonly (string Title, string Arguments)[] Steps =
    [
        ("plain, float32", "--precision fp32"),
        ("plain, bfloat16", "--precision bf16"),
        ("distilling, bfloat16", "--precision bf16 --kd"),
    ];

    /// <summary>Runs the rounds and writes the file.</summary>
    public static int Run(Options options)
    {
        var load = new OtherLoad();
        int rounds = options.Number("rounds", 3);
        int steps = options.Number("steps", 4);
        string shape = options.Text("shape", "reference");
        string[] families =
        [
            "llama",
            .. options.Text("families", "qwen3,olmo2,granite,gemma,gemma2,gemma3,neox,phi,gpt2,opt").Split(','),
        ];
        double[,,] cpu = new double[families.Length, Steps.Length, rounds];
        for (int round = 0; round < rounds; round++)
        {
            for (int step = 0; step < Steps.Length; step++)
            {
                for (int family = 0; family < families.Length; family++)
                {
                    string measured =
                        $"step --shape {shape} --family {families[family]} --threads 1 --steps {steps} {Steps[step].Arguments}";
                    cpu[family, step, round] = Worker.Number(Worker.Own(measured), "cpu_ms");
                    Console.Error.WriteLine(Text($"{measured}: {cpu[family, step, round]:0} ms"));
                }
            }
        }

        List<string> lines =
        [
            Text(
                $"Medians of {steps} steps, process CPU time, one thread, the {shape} student and a teacher of its family; "
            )
                + Text($"each over Llama's of the same round: median of {rounds} interleaved rounds, and their range. ")
                + "A feed-forward layer without a gate has 3/2 of the width, so that products have as many operations.",
            "",
            "| over Llama's step | " + string.Join(" | ", Steps.Select(step => step.Title)) + " |",
            "| --- | " + string.Join(" | ", Steps.Select(_ => "---")) + " |",
        ];
        for (int family = 1; family < families.Length; family++)
        {
            IEnumerable<string> cells = Enumerable
                .Range(0, Steps.Length)
                .Select(step =>
                {
                    double[] ratios =
                    [
                        .. Enumerable.Range(0, rounds).Select(round => cpu[family, step, round] / cpu[0, step, round]),
                    ];
                    return Text($"{ResultFile.Median(ratios):0.00} ({ratios.Min():0.00}–{ratios.Max():0.00})");
                });
            lines.Add($"| {families[family]} | {string.Join(" | ", cells)} |");
        }

        ResultFile.Write(
            "families",
            $"dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- families --rounds {rounds} --steps {steps} --shape {shape}",
            load,
            lines,
            "Saltern.Core",
            "TorchSharp"
        );
        return 0;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
