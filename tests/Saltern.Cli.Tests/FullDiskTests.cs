using Saltern.RunFiles;

namespace Saltern.Cli.Tests;

// A disk that is full, and one that cannot be written: a clear error, what was whole stays whole, no half file, and the same command goes on once there is room.
public class FullDiskTests(Workspace workspace) : IClassFixture<Workspace>
{
    private const string NoSpace = "No space left on device";
    private const string ReadOnly = "Read-only file system";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Training_EndsWithTheReason_AndGoesOnFromTheLastCheckpoint(bool inBackground)
    {
        using var disk = new SmallDisk(workspace[$"disk-train-{inBackground}"]);
        string run = disk["run"];
        string whole = workspace[$"disk-whole-{inBackground}"];
        string[] train =
        [
            "train",
            workspace["auto.yaml"],
            "--set",
            "training.checkpoint_every=2",
            "training.keep_every=2",
            $"training.checkpoint_in_background={(inBackground ? "true" : "false")}",
            "--out",
        ];
        Require(SalternProcess.Run([.. train, whole]));
        disk.Leave(2_000_000); // a few checkpoints
        (int code, string output, string error) = SalternProcess.Run([.. train, run]);
        Assert.Equal(1, code);
        Assert.Contains("cannot be written: " + NoSpace, error, StringComparison.Ordinal);
        Assert.Contains("The last good checkpoint is ", error, StringComparison.Ordinal);
        Assert.Contains("go on with --resume", error, StringComparison.Ordinal);
        AssertNoHalves(run);
        int kept = Directory.GetDirectories(Path.Combine(run, "checkpoints")).Length;
        Assert.True(kept >= 2, $"{kept} checkpoints: the disk was full before there was anything to lose");

        // Still full: still the reason, and nothing is lost by trying.
        (code, _, error) = SalternProcess.Run([.. train, run, "--resume"]);
        Assert.Equal(1, code);
        Assert.Contains(NoSpace, error, StringComparison.Ordinal);
        AssertNoHalves(run);
        Assert.Equal(kept, Directory.GetDirectories(Path.Combine(run, "checkpoints")).Length);

        disk.SetReadOnly(true);
        Refused(ReadOnly, [.. train, run, "--resume"]);
        Refused(ReadOnly, [.. train, disk["other"]]);
        disk.SetReadOnly(false);

        disk.Empty();
        (code, output, error) = SalternProcess.Run([.. train, run, "--resume"]);
        Assert.True(code == 0, output + error);
        Assert.DoesNotContain("passed over", output, StringComparison.Ordinal);
        string last = Path.Combine("checkpoints", "step-00000060", "model.safetensors");
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole, last)), File.ReadAllBytes(Path.Combine(run, last)));
    }

    // The log is written at every step, so it may be what the disk refuses first.
    [Fact]
    public void ALogThatDoesNotFit_EndsWithTheReason_AndGoesOn()
    {
        using var disk = new SmallDisk(workspace["disk-log"]);
        string run = disk["run"];
        string[] train =
        [
            "train",
            workspace["auto.yaml"],
            "--set",
            "training.checkpoint_every=60",
            "training.log_every=1",
            "--out",
            run,
        ];
        disk.Leave(24_000); // the recipe and some lines
        (int code, string output, string error) = SalternProcess.Run(train);
        Assert.Equal(1, code);
        Assert.Contains($"The log of the run in {run} cannot be written: {NoSpace}", error, StringComparison.Ordinal);
        Assert.Contains("There is no checkpoint yet.", error, StringComparison.Ordinal);
        Assert.Contains("go on with --resume", error, StringComparison.Ordinal);

        disk.Empty();
        Require(SalternProcess.Run([.. train, "--resume"]));
        Assert.Equal(Enumerable.Range(1, 60), RunRecord.Load(run).Metrics.Steps);
    }

    [Fact]
    public void ATeachersPass_EndsWithTheReason_AndGoesOn()
    {
        using var disk = new SmallDisk(workspace["disk-teach"]);
        string pass = disk["pass"];
        string whole = workspace["disk-teach-whole"];
        string[] teach = ["teach", "--teacher", workspace["teacher"], "--recipe", workspace["auto.yaml"], "--out"];
        Require(SalternProcess.Run([.. teach, whole]));
        string[] shards = [.. Directory.GetFiles(Path.Combine(whole, "shards")).Order(StringComparer.Ordinal)];
        Assert.True(shards.Length >= 3);
        disk.Leave(new FileInfo(shards[0]).Length + new FileInfo(shards[1]).Length + 100_000); // the third does not fit
        Refused(NoSpace, [.. teach, pass]);
        AssertNoHalves(pass);
        Assert.Equal(2, Directory.GetFiles(Path.Combine(pass, "shards")).Length);
        disk.SetReadOnly(true);
        Refused(ReadOnly, [.. teach, pass]);
        Refused(ReadOnly, [.. teach, disk["other"]]);
        disk.SetReadOnly(false);

        disk.Empty();
        (int code, string output, string error) = SalternProcess.Run([.. teach, pass]);
        Assert.True(code == 0, output + error);
        Assert.Contains("of an interrupted pass were kept", output, StringComparison.Ordinal);
        Assert.All(
            shards,
            shard =>
                Assert.True(
                    File.ReadAllBytes(shard)
                        .AsSpan(72)
                        .SequenceEqual(
                            File.ReadAllBytes(Path.Combine(pass, "shards", Path.GetFileName(shard))).AsSpan(72)
                        ),
                    shard
                )
        ); // but for the seconds in the header
    }

    [Fact]
    public void Preparing_EndsWithTheReason_AndLeavesNothingThatLooksWhole()
    {
        using var disk = new SmallDisk(workspace["disk-prepare"]);
        string data = disk["data"];
        string[] prepare =
        [
            "prepare",
            "--input",
            workspace["text"],
            "--tokenizer",
            workspace["tokenizer.json"],
            "--valid-percent",
            "15",
            "--out",
        ];
        disk.Leave(100_000);
        Refused(NoSpace, [.. prepare, data]);
        Assert.False(File.Exists(Path.Combine(data, "dataset.json")));
        AssertNoHalves(data);
        disk.SetReadOnly(true);
        Refused(ReadOnly, [.. prepare, data]);
        Refused(ReadOnly, [.. prepare, disk["other"]]);
        disk.SetReadOnly(false);

        disk.Empty();
        Require(SalternProcess.Run([.. prepare, data]));
        foreach (
            string file in Directory
                .GetFiles(workspace["data"], "*", SearchOption.AllDirectories)
                .Where(file => !file.EndsWith("dataset.verified.json", StringComparison.Ordinal))
        )
        {
            Assert.Equal(
                File.ReadAllBytes(file),
                File.ReadAllBytes(Path.Combine(data, Path.GetRelativePath(workspace["data"], file)))
            );
        }
    }

    private static void Refused(string reason, string[] arguments)
    {
        (int code, string output, string error) = SalternProcess.Run(arguments);
        Assert.True(code is 1 or 2, $"ended with {code}: {output}{error}");
        Assert.Contains(reason, error, StringComparison.Ordinal);
        Assert.Contains(arguments[^1] == "--resume" ? arguments[^2] : arguments[^1], error, StringComparison.Ordinal); // the place is named
        Assert.DoesNotContain("defect in Saltern", error, StringComparison.Ordinal);
    }

    private static void AssertNoHalves(string folder) =>
        Assert.DoesNotContain(
            Directory.Exists(folder) ? Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories) : [],
            entry =>
                entry.Contains(".writing", StringComparison.Ordinal)
                || entry.EndsWith(".partial", StringComparison.Ordinal)
        );

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
