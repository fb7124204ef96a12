using System.Diagnostics;

namespace Saltern.Cli.Tests;

// Training over two hosts, with the real launchers and a link that can be cut. Nothing here can wait for ever: what has not ended in time is killed with its hosts.
public class TwoHostTests(Workspace workspace) : IClassFixture<Workspace>
{
    // Enough that the link is cut long before the end, few enough for a busy machine, where ranks that poll wait for each other's turn in each of the seven calls of a step.
    private const int Steps = 80;
    private const int FirstCheckpoint = 5;
    private const int HardLimitMilliseconds = 15 * 60 * 1_000;
    private static readonly TimeSpan AllHaveEnded = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan OutputHasCome = TimeSpan.FromSeconds(10);

    [Theory(Timeout = HardLimitMilliseconds)]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public async Task ACutLink_EndsAllWithinAMinute_AndTheRunGoesOnBitForBit(string launcher)
    {
        Assert.SkipWhen(
            string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SALTERN_TWO_HOSTS")),
            "Takes a minute a launcher, and several on a busy machine: SALTERN_TWO_HOSTS=1 runs it (docs/reliability.md)."
        );
        Launcher.SkipWithout(launcher);
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using var hosts = new TwoHosts(Directory.CreateDirectory(workspace["hosts-" + launcher]).FullName);
        string whole = workspace["hosts-whole-" + launcher];
        string cut = workspace["hosts-cut-" + launcher];
        string[] train =
        [
            "train",
            workspace["auto.yaml"],
            "--set",
            $"training.steps={Steps}",
            $"training.evaluate_every={Steps / 2}",
            $"training.checkpoint_every={FirstCheckpoint}",
            "--out",
        ];

        // Undisturbed: trains and saves, over the cable and not past it.
        using (Process undisturbed = hosts.Launch(launcher, [.. train, whole]))
        {
            string said = await Finish(undisturbed, hosts, LongestRun, cancellation);
            Assert.True(undisturbed.ExitCode == 0, said);
            Assert.Contains("ranks: 2, each with 4 of the batch's 8 sequences", said, StringComparison.Ordinal);
            Assert.Contains("1 on this machine", said, StringComparison.Ordinal);
        }

        // All of them, less what the file has besides.
        long gradients = Steps * new FileInfo(Path.Combine(Last(whole), "model.safetensors")).Length / 2;
        Assert.True(
            hosts.BytesReceived() > gradients,
            $"{hosts.BytesReceived()} bytes came over the cable, fewer than the {gradients} of {Steps} steps' gradients"
        );

        using (Process launch = hosts.Launch(launcher, [.. train, cut]))
        {
            await FirstCheckpointOf(cut, launch, cancellation);
            hosts.SetLink(up: false);
            long begun = Stopwatch.GetTimestamp();
            string said = await Finish(launch, hosts, AllHaveEnded, cancellation);
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{launcher}: all ended {Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s after the link "
                    + $"was cut, exit code {launch.ExitCode}"
            );
            Assert.NotEqual(0, launch.ExitCode);
            Assert.False(File.Exists(Path.Combine(cut, "result.json")), "the run was over before the link was cut");

            // Open MPI's launcher may notice before the ranks do.
            Assert.True(
                said.Contains("Rank 1 has not been heard of for", StringComparison.Ordinal)
                    || said.Contains("ORTE has lost communication with a remote daemon", StringComparison.Ordinal),
                said
            );
        }

        hosts.SetLink(up: true);
        using (Process resumed = hosts.Launch(launcher, [.. train, cut, "--resume"]))
        {
            string said = await Finish(resumed, hosts, LongestRun, cancellation);
            Assert.True(resumed.ExitCode == 0, said);
            Assert.Contains("Resuming", said, StringComparison.Ordinal);
        }

        foreach (string file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(Last(whole), file))
                    .AsSpan()
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(Last(cut), file))),
                file
            );
        }
    }

    private static async Task FirstCheckpointOf(string run, Process launch, CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        while (!launch.HasExited && !Directory.Exists(Path.Combine(run, "checkpoints", $"step-{FirstCheckpoint:D8}")))
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < LongestRun, $"no checkpoint came within {LongestRun}");
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellation);
        }
    }

    // Until no process is left on either host; where that takes too long, what was said until then is in the error.
    private static async Task<string> Finish(
        Process launch,
        TwoHosts hosts,
        TimeSpan limit,
        CancellationToken cancellation
    )
    {
        long begun = Stopwatch.GetTimestamp();
        Task<string> output = launch.StandardOutput.ReadToEndAsync(cancellation);
        Task<string> error = launch.StandardError.ReadToEndAsync(cancellation);
        int[] left = hosts.Processes();
        while (!launch.HasExited || left.Length > 0)
        {
            if (Stopwatch.GetElapsedTime(begun) > limit)
            {
                string processes = hosts.Left();
                hosts.EndAll();
                string[] said = await Task.WhenAll(output, error).WaitAsync(OutputHasCome, cancellation);
                Assert.Fail(
                    $"after {limit} {left.Length} processes were left:\n{processes}\nUntil then: {string.Concat(said)}"
                );
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellation);
            left = hosts.Processes();
        }

        return string.Concat(await Task.WhenAll(output, error).WaitAsync(OutputHasCome, cancellation));
    }

    private static string Last(string run) => Path.Combine(run, "checkpoints", $"step-{Steps:D8}");
}
