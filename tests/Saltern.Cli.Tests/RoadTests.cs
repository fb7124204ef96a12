using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Cli.Tests;

// The commands one after the other, each as a process, as a user runs them.
public class RoadTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void BaselineAndSalt_EndInAVerdictAndAReport()
    {
        string baseline = Trained("baseline");
        string salt = Trained("salt");
        string report = workspace["verdict.html"];
        (int code, string output, string error) = SalternProcess.Run(
            "compare",
            baseline,
            salt,
            "--json",
            "--report",
            report
        );
        Assert.True(code == 0, error);
        using var verdict = JsonDocument.Parse(output);
        JsonElement root = verdict.RootElement;
        Assert.Equal("saltern.verdict/1", root.GetProperty("schema").GetString());
        Assert.Equal("baseline", root.GetProperty("baseline").GetProperty("name").GetString());
        JsonElement run = root.GetProperty("runs")[0];
        foreach (
            string name in new[]
            {
                "name",
                "final_loss",
                "reached",
                "steps_to_baseline",
                "steps_ratio",
                "seconds_ratio",
                "flops_ratio",
                "seconds_ratio_teacher_charged",
                "flops_ratio_teacher_charged",
            }
        )
        {
            Assert.True(run.TryGetProperty(name, out _), name);
        }

        Assert.StartsWith("<!DOCTYPE html>", File.ReadAllText(report), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Eval_RepeatsTheFinalLossOfTheRun()
    {
        string folder = Trained("baseline");
        (int code, string output, string error) = SalternProcess.Run("eval", folder, "--tokens", "4000", "--json");
        Assert.True(code == 0, error);
        using JsonDocument eval = JsonDocument.Parse(output);
        using JsonDocument result = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "result.json")));
        double measured = eval
            .RootElement.GetProperty("student")
            .GetProperty("splits")
            .GetProperty("valid")
            .GetProperty("loss")
            .GetDouble();
        Assert.Equal(result.RootElement.GetProperty("final").GetProperty("loss").GetDouble(), measured, 9);
    }

    [Fact]
    public void Generate_RepeatsItselfForASeed()
    {
        string folder = Trained("baseline");
        string[] arguments = ["generate", folder, "--prompt", "The cat", "--max-tokens", "30", "--seed", "4"];
        (int code, string first, string error) = SalternProcess.Run(arguments);
        Assert.True(code == 0, error);
        Assert.StartsWith("The cat", first, StringComparison.Ordinal);
        Assert.Equal(first, SalternProcess.Run(arguments).Output);
        Assert.NotEqual(first, SalternProcess.Run([.. arguments[..^1], "5"]).Output);
        Assert.Equal(2, SalternProcess.Run("generate", folder, "--top-p", "2").ExitCode);

        // The model was made for 32 positions.
        (code, string output, error) = SalternProcess.Run(
            "generate",
            folder,
            "--prompt",
            string.Join(' ', Enumerable.Repeat("harbour", 50)),
            "--max-tokens",
            "2"
        );
        Assert.Equal(0, code);
        Assert.StartsWith("harbour harbour", output, StringComparison.Ordinal);
        Assert.Matches("The prompt has [0-9]+ tokens and the model 32 positions: it reads the last 31.", error);
    }

    [Theory]
    [InlineData("baseline")]
    [InlineData("salt")]
    [InlineData("auto")]
    public void KilledRun_ResumesBitForBit(string recipe)
    {
        string whole = Trained(recipe);
        string folder = "";

        // At a step that nobody chose: in the window of 'salt', around the end of stage 1 of 'auto', or while a checkpoint is being written beside the training.
        int after = Random.Shared.Next(11, 45);
        for (
            int attempt = 0;
            attempt == 0 || (attempt < 8 && File.Exists(Path.Combine(folder, "result.json")));
            attempt++
        )
        {
            // The steps take milliseconds: on a busy machine the run may be over before it is killed, and is then made again, to be killed earlier.
            folder = workspace[$"kill-cut-{recipe}-{attempt}"];
            after = attempt == 0 ? after : 11;
            KillAfter(recipe, folder, after);
        }

        Assert.SkipWhen(
            File.Exists(Path.Combine(folder, "result.json")),
            "the machine was so busy that the run was over before it was killed, eight times"
        );
        (int code, string output, string error) = SalternProcess.Run(
            "train",
            workspace[recipe + ".yaml"],
            "--out",
            folder,
            "--resume"
        );
        Assert.True(code == 0, error);

        // A checkpoint is whole some steps after its own: before the first one is, the run starts again, and says so.
        Assert.True(
            output.Contains("Resuming", StringComparison.Ordinal)
                || output.Contains("no whole checkpoint; the run starts at step 1", StringComparison.Ordinal),
            output
        );
        foreach (string file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            string path = Path.Combine("checkpoints", "step-00000060", file);
            Assert.True(
                File.ReadAllBytes(Path.Combine(whole, path))
                    .AsSpan()
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(folder, path))),
                $"{file} differs; killed after line {after}"
            );
        }
    }

    [Fact]
    public void Demo_EndsInAVerdict_WithOnlyJsonOnStandardOutput()
    {
        string folder = workspace["demo with blanks"];
        (int code, string output, string error) = SalternProcess.Run(
            "demo",
            "--steps",
            "40",
            "--verbose",
            "--text",
            workspace["text"],
            "--out",
            folder,
            "--json"
        );
        Assert.True(code == 0, error);
        using var verdict = JsonDocument.Parse(output);
        Assert.Equal("saltern.verdict/1", verdict.RootElement.GetProperty("schema").GetString());
        Assert.True(File.Exists(Path.Combine(folder, "report.html")));
        foreach (
            string expected in new[]
            {
                "your text, 2 files",
                "teacher:",
                "validation loss  BASELINE",
                "teacher goes on after",
                "baseline goes on after",
                "salt goes on after",
                "grown goes on after",
                "report  ",
                "again   saltern demo --steps 40 --seed 1 --text",
            }
        )
        {
            Assert.Contains(expected, error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Demo_Interrupted_EndsWithWhatThereIs()
    {
        string folder = workspace["demo-interrupted"];
        using Process process = SalternProcess.StartQuietly(
            "demo",
            "--steps",
            "300",
            "--text",
            workspace["text"],
            "--out",
            folder
        );
        string metrics = Path.Combine(folder, "salt", "metrics.jsonl");
        Wait.Until(
            () => process.HasExited || (File.Exists(metrics) && CountLines(metrics) >= 1),
            "the program did not come so far"
        );

        bool over = process.HasExited;

        // SIGTERM, which is handled like Ctrl-C: a shell in the background starts its children with SIGINT ignored.
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.SkipWhen(over || process.ExitCode == 0, "the demonstration was over before the signal came");
        Assert.True(process.ExitCode == 130, output);
        Assert.Contains("Ended early after step", output, StringComparison.Ordinal);
        using var verdict = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "verdict.json")));
        Assert.True(verdict.RootElement.GetProperty("truncated").GetBoolean());
    }

    [Fact]
    public void Termination_WritesACheckpointAndExitsWith130()
    {
        string folder = workspace["term"];
        using Process process = SalternProcess.StartQuietly(
            "train",
            workspace["baseline.yaml"],
            "--out",
            folder,
            "--set",
            "training.steps=100000"
        );
        Wait.Until(() => Directory.Exists(Path.Combine(folder, "checkpoints")), "the program did not come so far");
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(130, process.ExitCode);
        Assert.Contains("the checkpoint is written", output, StringComparison.Ordinal);
    }

    private void KillAfter(string recipe, string folder, int lines)
    {
        using Process process = SalternProcess.StartQuietly(
            "train",
            workspace[recipe + ".yaml"],
            "--out",
            folder,
            "--set",
            "training.log_every=1"
        );
        string metrics = Path.Combine(folder, "metrics.jsonl");
        Wait.Until(
            () => process.HasExited || (File.Exists(metrics) && CountLines(metrics) >= lines),
            "the program did not come so far"
        );
        process.Kill();
        process.WaitForExit();
    }

    // The file is being written: a torn last line counts or not, as it comes.
    private static int CountLines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        return reader.ReadToEnd().Count(character => character == '\n');
    }

    // Trained once: the tests only read it.
    private string Trained(string recipe)
    {
        string folder = workspace["whole-" + recipe];
        if (!File.Exists(Path.Combine(folder, "result.json")))
        {
            (int code, string output, string error) = SalternProcess.Run(
                "train",
                workspace[recipe + ".yaml"],
                "--out",
                folder
            );
            Assert.True(code == 0, output + error);
        }

        return folder;
    }
}
