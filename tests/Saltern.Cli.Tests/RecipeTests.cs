using Saltern.Configuration;

namespace Saltern.Cli.Tests;

public class RecipeTests
{
    public static TheoryData<string> Recipes => new(Directory.EnumerateFiles(Path.Combine(Root(), "recipes"), "*.yaml").Select(path => Path.GetFileName(path)).Order());

    [Theory]
    [MemberData(nameof(Recipes))]
    public void EveryRecipe_LoadsAndOpensWithPurposeCostAndExpectation(string file)
    {
        string path = Path.Combine(Root(), "recipes", file);
        RunConfig config = RecipeReader.Read<RunConfig>(path, []);
        Assert.Equal(Path.GetFileNameWithoutExtension(file), config.Name);
        string[] head = [.. File.ReadLines(path).TakeWhile(line => line.StartsWith('#'))];
        Assert.StartsWith("# Purpose: ", head[0], StringComparison.Ordinal);
        Assert.Contains(head, line => line.StartsWith("# Cost: ", StringComparison.Ordinal) && line.Contains("Expected: ", StringComparison.Ordinal));
        Assert.DoesNotContain("shared", File.ReadAllText(path), StringComparison.Ordinal);
    }

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Saltern.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("Saltern.slnx was not found above the tests.");
    }
}
