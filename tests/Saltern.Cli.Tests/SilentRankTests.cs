using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Saltern.Cli.Tests;

// Ranks that fall silent, and how long the others put up with it. Nearly all of it is waiting, which needs no processor: a class of its own
// waits beside the others.
public partial class SilentRankTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Theory]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public async Task AStoppedRank_EndsTheOthersWithinAMinute(string launcher)
    {
        string folder = workspace["stopped-" + launcher];
        using Process process = StartEndless(launcher, folder);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Wait.Until(() => Directory.Exists(Path.Combine(folder, "checkpoints", "step-00000020")), "no checkpoint came");
        await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken); // ranks say once a second what they are doing
        int[] ranks = Launcher.RankProcesses(folder);
        Assert.Equal(2, ranks.Length);
        using (Process stop = Process.Start("kill", ["-STOP", $"{ranks[1]}"]))
        {
            stop.WaitForExit();
        }

        long begun = Stopwatch.GetTimestamp();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the launcher still waits");
        TimeSpan took = Stopwatch.GetElapsedTime(begun);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{launcher}: over {took.TotalSeconds:0} s after the rank was stopped"
        );
        if (RankTests.IsLong)
        {
            Assert.True(took < TimeSpan.FromSeconds(60), $"the launcher waited for {took}");
        }

        Assert.NotEqual(0, process.ExitCode);
        string words = await output + await error;
        Assert.Contains("Rank 1 has not been heard of for", words, StringComparison.Ordinal);
        Assert.Contains("It last said that it was in 'step ", words, StringComparison.Ordinal);
        Wait.Until(() => Launcher.RankProcesses(folder).Length == 0, "a rank was left behind");
    }

    [Fact]
    public async Task AHungThread_EndsAllRanksWithinAMinute()
    {
        string folder = workspace["hung"];
        using Process process = StartEndless("mpirun.openmpi", folder);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Wait.Until(() => Directory.Exists(Path.Combine(folder, "checkpoints", "step-00000020")), "no checkpoint came");
        int[] ranks = Launcher.RankProcesses(folder);
        Assert.Equal(2, ranks.Length);

        // As a debugger: stops the first thread of rank 1, the one that trains, and leaves the others running.
        const int Seize = 0x4206;
        const int Interrupt = 0x4207;
        const int AnyChild = 0x40000000;
        const int DoNotHang = 1;
        if (Trace(Seize, ranks[1], 0, 0) != 0)
        {
            process.Kill(entireProcessTree: true);
            Assert.Skip("This system does not let one process trace another (ptrace).");
        }

        Assert.Equal(0, Trace(Interrupt, ranks[1], 0, 0));
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < Wait.LongestRun && !process.HasExited)
        {
            _ = WaitFor(ranks[1], out _, AnyChild | DoNotHang); // a traced process is over only once its tracer has seen it
            Thread.Sleep(100);
        }

        Assert.True(process.HasExited, "the launcher still waits");
        process.WaitForExit();
        Assert.NotEqual(0, process.ExitCode);
        string words = await output + await error;

        // Its own watch tells, or, where the thread stands still inside MPI and holds its lock, rank 0's.
        Assert.Matches(
            "Rank 1 on .* hangs in 'step .*': its thread has not used the processor for|Rank 1 has not "
                + "been heard of for .* in 'step ",
            words
        );
        Assert.DoesNotContain("Rank 0 has not been heard of", words, StringComparison.Ordinal);
        Wait.Until(() => Launcher.RankProcesses(folder).Length == 0, "a rank was left behind");
    }

    [Fact]
    public void ALibraryThatDoesNotClose_HoldsNobodyBack()
    {
        // What MPICH 4.0 over UCX may do after a finished run (docs/reliability.md), every time: MPICH's own library behind an MPI_Finalize that never returns.
        Launcher.SkipWithout("mpirun.mpich");
        Assert.SkipUnless(
            File.Exists("/usr/bin/cc"),
            "a C compiler is needed to make such a library (Debian: apt-get install gcc)"
        );
        string source = workspace["endless.c"];
        string library = workspace["endless.so"];
        File.WriteAllText(source, "#include <unistd.h>\nint MPI_Finalize(void) { for (;;) pause(); }\n");
        using (
            Process compile = Launcher.Start(
                "/usr/bin/cc",
                ["-shared", "-fPIC", "-o", library, source, "-Wl,--no-as-needed", "-l:libmpich.so.12"]
            )
        )
        {
            compile.WaitForExit();
            Assert.Equal(0, compile.ExitCode);
        }

        (int code, string output, string error) = Launcher.Run(
            "mpirun.mpich",
            2,
            [
                "prepare",
                "--input",
                workspace["text"],
                "--tokenizer",
                workspace["tokenizer.json"],
                "--out",
                workspace["not-closed"],
            ],
            ("SALTERN_MPI_LIBRARY", library)
        );
        Assert.True(code == 0, output + error);
        Assert.True(File.Exists(Path.Combine(workspace["not-closed"], "dataset.json")));
    }

    private Process StartEndless(string launcher, string folder) =>
        Launcher.StartRanks(
            launcher,
            2,
            [
                "train",
                workspace["baseline.yaml"],
                "--set",
                "training.steps=100000",
                "training.evaluate_every=50000",
                "--out",
                folder,
            ]
        );

    [LibraryImport("libc", EntryPoint = "ptrace", SetLastError = true)]
    private static partial nint Trace(int request, int process, nint address, nint data);

    [LibraryImport("libc", EntryPoint = "waitpid")]
    private static partial int WaitFor(int process, out int status, int options);
}
