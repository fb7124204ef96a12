using System.Diagnostics;
using System.Globalization;

namespace Saltern.Cli.Tests;

// Commands that need no tensor start without libtorch: it takes half a second and 400 MB, and is the one library that a machine may lack.
public class NoLibtorchTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Theory]
    [InlineData("--version")]
    [InlineData("--help")]
    [InlineData("completion bash")]
    [InlineData("recipe list")]
    [InlineData("recipe show core-salt --resolved")]
    [InlineData("recipe check core-salt")]
    [InlineData("recipe check studies/core-salt-study")]
    [InlineData("recipe check finetune-arithmetic")]
    [InlineData("recipe schema")]
    [InlineData("tokenizer show {tokenizer.json} --text abc")]
    [InlineData("tokenizer train --input {text} --vocab 300 --out {maps-tokenizer.json}")]
    [InlineData("prepare --input {text} --tokenizer {tokenizer.json} --out {maps-data} --valid-percent 15")]
    [InlineData("compare {maps-run} --baseline {teacher} --report {maps-report.html} --picture {maps.svg}")]
    public void NothingOfLibtorch_IsMapped(string command)
    {
        CopyTeacher();
        using var maps = new MappedLibraries();
        string[] arguments = [.. command.Split(' ').Select(InWorkspace)];
        using Process process = maps.Start("dotnet", [SalternProcess.Program, .. arguments]);
        AssertDone(process);
        Assert.Empty(maps.Torch(1));
    }

    [Fact]
    public async Task NothingOfLibtorch_IsMapped_WhileRunsAreWatched()
    {
        CopyTeacher();
        using var maps = new MappedLibraries();
        using Process process = maps.Start(
            "dotnet",
            [SalternProcess.Program, "watch", workspace["maps-run"], "--port", "0"]
        );
        string line = process.StandardOutput.ReadLine()!;
        using (var browser = new HttpClient())
        {
            var address = new Uri(line[line.IndexOf("http", StringComparison.Ordinal)..]);
            string page = await browser.GetStringAsync(address, TestContext.Current.CancellationToken);
            Assert.Contains("teacher", page, StringComparison.Ordinal);
        }

        using (Process signal = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            signal.WaitForExit();
        }

        AssertDone(process);
        Assert.Empty(maps.Torch(1));
    }

    [Theory]
    [InlineData("mpirun.openmpi")]
    [InlineData("mpirun.mpich")]
    public void NothingOfLibtorch_IsMapped_WhereRanksPrepare(string launcher)
    {
        using var maps = new MappedLibraries();
        (int code, string output, string error) = Launcher.Run(
            launcher,
            2,
            [
                "prepare",
                "--input",
                workspace["text"],
                "--tokenizer",
                workspace["tokenizer.json"],
                "--out",
                workspace["maps-" + launcher],
            ],
            maps.Variables
        );
        Assert.True(code == 0, output + error);
        Assert.Empty(maps.Torch(2));
    }

    // What the others are held to finds libtorch where it is.
    [Fact]
    public void LibtorchIsSeen_WhereAModelIsMeasured()
    {
        using var maps = new MappedLibraries();
        using Process process = maps.Start("dotnet", [SalternProcess.Program, "eval", workspace["teacher"]]);
        AssertDone(process);
        Assert.Contains(maps.Torch(1), name => name.StartsWith("libtorch", StringComparison.Ordinal));
    }

    private string InWorkspace(string argument)
    {
        if (argument is ['{', .. string name, '}'])
        {
            return workspace[name];
        }

        return argument;
    }

    private void CopyTeacher()
    {
        if (Directory.Exists(workspace["maps-run"]))
        {
            return;
        }

        Directory.CreateDirectory(workspace["maps-run"]);
        foreach (string file in Directory.GetFiles(workspace["teacher"]))
        {
            File.Copy(file, Path.Combine(workspace["maps-run"], Path.GetFileName(file)));
        }

        string documents = Path.Combine(workspace["maps-run"], "eval", "documents.jsonl");
        Directory.CreateDirectory(Path.Combine(workspace["maps-run"], "eval"));
        File.Copy(Path.Combine(workspace["teacher"], "eval", "documents.jsonl"), documents);
    }

    private static void AssertDone(Process process)
    {
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        Assert.True(process.ExitCode == 0, output + error.Result);
    }
}
