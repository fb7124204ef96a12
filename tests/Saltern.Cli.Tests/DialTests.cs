using Saltern.Configuration;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Tests;

public sealed class DialTests : IDisposable
{
    private readonly Workspace _workspace = new();

    public void Dispose() => _workspace.Dispose();

    [Fact]
    public void ARecipe_IsMadeCommentedAndChecked()
    {
        string path = _workspace["made.yaml"];
        (int code, string output, string error) = SalternProcess.Run([
            "recipe",
            "make",
            "--size",
            "300k",
            "--data",
            _workspace["data"],
            "--tokens",
            "200k",
            "--out",
            path,
        ]);
        Assert.True(code == 0, error);
        Assert.Contains("saltern train", output, StringComparison.Ordinal);
        RunConfig recipe = RecipeReader.Read<RunConfig>(path, []);
        Assert.Equal(("baseline-300k", "baseline"), (recipe.Name, recipe.Arm));
        Assert.InRange(recipe.BatchTokens * recipe.Training.Steps, 190_000, 210_000);
        Assert.Equal(0, SalternProcess.Run("recipe", "check", path).ExitCode);
        string text = File.ReadAllText(path);
        Assert.Contains("arXiv:2503.04715", text, StringComparison.Ordinal);
        Assert.StartsWith(
            $"# Made by: saltern recipe make --size 300k --data {_workspace["data"]} --tokens 200k",
            text,
            StringComparison.Ordinal
        );

        (code, _, error) = SalternProcess.Run([
            "recipe",
            "make",
            "--size",
            "300k",
            "--data",
            _workspace["data"],
            "--out",
            path,
        ]);
        Assert.Equal(2, code);
        Assert.Contains("is there already", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ATeacherAndGrowth_AreInTheRecipe_WhichAloneGoesToStandardOutput()
    {
        (int code, string output, string error) = SalternProcess.Run([
            "recipe",
            "make",
            "--size",
            "300k",
            "--data",
            _workspace["data"],
            "--teacher",
            _workspace["teacher"],
            "--grow",
        ]);
        Assert.True(code == 0, error);
        RunConfig recipe = RecipeReader.Parse<RunConfig>(output, "made", []);
        Assert.Equal("grown+salt", recipe.Arm);
        Assert.Contains("readings", error, StringComparison.Ordinal); // the small text is read again and again
    }

    [Fact]
    public void ASizeTrains_AndGoesOnByItsOwnRecipe()
    {
        string run = _workspace["dial"];
        string[] dial = ["train", "--size", "200k", "--data", _workspace["data"], "--tokens", "60k", "--out", run];
        (int code, string output, string error) = SalternProcess.Run([.. dial, "--until", "20"]);
        Assert.True(code == 0, error);
        Assert.Contains($"recipe: {run}.yaml", output, StringComparison.Ordinal);
        (code, output, error) = SalternProcess.Run([.. dial, "--resume"]);
        Assert.True(code == 0, error);
        Assert.Contains("as it was made", output, StringComparison.Ordinal);
        RunResult result = RunResult.Read(Path.Combine(run, RunLayout.Result));
        Assert.Equal(RecipeReader.Read<RunConfig>(run + ".yaml", []).Training.Steps, result.Steps);

        (code, _, error) = SalternProcess.Run(dial);
        Assert.Equal(2, code);
        Assert.Contains("--resume", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Minutes_AreMeasuredFirst()
    {
        (int code, string output, string error) = SalternProcess.Run([
            "recipe",
            "make",
            "--size",
            "200k",
            "--data",
            _workspace["data"],
            "--minutes",
            "0.5",
        ]);
        Assert.True(code == 0, error);
        Assert.Contains("measuring plain steps", error, StringComparison.Ordinal);
        Assert.True(RecipeReader.Parse<RunConfig>(output, "made", []).Training.Steps >= 50);
    }

    [Theory]
    [InlineData("--data", "core-salt", "train", "core-salt", "--size", "1m")]
    [InlineData("--data is missing", "", "recipe", "make", "--size", "1m")]
    [InlineData("--size is missing", "", "recipe", "make", "--data", "x")]
    [InlineData(
        "Give one of them",
        "",
        "recipe",
        "make",
        "--size",
        "1m",
        "--data",
        "x",
        "--tokens",
        "1m",
        "--minutes",
        "3"
    )]
    [InlineData("--size and --data", "", "train")]
    public void WhatDoesNotFitTogether_IsSaid(string expected, string also, params string[] arguments)
    {
        (int code, _, string error) = SalternProcess.Run(arguments);
        Assert.Equal(2, code);
        Assert.True(
            error.Contains(expected, StringComparison.Ordinal)
                || (also.Length > 0 && error.Contains(also, StringComparison.Ordinal)),
            error
        );
    }
}
