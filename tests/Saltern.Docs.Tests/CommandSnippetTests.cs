using System.CommandLine;
using System.CommandLine.Parsing;
using Saltern.Cli;
using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Docs.Tests;

// Every call of the program that a page shows is one that the program takes.
public class CommandSnippetTests
{
    public static TheoryData<string> Pages => [.. Repository.Pages];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Calls_AreOnesThatTheProgramTakes(string page)
    {
        RootCommand program = CommandLine.Create();
        var wrong = new List<string>();
        foreach (CommandSnippet snippet in CommandSnippet.Of(page))
        {
            ParseResult parsed = program.Parse([.. snippet.Arguments]);
            if (Mistake(parsed, snippet) is string mistake)
            {
                wrong.Add($"{snippet.Place}: saltern {string.Join(' ', snippet.Arguments)}: {mistake}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Settings_AreKeysOfTheRecipeThatIsNamed(string page)
    {
        RootCommand program = CommandLine.Create();
        foreach (CommandSnippet snippet in CommandSnippet.Of(page).Where(snippet => snippet.IsWhole))
        {
            ParseResult parsed = program.Parse([.. snippet.Arguments]);
            string? recipe = snippet
                .Arguments.Select(Repository.At)
                .FirstOrDefault(path =>
                    path.EndsWith(".yaml", StringComparison.Ordinal)
                    && path.Contains("recipes/", StringComparison.Ordinal)
                );
            if (recipe is null || parsed.GetResult("--set") is null)
            {
                continue;
            }

            // A recipe that does not ship, or a setting that it would refuse, is a mistake of the page.
            string[] set =
            [
                .. (parsed.GetValue<string[]>("--set") ?? []).Where(setting =>
                    !setting.EndsWith("=value", StringComparison.Ordinal)
                ),
            ];
            try
            {
                if (StudyPlan.IsStudy(recipe))
                {
                    _ = StudyPlan.Read(recipe, set);
                }
                else if (FineTuneConfig.IsRecipe(recipe))
                {
                    _ = RecipeReader.Read<FineTuneConfig>(recipe, set);
                }
                else
                {
                    _ = RecipeReader.Read<RunConfig>(recipe, set);
                }
            }
            catch (ConfigurationException e)
            {
                Assert.Fail($"{snippet.Place}: {e.Message}");
            }
        }
    }

    [Fact]
    public void Calls_AreFound()
    {
        CommandSnippet[] readme = [.. CommandSnippet.Of("README.md")];
        Assert.True(readme.Count(snippet => snippet.IsWhole) >= 15, $"{readme.Length} calls in README.md");
        Assert.Contains(
            readme,
            snippet => snippet.Arguments.SequenceEqual(["generate", "runs/core-salt", "--prompt", "Once upon a time"])
        );
        Assert.Contains(readme, snippet => snippet.Arguments.SequenceEqual(["train", "recipes/core-salt.yaml"]));
    }

    [Theory]
    [InlineData("saltern trian recipe.yaml")]
    [InlineData("saltern train recipe.yaml --resmue x")]
    [InlineData("$ saltern compare runs/a runs/b --reprot r.html")]
    [InlineData("mpirun -np 4 saltern trains recipe.yaml")]
    [InlineData("saltern plan recipe.yaml \\\n  --clutser machine.yaml")]
    public void WrongCalls_AreNoticed(string text)
    {
        CommandSnippet snippet = Assert.Single(CommandSnippet.Of(new MarkdownBlock("page", 1, "sh", text)));
        Assert.NotNull(Mistake(CommandLine.Create().Parse([.. snippet.Arguments]), snippet));
    }

    [Theory]
    [InlineData("train recipe.yaml --resmue")]
    [InlineData("trian recipe.yaml")]
    public void WrongCallsInSentences_AreNoticed(string arguments)
    {
        var snippet = new CommandSnippet("page", arguments.Split(' '), IsWhole: false);
        Assert.NotNull(Mistake(CommandLine.Create().Parse([.. snippet.Arguments]), snippet));
    }

    // A call within a sentence may lack arguments. A verb that takes any number of names takes a misspelt option for one, so those are looked at here.
    private static string? Mistake(ParseResult parsed, CommandSnippet snippet)
    {
        string[] known =
        [
            .. Verbs(parsed.CommandResult)
                .SelectMany(verb => verb.Options)
                .SelectMany(option => option.Aliases.Append(option.Name)),
        ];
        string[] unknown =
        [
            .. parsed
                .UnmatchedTokens.Concat(
                    snippet
                        .Arguments.Where(word => word.StartsWith("--", StringComparison.Ordinal))
                        .Select(word => word.Split('=')[0])
                        .Except(known)
                )
                .Distinct(),
        ];
        if (unknown.Length > 0)
        {
            return "unknown: " + string.Join(' ', unknown);
        }

        if (snippet.IsWhole && parsed.Errors.Count > 0)
        {
            return string.Join(' ', parsed.Errors.Select(error => error.Message));
        }

        return null;
    }

    private static IEnumerable<Command> Verbs(SymbolResult? result)
    {
        for (; result is not null; result = result.Parent)
        {
            if (result is CommandResult verb)
            {
                yield return verb.Command;
            }
        }
    }
}
