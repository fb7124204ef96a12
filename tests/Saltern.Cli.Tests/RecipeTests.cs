using System.Globalization;
using System.Text.Json;
using Saltern.Cli.Commands;
using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Models;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Cli.Tests;

public class RecipeTests
{
    // Of the arithmetic; 6 % of the time is what an evaluation may take (docs/reliability.md), with text samples and on any machine.
    private const double HighestEvaluationShare = 0.045;

    public static TheoryData<string> Recipes =>
        new(
            Directory
                .EnumerateFiles(Path.Combine(Root(), "recipes"), "*.yaml", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(Path.Combine(Root(), "recipes"), path))
                .Order()
        );

    [Theory]
    [MemberData(nameof(Recipes))]
    public void EveryRecipe_LoadsAndOpensWithPurposeCostAndExpectation(string file)
    {
        string path = Path.Combine(Root(), "recipes", file);
        Assert.Equal(Path.GetFileNameWithoutExtension(file), NameIn(path));
        Assert.Equal(file.StartsWith("finetune-", StringComparison.Ordinal), FineTuneConfig.IsRecipe(path));
        string[] head = [.. File.ReadLines(path).TakeWhile(line => line.StartsWith('#'))];
        Assert.StartsWith("# Purpose: ", head[0], StringComparison.Ordinal);
        Assert.Contains(
            head,
            line =>
                line.StartsWith("# Cost: ", StringComparison.Ordinal)
                && line.Contains("Expected: ", StringComparison.Ordinal)
        );
        Assert.DoesNotContain("shared", File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void EvaluationAlongTheRun_IsASmallPartOfTheSteps(string file)
    {
        string path = Path.Combine(Root(), "recipes", file);
        Assert.SkipWhen(
            StudyPlan.IsStudy(path)
                || FineTuneConfig.IsRecipe(path)
                || file.StartsWith("studies", StringComparison.Ordinal),
            "Settings of studies stay those of their results; fine-tuning evaluates on what it has."
        );
        RunConfig recipe = RecipeReader.Read<RunConfig>(path, []);
        TransformerConfig student = recipe.Model.Resolve(4_096, recipe.Data.SequenceLength);
        Assert.InRange(
            CostPlan.Of(recipe, student, recipe.Distils ? student : null, recipe.Training.Steps).EvaluationShare,
            0,
            HighestEvaluationShare
        );
    }

    [Fact]
    public void Listed_ShownAndChecked_FromTheProgramAlone()
    {
        (int code, string output, string error) = SalternProcess.Run("recipe", "list", "--json");
        Assert.True(code == 0, error);
        using var list = JsonDocument.Parse(output);
        Assert.All(
            list.RootElement.EnumerateArray(),
            recipe =>
                Assert.True(
                    recipe.GetProperty("purpose").GetString()!.Length > 0
                        && recipe.GetProperty("cost").GetString()!.Length > 0
                )
        );
        Assert.Contains(
            "core-salt",
            list.RootElement.EnumerateArray().Select(recipe => recipe.GetProperty("name").GetString())
        );

        (code, output, error) = SalternProcess.Run("recipe", "show", "core-salt", "--resolved", "--set", "seed=9");
        Assert.True(code == 0, error);
        Assert.Equal(9, RecipeReader.Parse<RunConfig>(output, "shown", []).Seed);
        Assert.Contains(
            "fine-tuning of runs/core-salt on data/sft/arithmetic.train.jsonl.gz",
            SalternProcess.Run("recipe", "check", "finetune-arithmetic").Output,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "a study of",
            SalternProcess.Run("recipe", "check", "studies/dotnet-docs-study").Output,
            StringComparison.Ordinal
        );

        (code, _, error) = SalternProcess.Run(
            "recipe",
            "check",
            "core-salt",
            "--set",
            "distillation.weight=3",
            "seeed=1"
        );
        Assert.Equal(2, code);
        Assert.Contains("distillation.weight = 3", error, StringComparison.Ordinal);
        Assert.Contains("seeed", error, StringComparison.Ordinal);
        Assert.Contains(
            "is neither a file nor one of the recipes that ship",
            SalternProcess.Run("recipe", "show", "nothing").Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TheList_HasALineForEach_UnderHeadings()
    {
        (int code, string output, string error) = SalternProcess.Run("recipe", "list");
        Assert.True(code == 0, error);
        string[] lines = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        string[] recipes = [.. lines.Where(line => line.StartsWith("  ", StringComparison.Ordinal))];
        Assert.Equal(
            ShippedRecipe.All().Select(recipe => recipe.Name).Order(),
            recipes.Select(line => line.Trim().Split(' ')[0]).Order()
        );
        Assert.All(recipes, line => Assert.InRange(line.Length, 40, 130));
        Assert.Equal("studies: saltern study NAME", HeadingOf(lines, "studies/core-salt-study"));
        Assert.Equal("fine-tuning: saltern finetune NAME", HeadingOf(lines, "finetune-gsm8k"));
        Assert.Equal("what studies are made of", HeadingOf(lines, "study-teacher"));
        Assert.Equal(HeadingOf(lines, "study-teacher"), HeadingOf(lines, "studies/core-base"));

        static string HeadingOf(string[] lines, string name) =>
            lines
                .TakeWhile(line => !line.StartsWith($"  {name} ", StringComparison.Ordinal))
                .Last(line => line[0] != ' ');
    }

    [Fact]
    public void ThePresets_AreATable()
    {
        foreach (
            string[] words in (string[][])
                [
                    ["recipe", "presets"],
                    ["recipe", "make", "--size", "list"],
                ]
        )
        {
            (int code, string output, string error) = SalternProcess.Run(words);
            Assert.True(code == 0, error);
            foreach (string name in ModelPresets.Names)
            {
                TransformerConfig shape = ModelPresets.Get(name).Resolve(4_096, 512);
                string row = output.Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal));
                string[] cells = row.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                Assert.Equal([$"{shape.NumHiddenLayers}", $"{shape.HiddenSize}"], cells[1..3]);
                double millions = double.Parse(cells[7].TrimEnd('M'), CultureInfo.InvariantCulture);
                Assert.Equal(ModelFlops.Parameters(shape) / 1e6, millions, 0.01);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void EveryShippedFile_LeadsEditorsToItsSchema(string file)
    {
        string path = Path.Combine(Root(), "recipes", file);
        string line = File.ReadLines(path)
            .TakeWhile(line => line.StartsWith('#'))
            .Single(line => line.StartsWith(ShippedSchema.Mark, StringComparison.Ordinal));
        string schema = Path.GetFullPath(line[ShippedSchema.Mark.Length..], Path.GetDirectoryName(path)!);
        string kind = (StudyPlan.IsStudy(path), FineTuneConfig.IsRecipe(path)) switch
        {
            (true, _) => ShippedSchema.Study,
            (_, true) => ShippedSchema.FineTuning,
            _ => ShippedSchema.Recipe,
        };
        Assert.Equal(Path.Combine(Root(), "recipes", "schema", ShippedSchema.FileName(kind)), schema);
        Assert.True(File.Exists(schema), schema);
    }

    [Fact]
    public void EveryShippedTask_LeadsEditorsToItsSchema()
    {
        string[] tasks = Directory.GetFiles(Path.Combine(Root(), "tasks"), "*.yaml");
        Assert.NotEmpty(tasks);
        Assert.All(
            tasks,
            task =>
            {
                string kind = File.ReadLines(task).Any(line => line.StartsWith("group:", StringComparison.Ordinal))
                    ? "task-group"
                    : "task";
                Assert.Contains(
                    $"{ShippedSchema.Mark}../recipes/schema/{ShippedSchema.FileName(kind)}",
                    File.ReadLines(task)
                );
            }
        );
    }

    [Fact]
    public void ACopy_LeadsToTheSchemaThatIsThere()
    {
        (int code, string output, string error) = SalternProcess.Run("recipe", "show", "core-salt");
        Assert.True(code == 0, error);
        string line = output.Split('\n').Single(line => line.StartsWith(ShippedSchema.Mark, StringComparison.Ordinal));
        string path = line[ShippedSchema.Mark.Length..];
        Assert.True(Path.IsPathRooted(path) && File.Exists(path), path);
        Assert.Equal(ShippedSchema.Of(ShippedSchema.Recipe), File.ReadAllText(path).TrimEnd('\n'));
    }

    [Fact]
    public void EveryKindOfFile_HasASchema()
    {
        foreach (
            (string kind, string key) in ((string, string)[])
                [("task", "readings"), ("task-group", "domains"), ("cluster", "peak_flops")]
        )
        {
            (int code, string output, string error) = SalternProcess.Run("recipe", "schema", "--of", kind);
            Assert.True(code == 0, error);
            using var schema = JsonDocument.Parse(output);
            Assert.True(schema.RootElement.GetProperty("properties").TryGetProperty(key, out JsonElement _), kind);
        }

        (int wrong, _, string said) = SalternProcess.Run("recipe", "schema", "--of", "task", "--study");
        Assert.Equal(2, wrong);
        Assert.Contains("task and study are 2 schemas", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Schema_KnowsEveryKey_AndWhatItMeans()
    {
        using var schema = JsonDocument.Parse(SalternProcess.Run("recipe", "schema").Output);
        JsonElement properties = schema.RootElement.GetProperty("properties");
        JsonElement weight = properties.GetProperty("distillation").GetProperty("properties").GetProperty("weight");
        Assert.Equal(
            (0, 1, 0.667),
            (
                weight.GetProperty("minimum").GetDouble(),
                weight.GetProperty("maximum").GetDouble(),
                weight.GetProperty("default").GetDouble()
            )
        );
        Assert.Contains(
            "weight of the teacher's term",
            weight.GetProperty("description").GetString(),
            StringComparison.Ordinal
        );
        Assert.Equal(
            ["name", "data", "model", "training"],
            schema.RootElement.GetProperty("required").EnumerateArray().Select(key => key.GetString())
        );
        Assert.Contains(
            "linear_ratio",
            properties
                .GetProperty("distillation")
                .GetProperty("properties")
                .GetProperty("transition")
                .GetProperty("enum")
                .EnumerateArray()
                .Select(word => word.GetString())
        );
        Assert.False(schema.RootElement.GetProperty("additionalProperties").GetBoolean());
        Assert.Contains(
            "\"init_from\"",
            SalternProcess.Run("recipe", "schema", "--finetune").Output,
            StringComparison.Ordinal
        );
        Assert.Contains("\"arms\"", SalternProcess.Run("recipe", "schema", "--study").Output, StringComparison.Ordinal);
    }

    internal static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Saltern.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("Saltern.slnx was not found above the tests.");
    }

    private static string NameIn(string path)
    {
        if (StudyPlan.IsStudy(path))
        {
            return StudyPlan.Read(path, []).Config.Name;
        }

        if (FineTuneConfig.IsRecipe(path))
        {
            return RecipeReader.Read<FineTuneConfig>(path, []).Name;
        }

        return RecipeReader.Read<RunConfig>(path, []).Name;
    }
}
