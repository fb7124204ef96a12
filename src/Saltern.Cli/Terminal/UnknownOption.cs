using System.CommandLine;
using System.CommandLine.Parsing;
using Saltern.Configuration;

namespace Saltern.Cli.Terminal;

/// <summary>A word that looks like an option and is none of the command's.</summary>
/// <remarks>The parser alone takes such a word for a path where a list of paths is expected, and for a value after an option: a misspelt option would be a missing run, or a file of that name.</remarks>
/// <param name="Word">The word as it was written.</param>
/// <param name="Meant">What to do instead, with a space before it; empty where nothing is near.</param>
public sealed record UnknownOption(string Word, string Meant)
{
    /// <summary>All such words of a command line, in their order.</summary>
    /// <param name="parsed">What the parser made of it.</param>
    /// <param name="args">The command line.</param>
    public static IReadOnlyList<UnknownOption> In(ParseResult parsed, IReadOnlyList<string> args)
    {
        ArgumentNullException.ThrowIfNull(parsed);
        ArgumentNullException.ThrowIfNull(args);
        if (parsed.Tokens.Any(token => token.Type == TokenType.Directive))
        {
            // Completion asks about a line that is not finished.
            return [];
        }

        List<Option> known =
        [
            .. CommandsUpwards(parsed.CommandResult.Command)
                .SelectMany((command, up) => command.Options.Where(option => up == 0 || option.Recursive)),
        ];
        HashSet<string> names = [.. known.SelectMany(option => option.Aliases.Append(option.Name))];
        var unknown = new List<UnknownOption>();
        for (int i = 0; i < args.Count && args[i] != "--"; i++)
        {
            string name = args[i].Split(['=', ':'], 2)[0];
            if (LooksLikeOption(name) && !names.Contains(name))
            {
                unknown.Add(new UnknownOption(args[i], Advice(args[i], name, i > 0 ? args[i - 1] : "", known)));
            }
        }

        return unknown;
    }

    private static string Advice(string word, string name, string previous, IEnumerable<Option> known)
    {
        string advice = WordSuggestion.Sentence(
            name,
            known.Where(option => !option.Hidden).Select(option => option.Name)
        );
        if (advice.Length > 0)
        {
            return advice;
        }

        if (known.Any(option => option.Name == previous && option.Arity.MaximumNumberOfValues == 1))
        {
            return $" As a value it is written {previous}={word}.";
        }

        if (Path.Exists(word))
        {
            return $" As a path it is written ./{word}.";
        }

        return "";
    }

    private static bool LooksLikeOption(string name)
    {
        string rest = name.TrimStart('-');
        return name.Length - rest.Length is 1 or 2
            && rest.Length > 0
            && char.IsLetter(rest[0])
            && !rest.Any(char.IsWhiteSpace);
    }

    private static IEnumerable<Command> CommandsUpwards(Command command)
    {
        for (Command? each = command; each is not null; each = each.Parents.OfType<Command>().FirstOrDefault())
        {
            yield return each;
        }
    }
}
