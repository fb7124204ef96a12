using System.Text.Json.Nodes;

namespace Saltern.Cli.Tests;

/// <summary>Growth as a user meets it: on disk, from a model, in one run; what compare charges for it.</summary>
public class GrowTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void AGrownModel_IsTrained_AndItsHistoryCharged()
    {
        string grown = workspace["grown"];
        (int code, string output, string error) = Run("grow", workspace["teacher"], "--layers", "4", "--out", grown);
        Assert.True(code == 0, error);
        Assert.Contains("to 4 of", output, StringComparison.Ordinal);
        Assert.Contains("changes the function", output, StringComparison.Ordinal);
        Assert.Contains("history: ", output, StringComparison.Ordinal);
        JsonArray history = JsonNode.Parse(File.ReadAllText(Path.Combine(grown, "lineage.json")))!.AsArray();
        Assert.Equal("trained", history[0]!["operation"]!.GetValue<string>());

        // Nothing is written over.
        (code, _, error) = Run("grow", workspace["teacher"], "--layers", "4", "--out", grown);
        Assert.Equal((2, true), (code, error.Contains("there is something already", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("leads from 2 to 4 or 6 layers, not to 5", "--layers", "5")]
    [InlineData("at most 4 layers, not to 6", "--layers", "6", "--operator", "middle")]
    [InlineData("Nothing would grow")]
    [InlineData("--noise = -1 is outside", "--layers", "4", "--noise", "-1")]
    [InlineData("--teacher-tokens = 0 must be at least 1", "--layers", "4", "--teacher-tokens", "0")]
    [InlineData("'double' not recognized", "--layers", "4", "--operator", "double")]
    [InlineData("keeps no checkpoint of that step", "--layers", "4", "--step", "7")]
    public void Mistakes_AreWrongUsage_AndLeaveNothing(string message, params string[] options)
    {
        (int code, _, string error) = Run(["grow", workspace["teacher"], "--out", workspace["x"], .. options]);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.NotEqual(0, code);
        Assert.False(Directory.Exists(workspace["x"]));
    }

    [Fact]
    public void ARunThatGrows_IsStopped_Resumed_AndCompared()
    {
        string recipe = workspace["grown-run.yaml"];
        File.WriteAllText(
            recipe,
            File.ReadAllText(workspace["baseline.yaml"])
                .Replace("name: baseline", "name: grown-run", StringComparison.Ordinal)
                + "\ngrowth: [{ until: 10, model: { num_hidden_layers: 1 } }]\n"
        );
        (int code, string output, string error) = Run("train", recipe, "--out", workspace["run"], "--until", "10");
        Assert.True(code == 0, error);
        Assert.Contains("stage: steps 1 to 10, 1 layers", output, StringComparison.Ordinal);
        Assert.Contains("Stopped after step 10, as --until says", output, StringComparison.Ordinal);
        (code, output, error) = Run("train", recipe, "--out", workspace["run"], "--resume");
        Assert.True(code == 0, error);
        Assert.Contains("The model grew after step 10: 1 to 2 layers", output, StringComparison.Ordinal);
        string plain = workspace["baseline.yaml"];
        Assert.Equal(0, Run("train", plain, "--out", workspace["plain"]).Code);
        (code, output, error) = Run("compare", workspace["plain"], workspace["run"]);
        Assert.True(code == 0, error);
        Assert.Contains("GROWN", output, StringComparison.Ordinal);
        Assert.DoesNotContain("not paired", output, StringComparison.Ordinal);
        (code, _, error) = Run("train", plain, "--out", workspace["y"], "--until", "61");
        Assert.Equal((2, true), (code, error.Contains("--until = 61 is no step", StringComparison.Ordinal)));
    }

    [Fact]
    public void BenchAndPlan_KnowTheStages()
    {
        string recipe = workspace["planned.yaml"];
        File.WriteAllText(
            recipe,
            File.ReadAllText(workspace["baseline.yaml"])
                + "\ngrowth: [{ until_flops: 0.25, model: { num_hidden_layers: 1 } }]\n"
        );
        (int code, string output, string error) = Run("bench", recipe, "--seconds", "0.01");
        Assert.True(code == 0, error);
        Assert.Matches("(?m)^the [0-9]+ steps with 1 layers of 24 take [0-9.]+ ms each, [0-9.]+ of the whole", output);
        (code, output, error) = Run("plan", recipe, "--seconds", "0.01", "--budget", "1e12", "--students-served", "2");
        Assert.True(code == 0, error);
        Assert.Matches(
            "(?m)^growth: [0-9]+ steps with 1 layers of 24, 0.01M parameters, 0.[0-9]+ of a step's FLOPs",
            output
        );
        Assert.Matches("(?m)^  BASELINE +1.000 +1.000", output);
        Assert.Matches("(?m)^  GROWN +0.[0-9]+ +0.[0-9]+  0.[0-9]+ of the steps small", output);
        Assert.Contains("SALT: no teacher. Name one in the recipe", output, StringComparison.Ordinal);
        Assert.Matches("(?m)^cheapest with the small model to be paid for: GROWN ", output);
        Assert.Matches("(?m)^budget: 1.00e12 FLOP pay for .*BASELINE [0-9,]+, GROWN [0-9,]+", output);
        (code, output, error) = Run(
            "plan",
            workspace["baseline.yaml"],
            "--seconds",
            "0",
            "--teacher",
            "0.25m",
            "--teacher-tokens",
            "5120",
            "--small-layers",
            "1",
            "--small-share",
            "0.3",
            "--json"
        );
        Assert.True(code == 0, error);
        JsonNode ways = JsonNode.Parse(output)!["ways"]!;
        Assert.Equal(
            ["BASELINE", "SALT", "GROWN", "GROWN+SALT"],
            ways["ways"]!.AsArray().Select(way => way!["name"]!.GetValue<string>())
        );
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments) =>
        SalternProcess.Run(arguments);
}
