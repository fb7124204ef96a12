using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Saltern.Cli.Terminal;

/// <summary>The library's help, and the examples of the verb under it.</summary>
internal sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
{
    private const string Beginning = """
        Begin with:
          saltern demo                     The whole road in minutes; takes your own text with --text FILE.
          saltern recipe list              What ships; 'saltern train NAME' runs one.
          saltern COMMAND --help           Each ends in an example.
          saltern completion bash          Completion for your shell (bash, zsh or fish).

        """;

    /// <summary>Puts it in the place of the library's help.</summary>
    public static void AddTo(RootCommand root)
    {
        HelpOption option = root.Options.OfType<HelpOption>().Single();
        option.Action = new HelpWithExamples((HelpAction)option.Action!);
    }

    /// <summary>Who asks what a verb needs has not given it yet.</summary>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int code = help.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        switch (parseResult.CommandResult.Command)
        {
            case RootCommand:
                output.WriteLine(Beginning);
                break;
            case Verb { Examples: { Count: > 0 } examples }:
                output.WriteLine(examples.Count == 1 ? "Example:" : "Examples:");
                foreach (string example in examples)
                {
                    output.WriteLine("  " + example);
                }

                output.WriteLine();
                break;
        }

        return code;
    }
}
