using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

/// <summary>Short ways to read a recipe in a test.</summary>
internal static class RecipeText
{
    /// <summary>The least that <see cref="SampleRecipe"/> asks for: two lines.</summary>
    public const string Least = "name: a\nmodel: { hidden_size: 64 }\n";

    public static SampleRecipe Parse(string yaml, params string[] overrides) =>
        RecipeReader.Parse<SampleRecipe>(yaml, "r.yaml", overrides);

    public static IReadOnlyList<string> ProblemsOf(string yaml, params string[] overrides) =>
        Assert.Throws<ConfigurationException>(() => Parse(yaml, overrides)).Problems;

    public static string ProblemOf(string yaml, params string[] overrides) =>
        Assert.Single(ProblemsOf(yaml, overrides));
}
