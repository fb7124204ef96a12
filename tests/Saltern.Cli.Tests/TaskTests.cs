using System.Text.Json;

namespace Saltern.Cli.Tests;

public class TaskTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void Induction_ByName_NeedsNoData_AndTwoModelsGetTheSameStretches()
    {
        string output = workspace["induction"];
        (int code, string json, string error) = SalternProcess.Run(
            "eval",
            workspace["teacher"],
            "--tasks",
            "induction",
            "--limit",
            "3",
            "--teacher",
            workspace["teacher"],
            "--out",
            output,
            "--json"
        );
        Assert.True(code == 0, error);
        using JsonDocument result = JsonDocument.Parse(json);
        JsonElement scores = result.RootElement.GetProperty("results").GetProperty("induction");
        Assert.InRange(scores.GetProperty("token_acc,none").GetDouble(), 0, 1);
        Assert.True(scores.GetProperty("perplexity,none").GetDouble() > 1);
        JsonElement paired = result.RootElement.GetProperty("paired").GetProperty("induction").GetProperty("token_acc");
        Assert.Equal("paired_bootstrap", paired.GetProperty("test").GetString());
        Assert.Equal(0, paired.GetProperty("difference").GetDouble());
        string[] samples = File.ReadAllLines(Path.Combine(output, "samples_induction.jsonl"));
        Assert.Equal(3, samples.Length);
        Assert.All(
            samples,
            line =>
                Assert.Equal(
                    64,
                    JsonDocument.Parse(line).RootElement.GetProperty("doc").GetProperty("tokens").GetArrayLength()
                )
        );
    }

    [Fact]
    public void Eval_RunsTasks_AndWritesResultsAndSamples()
    {
        File.WriteAllText(
            workspace["order.yaml"],
            """
            task: order
            kind: choice
            readings: [{ prompt: "{q}", choices: ["{good}", "{bad}"], gold: gold }]
            """
        );
        File.WriteAllText(
            workspace["order.jsonl"],
            string.Concat(
                Enumerable
                    .Range(0, 12)
                    .Select(i =>
                        $$"""{"id":"i{{i}}","q":"The cat sees","good":"the harbour in the north","bad":"sees sees","gold":0}"""
                        + "\n"
                    )
            )
        );
        string output = workspace["out"];
        (int code, string json, string error) = SalternProcess.Run(
            "eval",
            workspace["teacher"],
            "--tasks",
            workspace["order.yaml"],
            "--data-dir",
            workspace.Folder,
            "--shots",
            "1",
            "--limit",
            "8",
            "--teacher",
            workspace["teacher"],
            "--out",
            output,
            "--json"
        );
        Assert.True(code == 0, error);
        using JsonDocument result = JsonDocument.Parse(json);
        Assert.Equal(
            8,
            result.RootElement.GetProperty("n-samples").GetProperty("order").GetProperty("effective").GetInt32()
        );
        Assert.Equal(1, result.RootElement.GetProperty("n-shot").GetProperty("order").GetInt32());
        Assert.Equal(
            0.5,
            result.RootElement.GetProperty("results").GetProperty("order").GetProperty("acc_chance,none").GetDouble()
        );
        Assert.Equal(
            0,
            result
                .RootElement.GetProperty("paired")
                .GetProperty("order")
                .GetProperty("acc")
                .GetProperty("difference")
                .GetDouble()
        );
        Assert.Equal(json.TrimEnd(), File.ReadAllText(Path.Combine(output, "results.json")).TrimEnd());
        Assert.Equal(8, File.ReadAllLines(Path.Combine(output, "samples_order.jsonl")).Length);
        Assert.Contains("items/s", error, StringComparison.Ordinal);
        Assert.Contains("chance", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Mistakes_SayWhatToDo()
    {
        Assert.Equal(2, SalternProcess.Run("eval", workspace["teacher"], "--shots", "3").ExitCode);
        Assert.Equal(2, SalternProcess.Run("eval", workspace["teacher"], "--tasks", workspace["absent.yaml"]).ExitCode);
    }

    [Fact]
    public void ShippedTasks_GoByTheirNames_OutsideAClone()
    {
        (int code, string list, string error) = SalternProcess.Run("task", "list");
        Assert.True(code == 0, error);
        Assert.Contains("arc_easy", list, StringComparison.Ordinal);
        Assert.Contains("salt_suite", list, StringComparison.Ordinal);
        Assert.StartsWith(
            "# Last words",
            SalternProcess.Run("task", "show", "lastword").Output,
            StringComparison.Ordinal
        );

        File.WriteAllText(
            workspace["lastword.jsonl"],
            """{"id":"a","query":"The cat sees the harbour. The cat sees the","answer":"harbour"}""" + "\n"
        );
        foreach (string name in new[] { "lastword", "lastword.yaml", "tasks/lastword.yaml" })
        {
            (code, string output, error) = SalternProcess.Run([
                "eval",
                workspace["teacher"],
                "--tasks",
                name,
                "--data-dir",
                workspace.Folder,
            ]);
            Assert.True(code == 0, error);
            Assert.Contains("lastword", output, StringComparison.Ordinal);
        }

        (code, _, error) = SalternProcess.Run("eval", workspace["teacher"], "--tasks", "nothing", "arc_easy");
        Assert.Equal(2, code);
        Assert.Contains(
            "nothing is neither a task file nor one of the tasks that ship: anli,",
            error,
            StringComparison.Ordinal
        );
    }
}
