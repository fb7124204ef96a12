using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Cli.Tests;

public class FinetuneTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void Finetune_WritesResultTableAndFiles_AndItsRunIsAModel()
    {
        string recipe = workspace.FineTuneRecipe("table");
        (int code, string output, string error) = SalternProcess.Run(
            "finetune",
            recipe,
            "--out",
            workspace["table"],
            "--set",
            "training.steps=20"
        );
        Assert.True(code == 0, output + error);
        string text = output + error;
        Assert.Contains("before: colour exact_match", text, StringComparison.Ordinal);
        Assert.Contains("best after step", text, StringComparison.Ordinal);
        Assert.Contains("left out: 1 examples longer than 32 tokens: far", text, StringComparison.Ordinal);
        Assert.Contains("after less before", text, StringComparison.Ordinal);
        using JsonDocument result = JsonDocument.Parse(File.ReadAllText(workspace["table/result.json"]));
        JsonElement outcome = result.RootElement.GetProperty("fine_tuning");
        Assert.Equal("far", outcome.GetProperty("examples").GetProperty("too_long")[0].GetString());
        Assert.Equal(6, outcome.GetProperty("tasks").GetProperty("colour").GetProperty("items").GetInt32());
        Assert.True(
            File.Exists(workspace["table/" + outcome.GetProperty("checkpoint").GetString() + "/model.safetensors"])
        );

        // A fine-tuned run is a model like any other.
        (code, output, error) = SalternProcess.Run(
            "eval",
            workspace["table"],
            "--tasks",
            workspace["colour.yaml"],
            "--data-dir",
            workspace.Folder,
            "--json"
        );
        Assert.True(code == 0, error);
        Assert.Equal(
            32,
            JsonDocument.Parse(output).RootElement.GetProperty("config").GetProperty("max_length").GetInt32()
        );
    }

    [Fact]
    public void KilledRun_GoesOn_ToTheSameWeights()
    {
        string recipe = workspace.FineTuneRecipe("killed");
        string[] Arguments(string name, params string[] more) =>
            ["finetune", recipe, "--out", workspace[name], "--set", "training.steps=300", .. more];
        Assert.Equal(0, SalternProcess.Run(Arguments("whole")).ExitCode);
        using (Process process = SalternProcess.StartQuietly(Arguments("killed")))
        {
            Wait.Until(
                () => process.HasExited || Directory.Exists(workspace["killed/checkpoints/step-00000060"]),
                "no checkpoint came"
            );

            process.Kill();
            process.WaitForExit();
        }

        (int code, string output, string error) = SalternProcess.Run(Arguments("killed", "--resume"));
        Assert.True(code == 0, output + error);
        Assert.Equal(Weights("whole"), Weights("killed"));
        Assert.Equal(Tasks("whole"), Tasks("killed"));
    }

    [Fact]
    public void Mistakes_EndWithTwo()
    {
        (int code, _, string error) = SalternProcess.Run(
            "finetune",
            workspace.FineTuneRecipe("mistake"),
            "--out",
            workspace["mistake"],
            "--set",
            "data.path=" + workspace["absent.jsonl"]
        );
        Assert.Equal(2, code);
        Assert.Contains("does not exist", error, StringComparison.Ordinal);
        Assert.Equal(
            2,
            SalternProcess.Run("finetune", workspace["teacher.yaml"], "--out", workspace["mistake"]).ExitCode
        );
        Assert.False(Directory.Exists(workspace["mistake"]));
    }

    private byte[] Weights(string run) =>
        File.ReadAllBytes(workspace[run + "/checkpoints/step-00000300/model.safetensors"]);

    private string Tasks(string run)
    {
        using JsonDocument result = JsonDocument.Parse(File.ReadAllText(workspace[run + "/result.json"]));
        return result.RootElement.GetProperty("fine_tuning").GetProperty("tasks").ToString();
    }
}
