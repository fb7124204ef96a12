using System.Diagnostics;
using Saltern.Files;

namespace Saltern.Cli.Tests;

// Two of the same command at once: what a command finds depends on the other until it holds the lock, so it takes that first, says who has it, and touches nothing.
public class LockTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Theory]
    [InlineData("out/run.lock", "train", "[baseline.yaml]", "--out", "[out]")]
    [InlineData("out/run.lock", "train", "[baseline.yaml]", "--resume", "--out", "[out]")]
    [InlineData("out/run.lock", "finetune", "[ft]", "--out", "[out]")]
    [InlineData("out/teach.lock", "teach", "--teacher", "[teacher]", "--recipe", "[salt.yaml]", "--out", "[out]")]
    [InlineData("out/select.lock", "select", "--scores", "[scores]", "--share", "0.5", "--out", "[out]")]
    [InlineData("out/demo.lock", "demo", "--out", "[out]")]
    [InlineData(
        "out/dataset.lock",
        "prepare",
        "--input",
        "[text]",
        "--tokenizer",
        "[tokenizer.json]",
        "--out",
        "[out]"
    )]
    [InlineData("out.lock", "tokenizer", "train", "--input", "[text]", "--vocab", "300", "--out", "[out]")]
    [InlineData("out.lock", "export", "[teacher]", "--format", "hf", "--out", "[out]")]
    [InlineData("out.lock", "export", "[teacher]", "--format", "gguf", "--out", "[out]")]
    [InlineData("out.lock", "import", "[teacher/checkpoints/step-00000040]", "--out", "[out]")]
    [InlineData("out.lock", "grow", "[teacher]", "--layers", "4", "--out", "[out]")]
    public void TheSecond_IsToldWhoHoldsIt_AndLeavesNothing(string name, params string[] arguments)
    {
        string folder = Directory.CreateTempSubdirectory("saltern-lock-").FullName;
        try
        {
            string path = Path.Combine(folder, name);
            using (FileLock.Take(path, "", ""))
            {
                (int code, string output, string error) = SalternProcess.Run([
                    .. arguments.Select(argument => Named(folder, argument)),
                ]);
                Assert.True(code == 2, output + error);
                Assert.Contains(
                    $"{path} is held by process {Environment.ProcessId} on {Environment.MachineName} since 20",
                    error,
                    StringComparison.Ordinal
                );
                Assert.Equal([path], Directory.GetFiles(folder, "*", SearchOption.AllDirectories));
            }

            Assert.Empty(Directory.GetFileSystemEntries(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The second is started while the first trains: it ends at once, and the first ends as if nothing had been.
    [Fact]
    public void OfTwoResumes_OneTrains_AndAFinishedRunStaysAsItIs()
    {
        string run = workspace["two-resumes"];
        string[] train = ["train", workspace["baseline.yaml"], "--out", run];
        Require(SalternProcess.Run([.. train, "--until", "10"]));
        string[] resume = [.. train, "--resume", "--set", "training.log_every=1"];
        using Process first = SalternProcess.StartQuietly(resume);
        Wait.Until(() => File.Exists(Path.Combine(run, "run.lock")), "the first run began");
        (int code, string output, string error) = SalternProcess.Run(resume);
        first.StandardOutput.ReadToEnd();
        Assert.True(first.WaitForExit(Wait.LongestRun), "the first run did not end");
        Assert.Equal(0, first.ExitCode);
        Assert.Equal(["step-00000050", "step-00000060"], Checkpoints());
        Assert.True(code is 0 or 2, output + error);
        Assert.Contains(
            code == 2 ? "is held by process " : "is finished after step 60",
            error + output,
            StringComparison.Ordinal
        );

        // Afterwards the second may have the folder, and has nothing to do in it.
        Dictionary<string, DateTime> before = Times();
        (code, output, error) = SalternProcess.Run(resume);
        Assert.True(code == 0, output + error);
        Assert.Contains("The run is finished after step 60", output, StringComparison.Ordinal);
        Assert.Equal(before, Times());

        (code, _, error) = SalternProcess.Run([.. resume, "seed=77"]);
        Assert.Equal(2, code);
        Assert.Contains("seed from 3 to 77.", error, StringComparison.Ordinal);
        Assert.Equal(before, Times());

        string[] Checkpoints() =>
            [
                .. Directory
                    .GetDirectories(Path.Combine(run, "checkpoints"))
                    .Select(folder => Path.GetFileName(folder))
                    .Order(StringComparer.Ordinal),
            ];

        Dictionary<string, DateTime> Times() =>
            Directory
                .GetFiles(run, "*", SearchOption.AllDirectories)
                .ToDictionary(file => file, File.GetLastWriteTimeUtc);
    }

    [Fact]
    public void OfTwoExportsAtOnce_OneIsMadeWhole()
    {
        string target = workspace["two-exports"];
        string[] export = ["export", workspace["teacher"], "--format", "hf", "--out", target];
        Process[] both = [SalternProcess.Start(export), SalternProcess.Start(export)];
        foreach (Process process in both)
        {
            string said = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
            Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
            Assert.True(
                process.ExitCode == 0
                    || said.Contains("is held by process ", StringComparison.Ordinal)
                    || said.Contains("there is something already", StringComparison.Ordinal),
                said
            );
        }

        Assert.Single(both, process => process.ExitCode == 0);
        Require(SalternProcess.Run("generate", target, "--prompt", "The cat", "--max-tokens", "2"));
        Array.ForEach(both, process => process.Dispose());
    }

    private string Named(string folder, string argument)
    {
        if (!argument.StartsWith('['))
        {
            return argument;
        }

        return argument[1..^1] switch
        {
            "out" => Path.Combine(folder, "out"),
            "ft" => workspace.FineTuneRecipe("locked"),
            string file => workspace[file],
        };
    }

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
