using System.Diagnostics;

namespace Saltern.Cli.Tests;

// A week of training must not end because the disk of its log is full, or a terminal was closed. Each case is a shell's own line.
public class LostStreamTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Theory]
    [InlineData("output-closed", ">&-", "standard output", "it was closed when the program began")]
    [InlineData("output-full", ">/dev/full", "standard output", "No space left on device")]
    [InlineData("output-read-only", "1</dev/null", "standard output", "Bad file descriptor")]
    [InlineData("reader-gone", "| head -n 1 >/dev/null", "standard output", "Broken pipe")]
    [InlineData("error-closed", "2>&-", "", "")]
    [InlineData("both-closed", ">&- 2>&-", "", "it was closed when the program began")]
    [InlineData("all-closed", "<&- >&- 2>&-", "", "it was closed when the program began")]
    [InlineData("both-full", ">/dev/full 2>/dev/full", "", "No space left on device")]
    public void Training_GoesOnWithoutAStream_AndSaysWhich(string name, string redirection, string stream, string why)
    {
        string run = workspace[name];
        (int code, _, string error) = Shell($"{Saltern} train {workspace["baseline.yaml"]} --out {run} {redirection}");
        Assert.True(code == 0, error);
        Assert.True(File.Exists(Path.Combine(run, "result.json")), error);
        string log = Path.Combine(run, "messages.log");
        if (stream.Length > 0)
        {
            Assert.Contains(
                $"{stream} cannot be written: {why}. The work goes on without it.",
                error,
                StringComparison.Ordinal
            );
        }

        if (why.Length == 0)
        {
            Assert.False(File.Exists(log)); // nothing was to be said there
            return;
        }

        string said = File.ReadAllText(log);
        Assert.Contains(why, said, StringComparison.Ordinal);
        Assert.Contains("final loss", said, StringComparison.Ordinal);
    }

    // The number of a closed stream is given to the next file that is opened: nothing may be printed into that.
    [Fact]
    public void WhatIsPrinted_GoesIntoNoFileOfTheRun()
    {
        string whole = workspace["undisturbed"];
        string closed = workspace["all-streams-closed"];
        Require(Shell($"{Saltern} train {workspace["baseline.yaml"]} --out {whole}"));
        Require(Shell($"{Saltern} train {workspace["baseline.yaml"]} --out {closed} <&- >&- 2>&-"));
        foreach (
            string file in Directory.GetFiles(Path.Combine(whole, "checkpoints"), "*", SearchOption.AllDirectories)
        )
        {
            if (Path.GetExtension(file) == ".safetensors")
            {
                string same = Path.Combine(closed, Path.GetRelativePath(whole, file));
                Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(same)), same);
            }
        }
    }

    [Theory]
    [InlineData(
        ">/dev/full",
        1,
        "standard output cannot be written: No space left on device. What the command had to say there is lost."
    )]
    [InlineData(">&-", 1, "standard output cannot be written: it was closed when the program began.")]
    [InlineData("| head -n 1 >/dev/null", 0, "")]
    public void WordsThatAreTheResult_FailWithTheirStream_UnlessNobodyWantsMore(
        string redirection,
        int exit,
        string words
    )
    {
        (int code, _, string error) = Shell($"{Saltern} recipe show core-salt {redirection}");
        Assert.Equal(exit, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        if (words.Length == 0)
        {
            Assert.Equal("", error);
        }
    }

    [Theory]
    [InlineData("prepare", "dataset.json", "--input", "text", "--tokenizer", "tokenizer.json")]
    [InlineData("teach", "manifest.json", "--teacher", "teacher", "--recipe", "salt.yaml")]
    public void OtherWork_GoesOnToo(string verb, string result, params string[] arguments)
    {
        string target = workspace["full-" + verb];
        string line = string.Join(' ', arguments.Select(word => word.StartsWith('-') ? word : workspace[word]));
        (int code, _, string error) = Shell($"{Saltern} {verb} {line} --out {target} >/dev/full");
        Assert.True(code == 0, error);
        Assert.Contains("standard output cannot be written", error, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(target, result)));
    }

    // The terminal is closed: a checkpoint, then the end, as on Ctrl-C; under nohup the work outlives it. The tests themselves may run under nohup.
    [Theory]
    [InlineData("exec env --default-signal=HUP", 130)]
    [InlineData("trap '' HUP; exec", 0)]
    public void AHangUp_EndsAfterACheckpoint_UnlessItIsIgnored(string before, int exit)
    {
        string run = workspace[$"hang-up-{exit}"];
        using Process process = Start(
            $"{before} {Saltern} train {workspace["baseline.yaml"]} --set training.steps=300 "
                + $"training.checkpoint_every=300 training.evaluate_every=300 --out {run}"
        );
        Task<string> said = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Wait.Until(
            () =>
                File.Exists(Path.Combine(run, "metrics.jsonl"))
                && new FileInfo(Path.Combine(run, "metrics.jsonl")).Length > 0,
            "the run began"
        );
        using (Process kill = Process.Start("kill", ["-HUP", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        Assert.True(process.WaitForExit(Wait.LongestRun), "the run did not end");
        Assert.Equal(exit, process.ExitCode);
        Assert.Equal(exit == 0, File.Exists(Path.Combine(run, "result.json")));
        Assert.NotEmpty(Directory.GetDirectories(Path.Combine(run, "checkpoints"), "step-*"));
    }

    private static string Saltern => $"dotnet {SalternProcess.Program}";

    private static Process Start(string line)
    {
        var start = new ProcessStartInfo("bash", ["-c", "set -o pipefail; " + line])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start)!;
    }

    private static (int ExitCode, string Output, string Error) Shell(string line)
    {
        using Process process = Start(line);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        return (process.ExitCode, output, error.Result);
    }

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
