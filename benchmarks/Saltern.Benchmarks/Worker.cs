using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Saltern.Benchmarks;

/// <summary>One measurement in a process of its own, and what it printed.</summary>
internal static class Worker
{
    private const string Python = "/usr/bin/python3"; // the distribution's own, which has its torch

    /// <summary>Runs this program with other arguments.</summary>
    public static JsonElement Own(string arguments)
    {
        // 'dotnet run' starts the program's own host, which takes no assembly; 'dotnet FILE.dll' does.
        string host = Environment.ProcessPath!;
        string[] own = arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        bool isShared = Path.GetFileNameWithoutExtension(host) == "dotnet";
        return Run(host, isShared ? [typeof(Worker).Assembly.Location, .. own] : own, threads: null);
    }

    /// <summary>Runs the PyTorch peer on a shape; null where the distribution's PyTorch is not installed.</summary>
    public static JsonElement? PyTorch(Shape shape, bool distils, int threads, int steps)
    {
        string script = Path.Combine("benchmarks", "peers", "pytorch_step.py");
        if (!File.Exists("/usr/lib/python3/dist-packages/torch/__init__.py") || !File.Exists(script))
        {
            return null;
        }

        var s = shape.Student;
        string arguments = string.Create(
            CultureInfo.InvariantCulture,
            $"{script} --hidden {s.HiddenSize} --layers {s.NumHiddenLayers} --heads {s.NumAttentionHeads} "
                + $"--feed-forward {s.IntermediateSize} --vocabulary {s.VocabSize} --length {shape.Length} "
                + $"--sequences {shape.Sequences} --threads {threads} --steps {steps}{(distils ? " --kd" : "")}"
        );
        return Run(Python, arguments.Split(' '), threads);
    }

    /// <summary>A member of a worker's line.</summary>
    public static double Number(JsonElement line, string name) => line.GetProperty(name).GetDouble();

    private static JsonElement Run(string program, IEnumerable<string> arguments, int? threads)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };

        // Nothing that pins a BLAS to another processor's kernels, and as many threads as the peer is to use.
        foreach (string name in new[] { "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE" })
        {
            start.Environment.Remove(name);
        }

        if (threads is int count)
        {
            start.Environment["OPENBLAS_NUM_THREADS"] = start.Environment["OMP_NUM_THREADS"] = count.ToString(
                CultureInfo.InvariantCulture
            );
        }

        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        string? line = output.Split('\n').LastOrDefault(text => text.StartsWith('{'));
        if (process.ExitCode == 0 && line is not null)
        {
            return JsonDocument.Parse(line).RootElement.Clone();
        }

        throw new InvalidOperationException(
            $"{program} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}: {output}"
        );
    }
}
