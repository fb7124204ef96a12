using System.Text.Json;

namespace Saltern.Cli.Tests;

// Times are what they are; the tests hold what is said of them.
public class BenchTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void ARecipeWithATeacher_IsTimedWithAndWithoutIt()
    {
        (int code, string output, string error) = SalternProcess.Run(
            "bench",
            workspace["salt.yaml"],
            "--seconds",
            "0.01"
        );
        Assert.True(code == 0, error);
        Assert.Matches("(?m)^ +plain +distilling$", output);
        foreach (string row in new[] { "step, median", "tokens/s", "share of the peak", "peak memory", "  attention" })
        {
            Assert.Matches($"(?m)^{row} +[0-9]", output);
        }

        Assert.Matches(
            "(?m)^a distilling step takes [0-9.]+ plain steps; the teacher's operations are 0.[0-9]+",
            output
        );
        Assert.Matches("(?m)^an evaluation takes [0-9.]+ s: ", output);
    }

    [Fact]
    public void Json_IsOneDocumentOfBothKindsOfStep()
    {
        (int code, string output, string error) = SalternProcess.Run(
            "bench",
            workspace["baseline.yaml"],
            "--seconds",
            "0.01",
            "--json"
        );
        Assert.True(code == 0, error);
        using var document = JsonDocument.Parse(output);
        JsonElement root = document.RootElement;
        Assert.Equal("saltern.bench/1", root.GetProperty("schema").GetString());
        Assert.Equal(8 * 32, root.GetProperty("batch_tokens").GetInt32());
        Assert.True(root.GetProperty("plain").GetProperty("steps").GetInt32() >= 5);
        Assert.Equal(JsonValueKind.Null, root.GetProperty("distilling").ValueKind);
    }

    [Fact]
    public void WhatCannotBeTimed_IsSaid()
    {
        (int code, _, string error) = SalternProcess.Run("bench");
        Assert.Equal(2, code);
        Assert.Contains("Name a recipe to time", error, StringComparison.Ordinal);
        (code, _, error) = SalternProcess.Run("bench", "--ranks");
        Assert.Equal(2, code);
        Assert.Contains("start it as 'mpirun -np N saltern bench --ranks'", error, StringComparison.Ordinal);
        (code, _, error) = SalternProcess.Run("bench", workspace["baseline.yaml"], "--seconds", "0");
        Assert.Equal(2, code);
        Assert.Contains("--seconds 0 is not a time between 0 and 86,400 seconds", error, StringComparison.Ordinal);
    }
}
