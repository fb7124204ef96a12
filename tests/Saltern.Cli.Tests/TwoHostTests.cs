using System.Diagnostics;

namespace Saltern.Cli.Tests;

// Training over two hosts, with the real launchers and a link that can be cut.
public class TwoHostTests(Workspace workspace) : IClassFixture<Workspace>
{
    private const int Steps = 300;
    private static readonly TimeSpan AllHaveEnded = TimeSpan.FromSeconds(60), LongestRun = TimeSpan.FromMinutes(8);

    [Theory]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public async Task ACutLink_EndsAllWithinAMinute_AndTheRunGoesOnBitForBit(string launcher)
    {
        Assert.SkipWhen(string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SALTERN_TWO_HOSTS")), "Takes minutes, and did not always start its second host: SALTERN_TWO_HOSTS=1 runs it (docs/reliability.md).");
        Assert.SkipUnless((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, launcher))), $"{launcher} is not installed (Debian: apt-get install openmpi-bin mpich)");
        using var hosts = new TwoHosts(Directory.CreateDirectory(workspace["hosts-" + launcher]).FullName);
        string whole = workspace["hosts-whole-" + launcher], cut = workspace["hosts-cut-" + launcher];
        string[] train = ["train", workspace["auto.yaml"], "--set", $"training.steps={Steps}", "training.evaluate_every=150", "training.checkpoint_every=20", "--out"];

        // Undisturbed: trains and saves, over the cable and not past it.
        using (Process undisturbed = hosts.Launch(launcher, [.. train, whole]))
        {
            string said = await Finish(undisturbed, hosts, LongestRun);
            Assert.True(undisturbed.ExitCode == 0, said);
            Assert.Contains("ranks: 2, each with 4 of the batch's 8 sequences", said, StringComparison.Ordinal);
            Assert.Contains("1 on this machine", said, StringComparison.Ordinal);
        }

        long gradients = Steps * new FileInfo(Path.Combine(Last(whole), "model.safetensors")).Length / 2; // all of them, less what the file has besides
        Assert.True(hosts.BytesReceived() > gradients, $"{hosts.BytesReceived()} bytes came over the cable, fewer than the {gradients} of {Steps} steps' gradients");

        using (Process launch = hosts.Launch(launcher, [.. train, cut]))
        {
            Assert.True(SpinWait.SpinUntil(() => launch.HasExited || Directory.Exists(Path.Combine(cut, "checkpoints", "step-00000020")), TimeSpan.FromMinutes(2)), "no checkpoint came");
            hosts.SetLink(up: false);
            long begun = Stopwatch.GetTimestamp();
            string said = await Finish(launch, hosts, AllHaveEnded);
            TestContext.Current.TestOutputHelper?.WriteLine($"{launcher}: all ended {Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s after the link was cut, exit code {launch.ExitCode}");
            Assert.NotEqual(0, launch.ExitCode);
            Assert.False(File.Exists(Path.Combine(cut, "result.json")), "the run was over before the link was cut");

            // Open MPI's launcher may notice before the ranks do.
            Assert.True(said.Contains("Rank 1 has not been heard of for", StringComparison.Ordinal) || said.Contains("ORTE has lost communication with a remote daemon", StringComparison.Ordinal), said);
        }

        hosts.SetLink(up: true);
        using (Process resumed = hosts.Launch(launcher, [.. train, cut, "--resume"]))
        {
            string said = await Finish(resumed, hosts, LongestRun);
            Assert.True(resumed.ExitCode == 0, said);
            Assert.Contains("Resuming", said, StringComparison.Ordinal);
        }

        foreach (string file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            Assert.True(File.ReadAllBytes(Path.Combine(Last(whole), file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(Last(cut), file))), file);
        }
    }

    // Until no process is left on either host.
    private static async Task<string> Finish(Process launch, TwoHosts hosts, TimeSpan limit)
    {
        long begun = Stopwatch.GetTimestamp();
        Task<string> output = launch.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = launch.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        while (!launch.HasExited || hosts.Processes().Length > 0)
        {
            Assert.True(Stopwatch.GetElapsedTime(begun) < limit, $"after {limit} {hosts.Processes().Length} processes are left");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
        }

        return await output + await error;
    }

    private static string Last(string run) => Path.Combine(run, "checkpoints", $"step-{Steps:D8}");
}
