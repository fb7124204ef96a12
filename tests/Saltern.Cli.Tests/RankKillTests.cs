using System.Diagnostics;
using System.Globalization;

namespace Saltern.Cli.Tests;

// kill -9 of one of the ranks, at random and at a random moment, again and again until the work is done: all end soon, nobody is left, and the bytes are those of an undisturbed run.
// SALTERN_RANK_KILLS sets the kills of each launcher (the suite keeps them few), SALTERN_KILL_SEED ranks and moments.
public class RankKillTests(Workspace workspace) : IClassFixture<Workspace>
{
    private const int KillsInTheSuite = 1;
    private const int FirstSeed = 20_261_126;
    private const int Steps = 60;

    // On a quiet machine, which the long form wants; the suite says what it took.
    private static readonly TimeSpan AllHaveEnded = TimeSpan.FromSeconds(60);
    private readonly int _kills = Setting("SALTERN_RANK_KILLS", KillsInTheSuite);
    private readonly Random _random = new(Setting("SALTERN_KILL_SEED", FirstSeed));

    [Theory]
    [InlineData("mpirun.openmpi", 2)]
    [InlineData("mpirun.mpich", 2)]
    public async Task AKilledRank_EndsAll_AndTheRunGoesOnBitForBit(string launcher, int ranks)
    {
        Launcher.SkipWithout(launcher);
        string whole = workspace["rank-kills-whole-" + launcher];
        string cut = workspace["rank-kills-cut-" + launcher];
        string[] train =
        [
            "train",
            workspace["auto.yaml"],
            "--set",
            $"training.steps={Steps}",
            "training.evaluate_every=20",
            "training.checkpoint_every=2",
            "--out",
        ];
        long begun = Stopwatch.GetTimestamp();
        using (Process undisturbed = Launcher.StartRanks(launcher, ranks, [.. train, whole]))
        {
            string said = await Finish(undisturbed, Wait.LongestRun);
            Assert.True(undisturbed.ExitCode == 0, said);
        }

        TimeSpan usual = Stopwatch.GetElapsedTime(begun);
        TimeSpan longest = TimeSpan.Zero;
        int kills = 0;
        int rounds = 0;
        for (; kills < _kills; rounds++)
        {
            if (Directory.Exists(cut))
            {
                Directory.Delete(cut, recursive: true);
            }

            while (!File.Exists(Path.Combine(cut, "result.json")))
            {
                using Process launch = Launcher.StartRanks(launcher, ranks, [.. train, cut, "--resume"]);
                Task<string> ending = Finish(launch, Wait.LongestRun);
                TimeSpan? took =
                    kills < _kills && await KillOne(launch, cut, ranks, usual) ? await TimeOf(ending) : null;
                string said = await ending;
                if (took is null)
                {
                    Assert.True(launch.ExitCode == 0, said);
                    continue;
                }

                kills++;
                longest = took > longest ? took.Value : longest;
                Assert.True(
                    _kills <= KillsInTheSuite || took < AllHaveEnded,
                    $"after {took} the launcher had not ended"
                );
                Assert.NotEqual(0, launch.ExitCode);
                Assert.Matches(
                    launcher == "mpirun.openmpi" ? "process rank [0-9]+ .*exited on signal 9" : "BAD TERMINATION",
                    said
                );
                Wait.Until(() => Launcher.RankProcesses(cut).Length == 0, "a rank was left behind");
            }

            foreach (string file in new[] { "model.safetensors", "optimizer.safetensors" })
            {
                string path = Path.Combine("checkpoints", $"step-{Steps:D8}", file);
                Assert.True(
                    File.ReadAllBytes(Path.Combine(whole, path))
                        .AsSpan()
                        .SequenceEqual(File.ReadAllBytes(Path.Combine(cut, path))),
                    path
                );
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{launcher}: {kills} kills of one of {ranks} ranks in {rounds} rounds, "
                    + $"all ended within {longest.TotalSeconds:0.0} s, the same bytes after each"
            )
        );
    }

    // False where the work was over first.
    private async Task<bool> KillOne(Process launch, string folder, int ranks, TimeSpan usual)
    {
        while (Launcher.RankProcesses(folder).Length < ranks)
        {
            if (launch.HasExited)
            {
                return false;
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        await Task.Delay(usual * 0.8 * _random.NextDouble(), TestContext.Current.CancellationToken);
        int[] there = Launcher.RankProcesses(folder);
        if (launch.HasExited || there.Length < ranks)
        {
            return false;
        }

        using Process kill = Process.Start("kill", ["-KILL", $"{there[_random.Next(ranks)]}"]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        return kill.ExitCode == 0;
    }

    private static async Task<TimeSpan> TimeOf(Task ending)
    {
        long begun = Stopwatch.GetTimestamp();
        await ending;
        return Stopwatch.GetElapsedTime(begun);
    }

    private static async Task<string> Finish(Process launch, TimeSpan limit)
    {
        Task<string> output = launch.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = launch.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await launch
            .WaitForExitAsync(TestContext.Current.CancellationToken)
            .WaitAsync(limit, TestContext.Current.CancellationToken);
        return await output + await error;
    }

    private static int Setting(string name, int otherwise)
    {
        if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } text)
        {
            return int.Parse(text, CultureInfo.InvariantCulture);
        }

        return otherwise;
    }
}
