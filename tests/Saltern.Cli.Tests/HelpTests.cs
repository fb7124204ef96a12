using System.CommandLine;
using Saltern.Cli.Terminal;

namespace Saltern.Cli.Tests;

// What a newcomer reads first.
public class HelpTests
{
    public static TheoryData<string> Verbs => new(Leaves(CommandLine.Create(), "").Select(leaf => leaf.Path));

    [Theory]
    [MemberData(nameof(Verbs))]
    public void EveryVerb_ShowsAnExampleOfItself_ThatParses(string path)
    {
        RootCommand root = CommandLine.Create();
        Verb verb = Leaves(root, "").Single(leaf => leaf.Path == path).Verb;
        Assert.NotEmpty(verb.Examples);
        Assert.All(
            verb.Examples,
            example =>
            {
                // A launcher may stand before it.
                int start = example.StartsWith("mpirun -np ", StringComparison.Ordinal)
                    ? example.IndexOf("saltern ", StringComparison.Ordinal)
                    : 0;
                Assert.StartsWith($"saltern {path}", example[start..], StringComparison.Ordinal);
                // What the shell takes for itself: a redirection or a comment.
                string own = example[(start + "saltern ".Length)..].Split([" > ", " #"], StringSplitOptions.None)[0];
                ParseResult parsed = root.Parse(own);
                Assert.Empty(parsed.Errors);
                Assert.Same(verb, parsed.CommandResult.Command);
            }
        );

        using var output = new StringWriter();
        ParseResult asked = root.Parse(path + " --help");
        Assert.Empty(asked.Errors); // the program reports errors before it runs anything, and what a verb requires is missing here
        Assert.Equal(0, asked.Invoke(new InvocationConfiguration { Output = output }));
        Assert.All(output.ToString().Split('\n'), line => Assert.True(line.Length <= 240, line));
        Assert.All(
            verb.Examples,
            example => Assert.Contains("\n  " + example, output.ToString(), StringComparison.Ordinal)
        );
        Assert.All(
            verb.Options.Where(option => !option.Hidden),
            option =>
                Assert.False(string.IsNullOrWhiteSpace(option.Description), $"{option.Name} of {path} says nothing")
        );
    }

    [Fact]
    public void TheProgramAlone_SaysWhereToBegin()
    {
        (int code, string output, string error) = SalternProcess.Run();
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Begin with:", output, StringComparison.Ordinal);
        Assert.Contains("saltern demo", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("trian", "'trian' is not a command of 'saltern'. Did you mean train?", "See 'saltern --help'.")]
    [InlineData(
        "recipe lst",
        "'lst' is not a command of 'saltern recipe'. Did you mean list?",
        "See 'saltern recipe --help'."
    )]
    [InlineData(
        "recipe show",
        "Required argument 'NAME' missing for command: 'show'.",
        "See 'saltern recipe show --help'."
    )]
    public void AMisspeltOrBareVerb_IsAnsweredInTwoLines(string arguments, string first, string second)
    {
        (int code, string output, string error) = SalternProcess.Run(arguments.Split(' '));
        Assert.Equal((2, ""), (code, output));
        Assert.Equal([first, second], error.TrimEnd().Split('\n'));
    }

    private static IEnumerable<(string Path, Verb Verb)> Leaves(Command command, string path)
    {
        if (command is Verb verb)
        {
            return [(path, verb)];
        }

        return command.Subcommands.SelectMany(inner =>
            Leaves(inner, path.Length == 0 ? inner.Name : $"{path} {inner.Name}")
        );
    }
}
