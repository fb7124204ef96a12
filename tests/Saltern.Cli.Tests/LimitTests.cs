using System.Diagnostics;

namespace Saltern.Cli.Tests;

// Limits that a shell or a cluster sets: one error that names the limit, never a stack trace or an abort.
public class LimitTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(255)]
    public void TooFewOpenFiles_AreNamedAtTheStart(int files)
    {
        (int code, string output, string error) = Shell($"ulimit -n {files}; {Saltern} recipe list");
        Assert.Equal(1, code);
        Assert.Equal("", output);
        Assert.Equal($"The limit of open files is {files}; saltern needs at least 256. Raise it (ulimit -n).\n", error);
    }

    [Fact]
    public void TheFewestOpenFiles_AreEnoughForATraining() =>
        Require(Shell($"ulimit -n 256; {Saltern} train {workspace["baseline.yaml"]} --out {workspace["few-files"]}"));

    [Fact]
    public void FilesThatMayNotHoldTheRuntime_AreNamedAtTheStart()
    {
        (int code, _, string error) = Shell($"ulimit -f 40000; {Saltern} recipe list");
        Assert.True(code is 1 or 137 or 139, error); // below some size the runtime itself does not begin
        if (code == 1)
        {
            Assert.Contains("The limit of bytes of a file is 40960000;", error, StringComparison.Ordinal);
        }
    }

    // 1,024-byte blocks: the optimizer's state does not fit, the weights do.
    [Theory]
    [InlineData(48, "A checkpoint's model.safetensors takes ")]
    [InlineData(
        90,
        "cannot be written: File too large: a file of this process may have 92,160 bytes at most. Raise the limit (ulimit -f)."
    )]
    public void FilesThatMayNotHoldACheckpoint_AreNamed(int blocks, string words)
    {
        string run = workspace[$"small-files-{blocks}"];
        (int code, _, string error) = Shell(
            $"ulimit -f {blocks}; DOTNET_EnableWriteXorExecute=0 {Saltern} train {workspace["baseline.yaml"]} --out {run}"
        );
        Assert.True(code is 1 or 2, error);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.Empty(Directory.Exists(run) ? Directory.GetFiles(run, "*.writing", SearchOption.AllDirectories) : []);
    }

    [Theory]
    [InlineData(2_000_000)]
    [InlineData(3_000_000)]
    public void TooLittleAddressSpace_IsNamed(int kibibytes)
    {
        (int code, _, string error) = Shell(
            $"ulimit -v {kibibytes}; {Saltern} train {workspace["baseline.yaml"]} --out {workspace[$"space-{kibibytes}"]}"
        );
        Assert.True(code is 1 or 2, error);
        Assert.Contains("ulimit -v", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    private static string Saltern => $"dotnet {SalternProcess.Program}";

    private static (int ExitCode, string Output, string Error) Shell(string line)
    {
        using Process process = Process.Start(
            new ProcessStartInfo("bash", ["-c", line]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        return (process.ExitCode, output, error.Result);
    }

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
