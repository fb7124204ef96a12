using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Cli.Tests;

// teach → select → train from the command line, a killed pass among them.
public class TeachTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void KilledPass_GoesOnAndEndsAsIfItHadNotBeen()
    {
        string[] arguments = ["teach", "--teacher", workspace["teacher"], "--recipe", workspace["salt.yaml"], "--out"];
        Require([.. arguments, workspace["teach-whole"]]);
        string cut = workspace["teach-cut"];
        using (Process process = SalternProcess.StartQuietly([.. arguments, cut]))
        {
            Wait.Until(
                () => process.HasExited || File.Exists(Path.Combine(cut, "shards", "00000000.teach")),
                "the program did not come so far"
            );
            process.Kill();
            process.WaitForExit();
        }

        Require([.. arguments, cut]);
        foreach (string file in Directory.EnumerateFiles(Path.Combine(workspace["teach-whole"], "shards")))
        {
            // All but the seconds in the header, and the checksum over them.
            byte[] whole = File.ReadAllBytes(file);
            byte[] resumed = File.ReadAllBytes(Path.Combine(cut, "shards", Path.GetFileName(file)));
            Assert.True(whole.AsSpan(72).SequenceEqual(resumed.AsSpan(72)), file);
        }
    }

    [Fact]
    public void CacheAndSelection_TrainFromTheCommandLine()
    {
        Require(
            "teach",
            "--teacher",
            workspace["teacher"],
            "--recipe",
            workspace["salt.yaml"],
            "--stage1-only",
            "--out",
            workspace["teach"],
            "--draws",
            "6"
        );
        string output = Require(
            "train",
            workspace["salt.yaml"],
            "--out",
            workspace["cached"],
            "--set",
            "teacher.cache=" + workspace["teach"],
            "teacher.path=null"
        );
        Assert.Contains("6 draws", output, StringComparison.Ordinal);
        using (var result = JsonDocument.Parse(File.ReadAllText(Path.Combine(workspace["cached"], "result.json"))))
        {
            JsonElement teacher = result.RootElement.GetProperty("teacher");
            Assert.Equal(0, result.RootElement.GetProperty("teacher_flops").GetDouble());
            Assert.True(
                teacher.GetProperty("pass_flops").GetDouble() > 0 && teacher.GetProperty("pass_seconds").GetDouble() > 0
            );
        }

        // Another temperature is refused before anything is trained, as wrong usage, and leaves no folder.
        (int code, _, string error) = SalternProcess.Run(
            "train",
            workspace["salt.yaml"],
            "--out",
            workspace["wrong"],
            "--set",
            "teacher.cache=" + workspace["teach"],
            "teacher.temperature=0.5"
        );
        Assert.Equal(2, code);
        Assert.Contains("was made at temperature 1, but teacher.temperature = 0.5", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(workspace["wrong"]));

        Require(
            "teach",
            "--teacher",
            workspace["teacher"],
            "--step",
            "30",
            "--data",
            workspace["data"],
            "--sequence-length",
            "32",
            "--mode",
            "scores",
            "--out",
            workspace["scores"]
        );
        string report = Require(
            "select",
            "--scores",
            workspace["scores"],
            "--share",
            "0.2",
            "--min-tokens",
            "8",
            "--out",
            workspace["selection"]
        );
        Assert.Contains("scored samples chosen", report, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(workspace["selection"], "report.html")));
        Require(
            "train",
            workspace["salt.yaml"],
            "--out",
            workspace["salt-ds"],
            "--set",
            "selection.path=" + workspace["selection"]
        );
        Require(
            "train",
            workspace["baseline.yaml"],
            "--out",
            workspace["selected"],
            "--set",
            "selection.path=" + workspace["selection"],
            "selection.until=0.4",
            "name=selected"
        );
        Require("train", workspace["baseline.yaml"], "--out", workspace["plain"]);
        string verdict = Require(
            "compare",
            workspace["salt-ds"],
            workspace["selected"],
            workspace["cached"],
            workspace["plain"],
            "--json"
        );
        using var json = JsonDocument.Parse(verdict);
        Assert.Equal(
            ["salt_ds", "selected", "salt"],
            json.RootElement.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("arm").GetString())
        );

        string buckets = Require(
            "eval",
            workspace["cached"],
            "--teacher",
            workspace["teacher"],
            "--buckets",
            workspace["teach"],
            "--tokens",
            "4000"
        );
        Assert.Contains("easy tokens", buckets, StringComparison.Ordinal);
        Assert.Equal(
            2,
            SalternProcess
                .Run("eval", workspace["cached"], "--teacher", workspace["plain"], "--buckets", workspace["teach"])
                .ExitCode
        );
    }

    private static string Require(params string[] arguments)
    {
        (int code, string output, string error) = SalternProcess.Run(arguments);
        Assert.True(code == 0, output + error);
        return output;
    }
}
