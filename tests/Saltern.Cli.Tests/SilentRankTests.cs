using System.Diagnostics;
using System.Globalization;
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
        // Where the machine is busy, one rank may end so much later than the other that its library finds it gone and tells the launcher
        // (docs/reliability.md); the work is whole all the same. Three times in a row that is no accident.
        string library = EndlessLibrary("endless");
        string said = "";
        for (int attempt = 0; attempt < 3; attempt++)
        {
            string name = $"not-closed-{attempt}";
            (int code, string output, string error) = Launcher.Run(
                "mpirun.mpich",
                2,
                Prepare(name),
                ("SALTERN_MPI_LIBRARY", library)
            );
            Assert.True(File.Exists(Path.Combine(workspace[name], "dataset.json")), output + error);
            if (code == 0)
            {
                return;
            }

            said += output + error;
        }

        Assert.Fail(said);
    }

    // A launcher that sees one rank end without its library hangs up on the other one.
    [Theory]
    [InlineData("HUP")]
    [InlineData("TERM")]
    public async Task ASignalWhileTheLibraryCloses_LeavesTheExitCodeOfTheWork(string signal)
    {
        string name = "signalled-" + signal;
        using Process process = Launcher.StartRanks(
            "mpirun.mpich",
            2,
            Prepare(name),
            ("SALTERN_MPI_LIBRARY", EndlessLibrary(name))
        );
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        int[] closing = [];
        Wait.Until(() => (closing = Closing(name)).Length == 2 || process.HasExited, "the library was never closed");
        foreach (int rank in closing)
        {
            using Process kill = Process.Start("kill", ["-" + signal, $"{rank}"]);
            kill.WaitForExit();
        }

        Assert.True(process.WaitForExit(Wait.LongestRun), "the launcher did not end");
        Assert.True(process.ExitCode == 0, await output + await error);
    }

    private string[] Prepare(string name) =>
        ["prepare", "--input", workspace["text"], "--tokenizer", workspace["tokenizer.json"], "--out", workspace[name]];

    private int[] Closing(string name) =>
        [
            .. Directory
                .GetFiles(workspace.Folder, name + ".closing.*")
                .Select(file => int.Parse(Path.GetExtension(file)[1..], CultureInfo.InvariantCulture)),
        ];

    // What MPICH 4.0 over UCX may do after a finished run (docs/reliability.md), every time: MPICH's own library behind an MPI_Finalize that never returns.
    // It says that it was called by a file NAME.closing.PROCESS.
    private string EndlessLibrary(string name)
    {
        Launcher.SkipWithout("mpirun.mpich");
        Assert.SkipUnless(
            File.Exists("/usr/bin/cc"),
            "a C compiler is needed to make such a library (Debian: apt-get install gcc)"
        );
        string source = workspace[name + ".c"];
        string library = workspace[name + ".so"];
        File.WriteAllText(
            source,
            $$"""
            #include <stdio.h>
            #include <unistd.h>
            int MPI_Finalize(void) {
                char mark[4096];
                snprintf(mark, sizeof mark, "{{workspace[name]}}.closing.%d", (int)getpid());
                fclose(fopen(mark, "w"));
                for (;;) pause();
            }
            """
        );
        using Process compile = Launcher.Start(
            "/usr/bin/cc",
            ["-shared", "-fPIC", "-o", library, source, "-Wl,--no-as-needed", "-l:libmpich.so.12"]
        );
        compile.WaitForExit();
        Assert.Equal(0, compile.ExitCode);
        return library;
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
