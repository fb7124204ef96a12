using System.Diagnostics;

namespace Saltern.Cli.Tests;

/// <summary>The program as several ranks, under MPI's launchers.</summary>
internal static class Launcher
{
    internal static (int ExitCode, string Output, string Error) Run(
        string launcher,
        int ranks,
        string[] arguments,
        params (string Name, string Value)[] variables
    )
    {
        using Process process = StartRanks(launcher, ranks, arguments, variables);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the launcher did not end");
        return (process.ExitCode, output, error.Result);
    }

    internal static Process StartRanks(
        string launcher,
        int ranks,
        string[] arguments,
        params (string Name, string Value)[] variables
    )
    {
        SkipWithout(launcher);
        string[] more = launcher == "mpirun.openmpi" ? ["--oversubscribe"] : [];
        return Start(
            launcher,
            [.. more, "-np", $"{ranks}", "dotnet", SalternProcess.Program, .. arguments],
            [("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), .. variables]
        );
    }

    internal static Process Start(string program, string[] arguments, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Array.ForEach(variables, variable => start.Environment[variable.Name] = variable.Value);
        return Process.Start(start)!;
    }

    internal static void SkipWithout(string launcher) =>
        Assert.SkipUnless(
            (Environment.GetEnvironmentVariable("PATH") ?? "")
                .Split(':')
                .Any(folder => File.Exists(Path.Combine(folder, launcher))),
            $"{launcher} is not installed (Debian: apt-get install openmpi-bin mpich)"
        );

    // In the order of their ranks: the programs that were started with this folder, mpirun apart.
    internal static int[] RankProcesses(string folder) =>
        [
            .. Process
                .GetProcessesByName("dotnet")
                .Select(process => process.Id)
                .Where(id => Read(id, "cmdline").Contains(folder + "\0", StringComparison.Ordinal))
                .OrderBy(
                    id =>
                        Read(id, "environ")
                            .Split('\0')
                            .Where(line =>
                                line.StartsWith("OMPI_COMM_WORLD_RANK=", StringComparison.Ordinal)
                                || line.StartsWith("PMI_RANK=", StringComparison.Ordinal)
                            )
                            .FirstOrDefault(),
                    StringComparer.Ordinal
                ),
        ];

    private static string Read(int process, string file)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/{file}");
        }
        catch (IOException)
        {
            return ""; // over in the meantime
        }
    }
}
