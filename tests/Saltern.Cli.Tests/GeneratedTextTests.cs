using System.Globalization;
using System.Text.RegularExpressions;
using Saltern.Cli.Demo;
using Saltern.Corpora;

namespace Saltern.Cli.Tests;

public class GeneratedTextTests
{
    [Fact]
    public void Generate_SameSeedGivesTheSameText()
    {
        Assert.Equal(Texts(7), Texts(7));
        Assert.NotEqual(Texts(7), Texts(8));
    }

    [Fact]
    public void Generate_GivesTheBytesAskedForInThreeDomains()
    {
        List<TextDocument> documents = [.. GeneratedText.Generate(1, 200_000)];

        Assert.InRange(documents.Sum(document => document.Utf8.Length), 200_000, 203_000);
        Assert.Equal(["records", "stories", "sums"], documents.Select(document => document.Domain).Distinct().Order());
    }

    [Fact]
    public void Generate_IsVaried()
    {
        List<TextDocument> documents = [.. GeneratedText.Generate(2, 2_000_000)];

        Assert.Equal(documents.Count, documents.Select(document => document.Text).Distinct().Count());
    }

    [Fact]
    public void Generate_SumsAreRight()
    {
        int found = 0;
        foreach (
            Match sum in GeneratedText
                .Generate(3, 100_000)
                .SelectMany(document => Regex.Matches(document.Text, @"(\d+) ([+-]) (\d+) = (\d+)"))
        )
        {
            int Number(int group) => int.Parse(sum.Groups[group].Value, CultureInfo.InvariantCulture);
            Assert.Equal(Number(4), sum.Groups[2].Value == "+" ? Number(1) + Number(3) : Number(1) - Number(3));
            found++;
        }

        Assert.InRange(found, 100, int.MaxValue);
    }

    private static List<string> Texts(ulong seed) =>
        [.. GeneratedText.Generate(seed, 20_000).Select(document => document.Text)];
}
