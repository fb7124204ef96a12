using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Cli.Tests;

// A study as a user meets it: whole, killed and resumed, changed, asked for another measure.
public class StudyTests(Workspace workspace) : IClassFixture<Workspace>
{
    private const string Result = "result.json";

    [Fact]
    public void KilledStudy_GoesOn_AndSaysTheSame()
    {
        string study = Write("killed");
        string whole = workspace["study-whole"];
        string cut = workspace["study-cut"];
        string told = Require(study, whole, "whole-runs");
        Assert.Contains("[4/4] SALT, seed 2: finished", told, StringComparison.Ordinal);

        using (Process process = SalternProcess.StartQuietly(Arguments(study, cut, "cut-runs")))
        {
            Wait.Until(
                () => process.HasExited || File.Exists(Path.Combine(cut, "results", "PLAIN", "seed-1", Result)),
                "the program did not come so far"
            );
            process.Kill();
            process.WaitForExit();
        }

        (int code, _, string error) = SalternProcess.Run(Arguments(study, cut, "cut-runs"));
        Assert.Equal(2, code);
        Assert.Contains("Go on with --resume", error, StringComparison.Ordinal);
        told = Require(study, cut, "cut-runs", "--resume");
        Assert.Contains("PLAIN, seed 1: was finished before", told, StringComparison.Ordinal);
        using JsonDocument a = Verdict(whole);
        using JsonDocument b = Verdict(cut);
        foreach (
            string name in new[]
            {
                "final_loss",
                "final_loss_difference",
                "steps_ratio",
                "flops_ratio",
                "flops_ratio_teacher_charged",
            }
        )
        {
            Assert.Equal(
                a.RootElement.GetProperty("runs")[0].GetProperty(name).ToString(),
                b.RootElement.GetProperty("runs")[0].GetProperty(name).ToString()
            );
        }

        Assert.Equal(
            "[1,2]",
            a.RootElement.GetProperty("runs")[0]
                .GetProperty("seeds")
                .GetRawText()
                .Replace("\n", "", StringComparison.Ordinal)
                .Replace(" ", "", StringComparison.Ordinal)
        );
        Assert.True(
            File.Exists(Path.Combine(cut, "report.html"))
                && File.Exists(Path.Combine(cut, "curves.svg"))
                && File.Exists(Path.Combine(cut, "step-times.json"))
        );

        // The weights are gone, the results are not: nothing is trained again, and the same is said.
        Directory.Delete(workspace["cut-runs"], recursive: true);
        told = Require(study, cut, "cut-runs", "--resume");
        Assert.Contains("[4/4] SALT, seed 2: was finished before", told, StringComparison.Ordinal);
        Assert.False(Directory.Exists(workspace["cut-runs"]));

        // Verdict and report alone, from what was kept.
        File.Delete(Path.Combine(cut, "report.html"));
        Assert.Contains("report: ", Require(study, cut, "cut-runs", "--report-only"), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(cut, "report.html")) && !Directory.Exists(workspace["cut-runs"]));
        (code, _, error) = SalternProcess.Run(Arguments(study, workspace["nothing-kept"], "cut-runs", "--report-only"));
        Assert.True(code == 1 && !Directory.Exists(workspace["nothing-kept"]), error);

        // In one file they say the same, to this verb and to another, and count as finished.
        string archive = Path.Combine(cut, "results.zip");
        string verdict = File.ReadAllText(Path.Combine(cut, "verdict.json"));
        Assert.Contains("4 runs, 4 of them new", Require(study, cut, "cut-runs", "--pack"), StringComparison.Ordinal);
        Directory.Delete(Path.Combine(cut, "results"), recursive: true);
        File.Delete(Path.Combine(cut, "verdict.json"));
        Assert.Contains("report: ", Require(study, cut, "cut-runs", "--report-only"), StringComparison.Ordinal);
        Assert.Equal(verdict, File.ReadAllText(Path.Combine(cut, "verdict.json")));
        Assert.Contains(
            "SALT, seed 2: was finished before",
            Require(study, cut, "cut-runs", "--resume"),
            StringComparison.Ordinal
        );
        (code, string compared, error) = SalternProcess.Run(
            "compare",
            "--baseline",
            archive + "/PLAIN",
            archive,
            "--json"
        );
        Assert.True(code == 0, error);
        using (var of = JsonDocument.Parse(compared))
        {
            Assert.Equal(
                a.RootElement.GetProperty("runs")[0].GetProperty("steps_ratio").ToString(),
                of.RootElement.GetProperty("runs")[0].GetProperty("steps_ratio").ToString()
            );
            Assert.Equal("SALT", of.RootElement.GetProperty("runs")[0].GetProperty("arm").GetString());
        }

        // Another recipe under the same results is no resumption.
        (code, _, error) = SalternProcess.Run(
            Arguments(study, cut, "cut-runs", "--resume", "--set", "optimizer.learning_rate=0.001")
        );
        Assert.Equal(2, code);
        Assert.Contains("optimizer.learning_rate was 0.003 and is now 0.001", error, StringComparison.Ordinal);
    }

    [Fact]
    public void FailedRuns_AreNamed_AndEndInAnExitCode()
    {
        string study = Write("failed", "  GONE: { teacher.path: nowhere, distillation.transition: constant }\n");
        (int code, string output, string error) = SalternProcess.Run(
            Arguments(study, workspace["study-failed"], "failed-runs", "--seeds", "1")
        );
        Assert.Equal(1, code);
        Assert.Contains("GONE, seed 1 failed: ", error, StringComparison.Ordinal);
        Assert.Contains("SALT, seed 1: finished", output, StringComparison.Ordinal);
        Assert.Contains("Not finished yet: ", output, StringComparison.Ordinal);
    }

    [Fact]
    public void FinishedRuns_AreFineTuned_AndComparedInPairs()
    {
        string study = Write(
            "tuned",
            $"finetune: [{workspace.FineTuneRecipe("boxes", steps: 40)}]\nfinetune_seeds: 2\n"
        );
        string folder = workspace["study-tuned"];
        string told = Require(study, folder, "tuned-runs", "--seeds", "1", "--set", "training.steps=20");
        Assert.Contains("SALT, seed 1, boxes, seed 2: finished", told, StringComparison.Ordinal);
        using var compared = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "finetune.json")));
        JsonElement salt = compared
            .RootElement.EnumerateArray()
            .Single(line =>
                line.GetProperty("arm").GetString() == "SALT" && line.GetProperty("metric").GetString() == "exact_match"
            );
        Assert.Equal((2, 6), (salt.GetProperty("pairs").GetInt32(), salt.GetProperty("items").GetInt32()));
        Assert.Contains(
            "After fine-tuning",
            File.ReadAllText(Path.Combine(folder, "report.html")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "PLAIN, seed 1, boxes, seed 1: was finished before",
            Require(study, folder, "tuned-runs", "--seeds", "1", "--set", "training.steps=20", "--resume"),
            StringComparison.Ordinal
        );
    }

    private static JsonDocument Verdict(string folder) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "verdict.json")));

    private string Write(string name, string more = "")
    {
        string path = workspace[$"study-{name}.yaml"];
        File.WriteAllText(
            workspace["short.yaml"],
            File.ReadAllText(workspace["baseline.yaml"]).Replace("steps: 60", "steps: 30", StringComparison.Ordinal)
        );
        File.WriteAllText(
            path,
            $$"""
            name: {{name}}
            base: short.yaml
            seeds: [1, 2]
            baseline: PLAIN
            arms:
              PLAIN: {}
              SALT: { teacher.path: {{workspace["teacher"]}}, distillation.transition: step, distillation.start: 0.5 }

            """ + more
        );
        return path;
    }

    private string[] Arguments(string study, string output, string runs, params string[] more) =>
        ["study", study, "--out", output, "--runs", workspace[runs], .. more];

    private string Require(string study, string output, string runs, params string[] more)
    {
        (int code, string told, string error) = SalternProcess.Run(Arguments(study, output, runs, more));
        Assert.True(code == 0, told + error);
        return told;
    }
}
