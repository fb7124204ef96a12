using System.Text;
using CsCheck;
using Saltern.Configuration;

namespace Saltern.Tests.Configuration;

public class HostileRecipeTests
{
    [Fact]
    public void AliasBomb_IsRefusedBeforeItGrows()
    {
        var yaml = new StringBuilder("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int level = 1; level < 30; level++)
        {
            string alias = $"*l{level - 1}";
            yaml.Append($"l{level}: &l{level} [{string.Join(", ", Enumerable.Repeat(alias, 10))}]\n");
        }

        // 10 + 1, 111, 1,111, … values: the fifth list would hold 111,111.
        Assert.Equal(
            "r.yaml:5:5: more than 100000 values with aliases written out. A recipe needs some dozens.",
            RecipeText.ProblemOf(yaml.ToString())
        );
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("? ")]
    [InlineData("- ")]
    public void DeepNesting_IsRefused(string opening) =>
        Assert.Contains(
            "more than 64 levels of nesting",
            RecipeText.ProblemOf("a:\n  " + string.Concat(Enumerable.Repeat(opening, 20_000))),
            StringComparison.Ordinal
        );

    [Fact]
    public void DeepAliasChain_IsRefused()
    {
        IEnumerable<string> lines = Enumerable.Range(1, 100).Select(level => $"l{level}: &l{level} [*l{level - 1}]");

        Assert.Equal(
            "r.yaml:65:6: more than 64 levels of nesting. A recipe needs four or five.",
            RecipeText.ProblemOf("l0: &l0 x\n" + string.Join('\n', lines))
        );
    }

    [Fact]
    public void DeepOverride_IsRefused() =>
        Assert.Contains(
            "is not a key path",
            RecipeText.ProblemOf(RecipeText.Least, string.Join('.', Enumerable.Repeat("a", 200_000)) + "=1"),
            StringComparison.Ordinal
        );

    [Fact]
    public void ManyMistakes_AreCutShort()
    {
        IReadOnlyList<string> problems = RecipeText.ProblemsOf(
            RecipeText.Least + string.Join('\n', Enumerable.Range(0, 5000).Select(index => $"key{index}: 1"))
        );

        Assert.Equal(101, problems.Count);
        Assert.Equal("… and 4900 more.", problems[^1]);
    }

    [Fact]
    public void Messages_CarryNoTerminalCommandsAndStayShort()
    {
        Assert.Equal(
            "r.yaml:3:7: seed = \"\\u001b[31m\\u202ered\\u000a\" is text, not an integer. Remove the quotes.",
            RecipeText.ProblemOf(RecipeText.Least + "seed: \"\\e[31m\\u202Ered\\n\"")
        );
        Assert.InRange(RecipeText.ProblemOf(RecipeText.Least + "seed: " + new string('x', 100_000)).Length, 80, 200);
        Assert.InRange(RecipeText.ProblemOf(RecipeText.Least + new string('x', 900) + ": 1").Length, 80, 300);
    }

    [Fact]
    public void LongText_IsRefusedUnread() =>
        Assert.Equal(
            "r.yaml: longer than 1048576 bytes. This is no recipe; check the path.",
            RecipeText.ProblemOf(new string('#', (1 << 20) + 1))
        );

    [Fact]
    public void Read_RefusesWhatIsNoTextFile()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            Assert.Equal(
                $"{folder}/none.yaml: there is no such recipe. Check the path.",
                ReadProblem($"{folder}/none.yaml")
            );
            Assert.Equal($"{folder}: this is a folder. Name the recipe file in it.", ReadProblem(folder));
            File.WriteAllBytes($"{folder}/latin.yaml", [.. "name: "u8, 0xE4]);
            Assert.Equal(
                $"{folder}/latin.yaml: the recipe is not UTF-8 text (byte 6 of the text). Save it as UTF-8.",
                ReadProblem($"{folder}/latin.yaml")
            );
            File.WriteAllBytes($"{folder}/big.yaml", new byte[(1 << 20) + 1]);
            Assert.Equal(
                $"{folder}/big.yaml: longer than 1048576 bytes. This is no recipe; check the path.",
                ReadProblem($"{folder}/big.yaml")
            );
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void AnyText_IsReadOrRefusedWithAMessage()
    {
        // Pieces of YAML in any order reach deeper into the reader than random characters do.
        string[] pieces =
        [
            "name: a",
            "model:",
            "hidden_size: 64",
            "\n",
            "\n  ",
            " ",
            ": ",
            "- ",
            "? ",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "&a ",
            "*a",
            "!x ",
            "|",
            ">-",
            "'",
            "\"",
            "\\",
            "#",
            "%YAML 1.2\n",
            "---",
            "...",
            "\t",
            "\0",
            "é",
            "😀",
            "<<",
            "~",
            "1e9",
            "seed",
            "@",
            "`",
        ];
        Gen.OneOf(Gen.Int[0, pieces.Length - 1].Select(index => pieces[index]), Gen.Char.Select(c => c.ToString()))
            .Array[0, 30]
            .Sample(
                parts =>
                {
                    try
                    {
                        RecipeText.Parse(string.Concat(parts), "seed=" + string.Concat(parts.Take(5)));
                    }
                    catch (ConfigurationException error)
                    {
                        Assert.NotEmpty(error.Problems);
                    }
                },
                iter: 5000
            );
    }

    [Fact]
    public void AFullMebibyte_IsRefusedWithinSeconds()
    {
        TimeSpan before = Environment.CpuUsage.TotalTime;
        string flow = "a: [" + string.Concat(Enumerable.Repeat("1,", 500_000)) + "]";
        string keys = string.Concat(Enumerable.Range(0, 90_000).Select(index => $"k{index}: 1\n"));

        RecipeText.ProblemOf(flow);
        RecipeText.ProblemsOf(keys);

        // Processor time, 1.9 s here; a quadratic reader would need minutes.
        Assert.InRange(Environment.CpuUsage.TotalTime - before, TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    private static string ReadProblem(string path) =>
        Assert.Single(Assert.Throws<ConfigurationException>(() => RecipeReader.Read<SampleRecipe>(path, [])).Problems);
}
