using System.Diagnostics;
using System.Runtime.CompilerServices;

// A test waits for the programs that it starts, and some programs for a silence: beside them there is work for the processors.
[assembly: Xunit.v3.Parallelization(MaxThreads = 4)]

namespace Saltern.Cli.Tests;

/// <summary>The program as a user starts it: a process of its own.</summary>
internal static class SalternProcess
{
    internal static readonly string Program = Path.Combine(AppContext.BaseDirectory, "saltern.dll");

    private const string PeakVariable = "SALTERN_MATMUL_GFLOPS";
    private const string ThreadVariable = "OMP_NUM_THREADS";

    // For all programs that the tests start, launchers and their ranks too.
    [ModuleInitializer]
    internal static void PrepareChildren()
    {
        // Measuring the machine was a third of what a short run takes.
        Environment.SetEnvironmentVariable(PeakVariable, "50");

        // Looking for free cores takes 0.4 s, and finds few: other tests run beside.
        Environment.SetEnvironmentVariable(ThreadVariable, "1");

        // Compiling again with a profile, in the background, was another third: a run of seconds never earns it back.
        // The delay is hexadecimal: 0x7D0 are 2,000 ms. Neither changes a result.
        Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
        Environment.SetEnvironmentVariable("DOTNET_TC_CallCountingDelayMs", "7D0");

        // Ranks that wait for one another leave the processor to the tests beside them.
        Environment.SetEnvironmentVariable("OMPI_MCA_mpi_yield_when_idle", "1");
    }

    /// <summary>Runs to the end.</summary>
    public static (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        return (process.ExitCode, output, error.Result);
    }

    /// <summary>Runs to the end, with a text on standard input.</summary>
    public static (int ExitCode, string Output, string Error) RunWithInput(string input, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(Program);
        Array.ForEach(arguments, start.ArgumentList.Add);
        using Process process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        return (process.ExitCode, output, error.Result);
    }

    /// <summary>Starts and returns the process.</summary>
    public static Process Start(params string[] arguments) => Start(measures: false, arguments);

    /// <summary>Starts a process that measures the machine first, as a user's does.</summary>
    public static Process StartMeasuring(params string[] arguments) => Start(measures: true, arguments);

    private static Process Start(bool measures, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        if (measures)
        {
            start.Environment.Remove(PeakVariable);
            start.Environment.Remove(ThreadVariable);
        }

        start.ArgumentList.Add(Program);
        Array.ForEach(arguments, start.ArgumentList.Add);
        return Process.Start(start)!;
    }

    /// <summary>Starts a process whose errors nobody waits for.</summary>
    public static Process StartQuietly(params string[] arguments)
    {
        Process process = Start(arguments);
        process.BeginErrorReadLine();
        return process;
    }
}
