using System.Globalization;
using System.Text.Json;
using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Series;
using Saltern.Benchmarks.Data;
using Saltern.Models;

namespace Saltern.Benchmarks;

/// <summary>How cost grows over model size, vocabulary, sequence length and batch: one table and one picture each.</summary>
internal static class Scaling
{
    private sealed record Point(string Label, double X, string Arguments);

    private sealed record Sweep(string Name, string Title, string XTitle, IReadOnlyList<Point> Points);

    private static readonly Sweep[] Sweeps =
    [
        new(
            "model",
            "Model size (vocabulary 8,192, 256 tokens)",
            "parameters, millions",
            [
                Size(64, 4, 2, 160, 16),
                Size(128, 4, 4, 352, 16),
                Size(192, 6, 3, 512, 16),
                Size(256, 6, 4, 704, 16),
                Size(384, 8, 6, 1_024, 8),
                Size(512, 8, 8, 1_408, 8),
                Size(768, 12, 12, 2_048, 4),
            ]
        ),
        new(
            "vocabulary",
            "Vocabulary (reference student, 16 x 256 tokens)",
            "token ids",
            [
                .. new[] { 2_048, 8_192, 32_768, 131_072 }.Select(v => new Point(
                    v.ToString("N0", CultureInfo.InvariantCulture),
                    v,
                    $"--shape reference --vocabulary {v}"
                )),
            ]
        ),
        new(
            "length",
            "Sequence length (reference student, 4,096 tokens a step)",
            "tokens of a sequence",
            [
                .. new[] { 128, 256, 512, 1_024, 2_048 }.Select(t => new Point(
                    t.ToString("N0", CultureInfo.InvariantCulture),
                    t,
                    $"--shape reference --length {t} --sequences {4_096 / t}"
                )),
            ]
        ),
        new(
            "batch",
            "Batch (reference student, 256 tokens a sequence)",
            "sequences of a micro-batch",
            [
                .. new[] { 1, 2, 4, 8, 16, 32, 64 }.Select(b => new Point(
                    b.ToString(CultureInfo.InvariantCulture),
                    b,
                    $"--shape reference --sequences {b}"
                )),
            ]
        ),
    ];

    /// <summary>Runs one sweep (<c>--sweep</c>) or all, plain and distilling, with and without recomputing, and writes <c>scaling-NAME.md</c> and <c>.svg</c>.</summary>
    public static int Run(Options options)
    {
        string wanted = options.Text("sweep", "all");
        int threads = options.Number("threads", 2);
        foreach (Sweep sweep in Sweeps.Where(sweep => wanted == "all" || wanted == sweep.Name))
        {
            var load = new OtherLoad();
            var rows = new List<(Point Point, JsonElement Plain, JsonElement Distilling, JsonElement Recomputing)>();
            foreach (Point point in sweep.Points)
            {
                JsonElement Step(string extra) =>
                    Worker.Own($"step {point.Arguments} --threads {threads} --steps 3{extra}");
                rows.Add((point, Step(""), Step(" --kd"), Step(" --recompute")));
                Console.Error.WriteLine($"{sweep.Name} {point.Label}");
            }

            List<string> lines =
            [
                sweep.Title
                    + string.Create(
                        CultureInfo.InvariantCulture,
                        $"; {threads} threads, the fastest of 3 steps after 2 (on a virtual machine the host takes a core now and then, "
                            + $"which doubles a step)."
                    ),
                "",
                $"| {sweep.XTitle} | plain, tokens/s | distilling, tokens/s | GFLOP/s, plain | plain, MiB | distilling, "
                    + "MiB | plain with recompute: tokens/s | MiB |",
                "| --- | --- | --- | --- | --- | --- | --- | --- |",
            ];
            foreach ((Point point, JsonElement plain, JsonElement distilling, JsonElement recomputing) in rows)
            {
                lines.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"| {point.Label} | {Worker.Number(plain, "tokens_per_second"):0} "
                            + $"| {Worker.Number(distilling, "tokens_per_second"):0} | {Worker.Number(plain, "gflops"):0} "
                            + $"| {Worker.Number(plain, "peak_rss_mb"):0} | {Worker.Number(distilling, "peak_rss_mb"):0} "
                            + $"| {Worker.Number(recomputing, "tokens_per_second"):0} | {Worker.Number(recomputing, "peak_rss_mb"):0} |"
                    )
                );
            }

            lines.AddRange(["", $"![tokens/s and memory](scaling-{sweep.Name}.svg)"]);
            ResultFile.Write(
                "scaling-" + sweep.Name,
                $"dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- scaling --sweep {sweep.Name}",
                load,
                lines,
                "Saltern.Core",
                "TorchSharp"
            );
            File.WriteAllText(
                ResultFile.PathOf($"scaling-{sweep.Name}.svg"),
                Picture(sweep, [.. rows.Select(row => (row.Point.X, row.Plain))])
            );
        }

        return 0;
    }

    private static Point Size(int hidden, int layers, int heads, int feedForward, int sequences)
    {
        string arguments =
            $"--shape reference --hidden {hidden} --layers {layers} --heads {heads} --feed-forward {feedForward} --sequences {sequences}";
        Shape shape = Shape.Get(new Options(arguments.Split(' ')));
        double parameters = ModelFlops.Parameters(shape.Student) / 1e6;
        return new Point(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{parameters:0.0}M (d {hidden}, {layers} layers; {sequences} x 256)"
            ),
            parameters,
            arguments
        );
    }

    private static string Picture(Sweep sweep, IReadOnlyList<(double X, JsonElement Line)> points)
    {
        var plot = new PlotModel { Title = sweep.Title, TitleFontSize = 13 };
        plot.Axes.Add(
            new LogarithmicAxis
            {
                Position = AxisPosition.Bottom,
                Title = sweep.XTitle,
                AxisTitleDistance = 8,
                MajorGridlineStyle = LineStyle.Dot,
            }
        );
        plot.Axes.Add(
            new LogarithmicAxis
            {
                Position = AxisPosition.Left,
                Title = "tokens/s",
                Key = "speed",
                MajorGridlineStyle = LineStyle.Dot,
            }
        );
        plot.Axes.Add(
            new LogarithmicAxis
            {
                Position = AxisPosition.Right,
                Title = "peak memory, MiB (dashed)",
                AxisTitleDistance = 24,
                Key = "memory",
            }
        );
        var speed = new LineSeries
        {
            YAxisKey = "speed",
            MarkerType = MarkerType.Circle,
            Color = OxyColors.SteelBlue,
        };
        var memory = new LineSeries
        {
            YAxisKey = "memory",
            MarkerType = MarkerType.Square,
            LineStyle = LineStyle.Dash,
            Color = OxyColors.IndianRed,
        };
        foreach ((double x, JsonElement line) in points)
        {
            speed.Points.Add(new DataPoint(x, Worker.Number(line, "tokens_per_second")));
            memory.Points.Add(new DataPoint(x, Worker.Number(line, "peak_rss_mb")));
        }

        plot.Series.Add(speed);
        plot.Series.Add(memory);
        var exporter = new SvgExporter
        {
            Width = 640,
            Height = 400,
            IsDocument = false,
        };
        using var stream = new MemoryStream();
        exporter.Export(plot, stream);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }
}
