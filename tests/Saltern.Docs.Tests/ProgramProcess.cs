using System.Diagnostics;

namespace Saltern.Docs.Tests;

/// <summary>A program as a user starts it: a process of its own.</summary>
internal static class ProgramProcess
{
    /// <summary>Runs to the end.</summary>
    /// <param name="program">File name of the assembly beside the tests.</param>
    /// <param name="folder">Where it is started.</param>
    /// <param name="arguments">What it is given.</param>
    /// <returns>What it printed, errors included.</returns>
    public static string Run(string program, string folder, params IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };

        // Looking for free cores, measuring the machine and compiling again with a profile are two thirds of a run of seconds, and change none of its results.
        // The delay is hexadecimal: 0x7D0 are 2,000 ms.
        start.Environment["SALTERN_MATMUL_GFLOPS"] = "50";
        start.Environment["OMP_NUM_THREADS"] = "1";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_TC_CallCountingDelayMs"] = "7D0";
        foreach (string argument in arguments.Prepend(Path.Combine(AppContext.BaseDirectory, program)))
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(
            process.WaitForExit(TimeSpan.FromMinutes(20)),
            $"{program} {string.Join(' ', arguments)} did not end"
        );
        Assert.True(
            process.ExitCode == 0,
            $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}{error.Result}"
        );
        return output + error.Result;
    }
}
