using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Saltern.Cli.Tests;

// The program under real launchers: several processes, as on a cluster.
public partial class RankTests(Workspace workspace) : IClassFixture<Workspace>
{
    // A step's loss is a float32 sum over other partial sums; 50 steps of a tiny model amplify its rounding little.
    private const double Tolerance = 1e-5;

    public static MatrixTheoryData<string, int, string, bool> WholeMatrix =>
        new(["mpirun.openmpi", "mpirun.mpich"], [2, 4], ["baseline", "auto", "cached"], [false, true]);

    // A minute is what a quiet machine needs at most: the long form holds it, the suite says what it took.
    internal static bool IsLong => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SALTERN_RANK_MATRIX"));

    // docs/cluster.md has its result; the suite has the cases of the theory below, in which each value of each column occurs.
    [Theory]
    [MemberData(nameof(WholeMatrix))]
    public void EveryKindOfTraining_OnTwoAndFourRanks(string launcher, int ranks, string recipe, bool shardsState)
    {
        Assert.SkipWhen(!IsLong, "Takes minutes: SALTERN_RANK_MATRIX=1 runs it.");
        SeveralRanks_TrainWhatOneDoes(launcher, ranks, recipe, shardsState);
    }

    [Theory]
    [InlineData("mpirun.openmpi", 3, "auto", false)]
    [InlineData("mpirun.openmpi", 4, "baseline", true)]
    [InlineData("mpirun.mpich", 2, "auto", true)]
    [InlineData("mpirun.openmpi", 2, "cached", true)]
    public void SeveralRanks_TrainWhatOneDoes(string launcher, int ranks, string recipe, bool shardsState) =>
        Compare(launcher, ranks, recipe, shardsState, shardsGradients: false);

    [Theory]
    [InlineData("mpirun.openmpi", 2, "auto")]
    [InlineData("mpirun.mpich", 3, "baseline")]
    public void RanksThatShareGradients_TrainWhatOneDoes(string launcher, int ranks, string recipe) =>
        Compare(launcher, ranks, recipe, shardsState: true, shardsGradients: true);

    private void Compare(string launcher, int ranks, string recipe, bool shardsState, bool shardsGradients)
    {
        Launcher.SkipWithout(launcher);
        if (recipe == "cached")
        {
            // Every rank reads the soft labels of its own samples.
            if (!Directory.Exists(workspace["teach-ranks"]))
            {
                Require(
                    SalternProcess.Run(
                        "teach",
                        "--teacher",
                        workspace["teacher"],
                        "--recipe",
                        workspace["auto.yaml"],
                        "--stage1-only",
                        "--out",
                        workspace["teach-ranks"]
                    )
                );
            }

            File.WriteAllText(
                workspace["cached.yaml"],
                File.ReadAllText(workspace["auto.yaml"])
                    .Replace(
                        $"path: {workspace["teacher"]} }}",
                        $"cache: {workspace["teach-ranks"]} }}",
                        StringComparison.Ordinal
                    )
            );
        }

        string one = workspace["one-" + recipe];
        string several = workspace[$"several-{launcher}-{ranks}-{recipe}-{shardsState}-{shardsGradients}"];
        string[] train = ["train", workspace[recipe + ".yaml"], "--set", "training.log_every=1", "--out"];
        if (!Directory.Exists(one))
        {
            Require(SalternProcess.Run([.. train, one]));
        }

        if (Directory.Exists(several))
        {
            Directory.Delete(several, recursive: true); // some cases are in the matrix and in the suite
        }

        (int code, string output, string error) = Launcher.Run(
            launcher,
            ranks,
            [
                .. train,
                several,
                "--set",
                $"optimizer.shard_state={shardsState}".ToLowerInvariant(),
                "--set",
                $"optimizer.shard_gradients={shardsGradients}".ToLowerInvariant(),
            ]
        ); // ends with an error at a checkpoint where the ranks' weights differ in one bit
        Assert.True(code == 0, output + error);
        Assert.Equal(shardsState, output.Contains("MiB a rank, sharded", StringComparison.Ordinal));
        Dictionary<(int Step, string Name), double> expected = Metrics(one);
        Dictionary<(int Step, string Name), double> found = Metrics(several);
        Assert.Equal(60, expected.Keys.Count(key => key.Name == "train/loss"));
        Assert.Equal(expected.Keys.Order(), found.Keys.Order());
        foreach (
            ((int Step, string Name) key, double value) in expected.Where(figure =>
                figure.Key.Name
                    is "samples"
                        or "tokens"
                        or "cost/flops"
                        or "train/loss"
                        or "train/gap"
                        or "train/weight"
                        or "valid/loss"
                        or "train/gradient_norm"
            )
        )
        {
            Assert.True(
                Math.Abs(found[key] - value) <= Tolerance * Math.Abs(value),
                $"{key}: {value} on one rank, {found[key]} on {ranks}"
            );
        }
    }

    [Fact]
    public void CheckpointsGoFromOneRankToTwoToFourAndBack()
    {
        string whole = workspace["ranks-whole"];
        string moved = workspace["ranks-moved"];
        string[] train =
        [
            "train",
            workspace["auto.yaml"],
            "--set",
            "training.keep_every=10",
            "--set",
            "optimizer.shard_state=true",
            "--out",
        ];
        Require(SalternProcess.Run([.. train, whole]));
        Require(SalternProcess.Run([.. train, moved]));
        ForgetAfter(moved, 20);
        (int code, string output, string error) = Launcher.Run("mpirun.openmpi", 2, [.. train, moved, "--resume"]);
        Assert.True(code == 0, output + error);
        Assert.Contains("computed by 1 ranks so far and goes on with 2", output, StringComparison.Ordinal);
        ForgetAfter(moved, 30);
        Require(Launcher.Run("mpirun.openmpi", 4, [.. train, moved, "--resume"]));
        ForgetAfter(moved, 40);
        Require(SalternProcess.Run([.. train, moved, "--resume"]));
        Dictionary<(int Step, string Name), double> expected = Metrics(whole);
        Dictionary<(int Step, string Name), double> found = Metrics(moved);
        Assert.Equal(expected.Keys.Order(), found.Keys.Order());
        Assert.All(
            expected.Where(figure => figure.Key.Name is "train/loss" or "valid/loss"),
            figure =>
                Assert.True(Math.Abs(found[figure.Key] - figure.Value) <= Tolerance * figure.Value, $"{figure.Key}")
        );
        Assert.Equal(60 * 8, found[(60, "samples")]);
    }

    [Fact]
    public void MistakesUnderALauncher_EndAllRanksWithTheReason()
    {
        (int code, string output, string error) = Launcher.Run(
            "mpirun.openmpi",
            2,
            [
                "train",
                workspace["baseline.yaml"],
                "--set",
                "training.batch_sequences=1",
                "--out",
                workspace["too-small"],
            ]
        );
        Assert.Equal(2, code);
        Assert.Contains(
            "training.batch_sequences = 1 is less than the 2 ranks",
            output + error,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(workspace["too-small"]));

        (code, output, error) = Launcher.Run("mpirun.openmpi", 2, ["generate", workspace["teacher"]]);
        Assert.NotEqual(0, code);
        Assert.Contains(
            "'generate' runs in one. Across ranks work: prepare, teach, train, eval.",
            output + error,
            StringComparison.Ordinal
        );

        // One infinite weight: every rank skips the same steps and stops.
        (code, output, error) = Launcher.Run(
            "mpirun.openmpi",
            2,
            [
                "train",
                workspace["teacher.yaml"],
                "--set",
                "init_from=" + InfiniteModel(),
                "--out",
                workspace["infinite"],
            ]
        );
        Assert.Equal(1, code);
        Assert.Contains("infinite", output + error, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("mpirun.openmpi", "libmpich.so.12", "of the other family")]
    [InlineData("mpirun.mpich", "libmpi.so.40", "of the other family")]
    public void ALibraryOfTheOtherFamily_IsRefused(string launcher, string library, string expected)
    {
        (int code, string output, string error) = Launcher.Run(
            launcher,
            2,
            ["train", workspace["baseline.yaml"], "--out", workspace["wrong-library"]],
            ("SALTERN_MPI_LIBRARY", library)
        );
        Assert.NotEqual(0, code);
        Assert.Contains(expected, output + error, StringComparison.Ordinal);
    }

    [Fact]
    public void Bench_TimesWhatTheRanksSayToEachOther_AndWritesWhatAPlanReads()
    {
        (int code, string output, string error) = Launcher.Run("mpirun.mpich", 2, ["bench", "--ranks"]);
        Assert.True(code == 0, output + error);
        Assert.Matches("(?m)^ +16,777,216 ( +[0-9.]+ us){3}$", output);
        Match[] keys = [.. PlannedKey().Matches(output).Cast<Match>()];
        Assert.Equal(
            ["ranks", "network_gbit", "network_latency_us", "network_algorithm"],
            keys.Select(key => key.Groups["name"].Value)
        );
        File.WriteAllLines(
            workspace["measured.yaml"],
            ["name: measured", "peak_flops: 1.0e+11", .. keys.Select(key => key.Value)]
        );
        (code, output, error) = SalternProcess.Run(
            "plan",
            workspace["baseline.yaml"],
            "--cluster",
            workspace["measured.yaml"],
            "--seconds",
            "0"
        );
        Assert.True(code == 0, output + error);
    }

    [Fact]
    public void ALauncherThatTheLibraryDoesNotKnow_IsNoticed()
    {
        Launcher.SkipWithout("mpirun.openmpi");

        // As 'srun' without an interface that the library speaks: each process is a world of its own.
        using Process process = Launcher.Start(
            "dotnet",
            [SalternProcess.Program, "train", workspace["baseline.yaml"], "--out", workspace["alone"]],
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("SLURM_PROCID", "0")
        );
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.NotEqual(0, process.ExitCode);
        Assert.Contains("srun started 2 processes, but for the MPI library", error, StringComparison.Ordinal);
        Assert.Contains("there are 1", error, StringComparison.Ordinal);
    }

    [GeneratedRegex("(?m)^(?<name>ranks|network_[a-z_]+): [a-z0-9.]+$")]
    private static partial Regex PlannedKey();

    private string InfiniteModel()
    {
        string folder = Directory.CreateDirectory(workspace["infinite-model"]).FullName;
        foreach (string file in new[] { "config.json", "tokenizer.json", "model.safetensors" })
        {
            File.Copy(
                Path.Combine(workspace["teacher"], "checkpoints", "step-00000040", file),
                Path.Combine(folder, file)
            );
        }

        using FileStream weights = File.Open(Path.Combine(folder, "model.safetensors"), FileMode.Open);
        weights.Seek(-sizeof(float), SeekOrigin.End);
        weights.Write(BitConverter.GetBytes(float.PositiveInfinity));
        return folder;
    }

    private static void ForgetAfter(string run, int step)
    {
        foreach (
            string checkpoint in Directory
                .GetDirectories(Path.Combine(run, "checkpoints"))
                .Where(path => int.Parse(path[^8..], System.Globalization.CultureInfo.InvariantCulture) > step)
        )
        {
            Directory.Delete(checkpoint, recursive: true);
        }
    }

    private static Dictionary<(int Step, string Name), double> Metrics(string run) =>
        File.ReadLines(Path.Combine(run, "metrics.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .SelectMany(line =>
                line.EnumerateObject()
                    .Where(figure => figure.Value.ValueKind == JsonValueKind.Number && figure.Name != "step")
                    .Select(figure => ((line.GetProperty("step").GetInt32(), figure.Name), figure.Value.GetDouble()))
            )
            .GroupBy(figure => figure.Item1)
            .ToDictionary(group => group.Key, group => group.Last().Item2);

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
