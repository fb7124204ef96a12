using System.Diagnostics;

namespace Saltern.Tests.Export;

/// <summary>Runs scripts of this folder with the distribution's own Python, which sees its packages.</summary>
internal static class PythonRuns
{
    private const string Python = "/usr/bin/python3";
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(20);
    private static readonly Lazy<string?> MissingNumPy = new(() => Missing("numpy", "python3-numpy"));

    /// <summary>Runs a script that needs NumPy; skips the test, with the reason, where there is none.</summary>
    /// <returns>What it wrote to its output.</returns>
    public static string Run(string script, params string[] arguments)
    {
        Assert.SkipWhen(MissingNumPy.Value is not null, MissingNumPy.Value ?? "");
        (string output, string error) = Start([Path.Combine(AppContext.BaseDirectory, "Export", script), .. arguments]);
        Assert.True(error.Length == 0, error);
        return output;
    }

    private static string? Missing(string module, string package)
    {
        if (!File.Exists(Python))
        {
            return $"{Python} is not on this machine";
        }

        if (Start("-c", $"import {module}").Error is { Length: > 0 } error)
        {
            return $"{Python} has no {module} (Debian's {package}): {error.Split('\n')[^1]}";
        }

        return null;
    }

    private static (string Output, string Error) Start(params string[] arguments)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(Python, arguments) { RedirectStandardError = true, RedirectStandardOutput = true }
        )!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        if (!process.WaitForExit(Longest))
        {
            process.Kill(entireProcessTree: true);
            return ("", $"no end within {Longest}");
        }

        Task.WaitAll([output, error], CancellationToken.None);
        return (output.Result, process.ExitCode == 0 ? "" : $"exit code {process.ExitCode}: {error.Result.TrimEnd()}");
    }
}
