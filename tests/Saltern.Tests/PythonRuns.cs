using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Tests;

/// <summary>Runs scripts with the distribution's own Python, which sees its packages: all in one process, python_runs.py.</summary>
internal static class PythonRuns
{
    private const string Python = "/usr/bin/python3";
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(20);
    private static readonly Lazy<string?> MissingNumPy = new(() => Missing("numpy", "python3-numpy"));
    private static readonly Lazy<string?> MissingTorch = new(() => Missing("torch", "python3-torch"));
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);
    private static readonly Lock OneAtATime = new();
    private static Process? Running;

    /// <summary>Runs a script that needs NumPy; skips the test, with the reason, where there is none.</summary>
    /// <returns>What it wrote to its output.</returns>
    public static string WithNumPy(string script, params string[] arguments)
    {
        Assert.SkipWhen(MissingNumPy.Value is not null, MissingNumPy.Value ?? "");
        return Run(script, arguments);
    }

    /// <summary>Runs a script that needs PyTorch; skips the test, with the reason, where there is none.</summary>
    /// <returns>What it wrote to its output.</returns>
    public static string WithTorch(string script, params string[] arguments)
    {
        Assert.SkipWhen(MissingTorch.Value is not null, MissingTorch.Value ?? "");
        return Run(script, arguments);
    }

    private static string? Missing(string module, string package)
    {
        if (!File.Exists(Python))
        {
            return $"{Python} is not on this machine";
        }

        // In a process of its own, without importing: what is not there cannot be found.
        using Process look = Process.Start(
            new ProcessStartInfo(
                Python,
                ["-c", $"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"]
            )
        )!;
        look.WaitForExit();
        return look.ExitCode == 0 ? null : $"{Python} has no {module} (Debian's {package})";
    }

    private static string Run(string script, string[] arguments)
    {
        string path = Path.Combine(AppContext.BaseDirectory, script);
        lock (OneAtATime)
        {
            Process process = Running ??= Start();
            process.StandardInput.WriteLine(JsonSerializer.Serialize((string[])[path, .. arguments]));
            process.StandardInput.Flush();
            Task<string?> answer = process.StandardOutput.ReadLineAsync(CancellationToken.None).AsTask();
            bool isThere = answer.Wait(Longest, CancellationToken.None);
            if (!isThere || answer.Result is null)
            {
                // The next script gets another.
                process.Kill(entireProcessTree: true);
                process.WaitForExit();
                Running = null;
                Assert.Fail(
                    isThere
                        ? $"{script}: Python ended with code {process.ExitCode}"
                        : $"{script}: no end within {Longest}"
                );
            }

            Answer found = JsonSerializer.Deserialize<Answer>(answer.Result, Json)!;
            Assert.True(found.Error.Length == 0, found.Error);
            return found.Output;
        }
    }

    // It ends with its input, and so with the tests.
    private static Process Start() =>
        Process.Start(
            new ProcessStartInfo(Python, [Path.Combine(AppContext.BaseDirectory, "python_runs.py")])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;

    private sealed record Answer(string Output, string Error);
}
