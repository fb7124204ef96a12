using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Cli.Tests;

// The commands one after the other, each as a process, as a user runs them.
public class RoadTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void BaselineAndSalt_EndInAVerdictAndAReport()
    {
        string baseline = Train("baseline", "verdict-baseline"), salt = Train("salt", "verdict-salt"), report = workspace["verdict.html"];
        (int code, string output, string error) = SalternProcess.Run("compare", baseline, salt, "--json", "--report", report);
        Assert.True(code == 0, error);
        using var verdict = JsonDocument.Parse(output);
        JsonElement root = verdict.RootElement;
        Assert.Equal("saltern.verdict/1", root.GetProperty("schema").GetString());
        Assert.Equal("baseline", root.GetProperty("baseline").GetProperty("name").GetString());
        JsonElement run = root.GetProperty("runs")[0];
        foreach (string name in new[] { "name", "final_loss", "reached", "steps_to_baseline", "steps_ratio", "seconds_ratio", "flops_ratio", "seconds_ratio_teacher_charged", "flops_ratio_teacher_charged" })
        {
            Assert.True(run.TryGetProperty(name, out _), name);
        }

        Assert.StartsWith("<!DOCTYPE html>", File.ReadAllText(report), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Eval_RepeatsTheFinalLossOfTheRun()
    {
        string folder = Train("baseline", "eval-run");
        (int code, string output, string error) = SalternProcess.Run("eval", folder, "--tokens", "4000", "--json");
        Assert.True(code == 0, error);
        using JsonDocument eval = JsonDocument.Parse(output), result = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "result.json")));
        double measured = eval.RootElement.GetProperty("student").GetProperty("splits").GetProperty("valid").GetProperty("loss").GetDouble();
        Assert.Equal(result.RootElement.GetProperty("final").GetProperty("loss").GetDouble(), measured, 9);
    }

    [Fact]
    public void Generate_RepeatsItselfForASeed()
    {
        string folder = Train("baseline", "generate-run");
        string[] arguments = ["generate", folder, "--prompt", "The cat", "--max-tokens", "30", "--seed", "4"];
        (int code, string first, string error) = SalternProcess.Run(arguments);
        Assert.True(code == 0, error);
        Assert.StartsWith("The cat", first, StringComparison.Ordinal);
        Assert.Equal(first, SalternProcess.Run(arguments).Output);
        Assert.NotEqual(first, SalternProcess.Run([.. arguments[..^1], "5"]).Output);
        Assert.Equal(2, SalternProcess.Run("generate", folder, "--top-p", "2").ExitCode);
    }

    [Fact]
    public void KilledRun_ResumesBitForBit()
    {
        string whole = Train("salt", "kill-whole");
        string folder = workspace["kill-cut"];
        using (Process process = SalternProcess.Start("train", workspace["salt.yaml"], "--out", folder))
        {
            // Somewhere after the first checkpoint; the steps take a few milliseconds, so where exactly differs from run to run.
            string first = Path.Combine(folder, "checkpoints", "step-00000010");
            Assert.True(SpinWait.SpinUntil(() => Directory.Exists(first) || process.HasExited, TimeSpan.FromMinutes(1)));
            process.Kill();
            process.WaitForExit();
        }

        (int code, _, string error) = SalternProcess.Run("train", workspace["salt.yaml"], "--out", folder, "--resume");
        Assert.True(code == 0, error);
        foreach (string file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            string path = Path.Combine("checkpoints", "step-00000060", file);
            Assert.Equal(File.ReadAllBytes(Path.Combine(whole, path)), File.ReadAllBytes(Path.Combine(folder, path)));
        }
    }

    [Fact]
    public void Termination_WritesACheckpointAndExitsWith130()
    {
        string folder = workspace["term"];
        using Process process = SalternProcess.Start("train", workspace["baseline.yaml"], "--out", folder, "--set", "training.steps=100000");
        Assert.True(SpinWait.SpinUntil(() => Directory.Exists(Path.Combine(folder, "checkpoints")), TimeSpan.FromMinutes(1)));
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(130, process.ExitCode);
        Assert.Contains("the checkpoint is written", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Output_HasNoTerminalEscapesInAPipe()
    {
        (_, string output, string error) = SalternProcess.Run("train", workspace["baseline.yaml"], "--out", workspace["pipe"]);
        Assert.DoesNotContain('\x1b', output + error);
        Assert.DoesNotContain('\r', output + error);
    }

    private string Train(string recipe, string name)
    {
        (int code, string output, string error) = SalternProcess.Run("train", workspace[recipe + ".yaml"], "--out", workspace[name]);
        Assert.True(code == 0, output + error);
        return workspace[name];
    }
}
