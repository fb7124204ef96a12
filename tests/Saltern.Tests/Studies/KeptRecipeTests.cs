using Saltern.Configuration;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Tests.Studies;

public class KeptRecipeTests
{
    private const string Work = "/home/me/work";

    [Theory]
    [InlineData("/home/me/work/data/core", "data/core")]
    [InlineData("/home/me/work", ".")]
    [InlineData("/home/me/workshop/data", "data")]
    [InlineData("/mnt/disk/data/eval/", "eval")]
    [InlineData("data/core", "data/core")]
    [InlineData("../data/core", "../data/core")]
    public void APath_TellsNothingOfTheMachine(string path, string kept) =>
        Assert.Equal(kept, Read(KeptRecipe.Of(RecipeWriter.Write(Recipe(path)), Work)).Data.Path);

    [Fact]
    public void NothingElse_Changes()
    {
        string written = RecipeWriter.Write(Recipe("/mnt/data/core"));
        string kept = KeptRecipe.Of(written, Work);
        Assert.Equal(
            written
                .Replace("/mnt/data/core", "core", StringComparison.Ordinal)
                .Replace("/mnt/items", "items", StringComparison.Ordinal),
            kept
        );
    }

    [Fact]
    public void PathsInLists_AreShortenedToo() =>
        Assert.Equal("tasks: [tasks/a.yaml, b.yaml]\n", KeptRecipe.Of("tasks: [tasks/a.yaml, /mnt/b.yaml]\n", Work));

    private static RunConfig Recipe(string data) =>
        new()
        {
            Name = "kept",
            Data = new() { Path = data },
            Model = new() { Preset = "0.3m" },
            Training = new() { Steps = 10 },
            Evaluation = new() { Tasks = ["tasks/lastword.yaml"], TasksData = "/mnt/items" },
        };

    private static RunConfig Read(string text)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            return RecipeReader.Read<RunConfig>(file, []);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
