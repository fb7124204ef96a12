using Saltern.Configuration;
using Saltern.Runs;

namespace Saltern.Tests.Configuration;

public class LayerCountTests
{
    private const string Least = "name: x\ndata: { path: data/x }\nmodel: { preset: 1.3m }\n";

    [Theory]
    [InlineData("true", 24, 24)]
    [InlineData("false", 24, 0)]
    [InlineData("0", 24, 0)]
    [InlineData("12", 24, 12)]
    [InlineData("30", 24, 24)]
    public void Recompute_IsAllNoneOrTheFirstSoMany(string text, int layers, int expected)
    {
        LayerCount count = Read(text).Training.Recompute;
        Assert.Equal(expected, count.Resolve(layers));
        Assert.Equal(expected == 0, count.IsNone);

        // What is written is read back as the same.
        Assert.Equal(count, Read(count.ToString()).Training.Recompute);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("half")]
    public void AnythingElse_IsAnError(string text)
    {
        string message = Assert.Throws<ConfigurationException>(() => Read(text)).Message;
        Assert.Contains("training.recompute", message, StringComparison.Ordinal);
    }

    [Fact]
    public void NegativeCounts_AreRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => LayerCount.Of(-1));

    private static RunConfig Read(string text)
    {
        using var folder = new TemporaryFolder();
        string path = folder["recipe.yaml"];
        File.WriteAllText(path, $"{Least}training: {{ steps: 10, recompute: {text} }}\n");
        return RecipeReader.Read<RunConfig>(path, []);
    }
}
