using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

public class RecipeDiffTests
{
    [Fact]
    public void Compare_GivesChangedKeysWithBothValues()
    {
        SampleRecipe before = RecipeText.Parse(
            RecipeText.Least + "distillation: { start: 1, end: 5 }\nmixture: { a: 0.5, b.c: 0.5 }\ntasks: [{ name: x }]"
        );
        SampleRecipe after = RecipeText.Parse(
            RecipeText.Least
                + "distillation: { start: 1.0 }\nmixture: { a: 0.25, b.c: 0.25, d: 1 }\noptimizer: { betas: [0.9, 0.99] }\ntasks: "
                + "[{ name: y }]",
            "name=b"
        );

        Assert.Equal(
            [
                new("name", "a", "b", AltersNumbers: false),
                new("distillation.start", "1", "1.0", AltersNumbers: true),
                new("distillation.end", "5", null, AltersNumbers: true),
                new("optimizer.betas", "[0.9, 0.95]", "[0.9, 0.99]", AltersNumbers: true),
                new("mixture.a", "0.5", "0.25", AltersNumbers: true),
                new("mixture.\"b.c\"", "0.5", "0.25", AltersNumbers: true),
                new("tasks[0].name", "x", "y", AltersNumbers: false),
                new("mixture.d", null, "1.0", AltersNumbers: true),
            ],
            RecipeDiff.Compare(before, after)
        );
    }

    [Fact]
    public void Compare_SeesASectionComeAndGo()
    {
        SampleRecipe without = RecipeText.Parse(RecipeText.Least);
        SampleRecipe with = without with { Distillation = new SampleDistillation() };

        Assert.Equal(
            ["distillation.weight", "distillation.transition", "distillation.start"],
            RecipeDiff.Compare(without, with).Select(change => change.Path)
        );
        Assert.All(RecipeDiff.Compare(with, without), change => Assert.Null(change.After));
    }

    [Fact]
    public void Compare_TellsOneTextFromTwo()
    {
        var one = new Words { List = ["a, b"] };
        var two = new Words { List = ["a", "b"] };

        Assert.Equal([new("list", "[\"a, b\"]", "[a, b]", AltersNumbers: true)], RecipeDiff.Compare(one, two));
    }

    [Fact]
    public void Compare_OfEqualRecipesIsEmpty() =>
        Assert.Empty(RecipeDiff.Compare(RecipeText.Parse(RecipeText.Least), RecipeText.Parse(RecipeText.Least)));

    public sealed record Words
    {
        public IReadOnlyList<string> List { get; init; } = [];
    }
}
