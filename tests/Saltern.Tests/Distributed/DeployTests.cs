using System.Diagnostics;
using YamlDotNet.Serialization;

namespace Saltern.Tests.Distributed;

/// <summary>What deploy/ tells a cluster to run.</summary>
public class DeployTests
{
    private static readonly string Folder = Path.Combine(RepositoryFolder.Path, "deploy");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheBatchScript_GoesOnWhereThereIsACheckpoint(bool hasCheckpoint)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["srun"], "#!/bin/bash\nprintf '%s\\n' \"$@\"\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(
                folder["srun"],
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            );
        }

        if (hasCheckpoint)
        {
            Directory.CreateDirectory(folder["runs/core-salt/checkpoints"]);
        }

        (int code, string output) = Run(folder, "recipes/core-salt.yaml", "--set", "threads=2");
        Assert.Equal(0, code);
        string[] resume = hasCheckpoint ? ["--resume"] : [];
        Assert.Equal(
            ["saltern", "train", "recipes/core-salt.yaml", "--out", "runs/core-salt", .. resume, "--set", "threads=2"],
            output.TrimEnd().Split('\n').SkipWhile(word => word.StartsWith('-'))
        );
    }

    [Fact]
    public void TheBatchScriptWithoutARecipe_SaysWhatItTakes()
    {
        using var folder = new TemporaryFolder();
        (int code, string output) = Run(folder);
        Assert.NotEqual(0, code);
        Assert.Contains("usage: sbatch saltern.sbatch RECIPE", output, StringComparison.Ordinal);
    }

    [Fact]
    public void TheJob_RunsARecipeThatShips()
    {
        var job =
            (IDictionary<object, object>)
                new DeserializerBuilder()
                    .Build()
                    .Deserialize(new StringReader(File.ReadAllText(Path.Combine(Folder, "mpijob.yaml"))))!;
        Assert.Equal(("kubeflow.org/v2beta1", "MPIJob"), (job["apiVersion"], job["kind"]));
        var launcher =
            (IDictionary<object, object>)
                ((IList<object>)At(job, "spec", "mpiReplicaSpecs", "Launcher", "template", "spec")["containers"])[0];
        string command = (string)((IList<object>)launcher["args"])[0];
        Assert.Contains(
            "mpirun -np " + At(job, "spec", "mpiReplicaSpecs", "Worker")["replicas"],
            command,
            StringComparison.Ordinal
        );
        string recipe = command.Split(' ').Single(word => word.StartsWith("recipes/", StringComparison.Ordinal));
        Assert.True(File.Exists(Path.Combine(RepositoryFolder.Path, recipe)), recipe);
    }

    private static IDictionary<object, object> At(IDictionary<object, object> map, params string[] keys) =>
        keys.Aggregate(map, (part, key) => (IDictionary<object, object>)part[key]);

    private static (int ExitCode, string Output) Run(TemporaryFolder folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("bash", [Path.Combine(Folder, "saltern.sbatch"), .. arguments])
        {
            WorkingDirectory = folder[""],
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = folder[""] + ":" + Environment.GetEnvironmentVariable("PATH");
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }
}
