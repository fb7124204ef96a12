using System.CommandLine;
using System.CommandLine.Parsing;
using Saltern.Cli.Commands;
using Saltern.Cli.Demo;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Distributed;

namespace Saltern.Cli;

/// <summary>The command line: all verbs, and what their endings mean.</summary>
public static class CommandLine
{
    // The verbs that share their work out over the processes that a launcher started.
    private static readonly string[] AcrossRanks =
    [
        PrepareCommand.Name,
        TeachCommand.Name,
        TrainCommand.Name,
        EvalCommand.Name,
        NcclCheckCommand.Name,
    ];

    // The verbs whose result is on the disk; what they print only reports it. "tokenizer train" is among them.
    private static readonly string[] WithResultOnDisk =
    [
        "demo",
        "prepare",
        "teach",
        "select",
        "train",
        "finetune",
        "import",
        "grow",
        "export",
        "study",
    ];

    /// <summary>The verbs with their options, for running and for parsing.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand(
            "Trains a large language model with the help of a small one (SALT, arXiv:2410.18779)."
        )
        {
            DemoCommand.Create(),
            TokenizerCommand.Create(),
            PrepareCommand.Create(),
            TeachCommand.Create(),
            SelectCommand.Create(),
            TrainCommand.Create(),
            FinetuneCommand.Create(),
            BenchCommand.Create(),
            EvalCommand.Create(),
            GenerateCommand.Create(),
            ServeCommand.Create(),
            ImportCommand.Create(),
            GrowCommand.Create(),
            ExportCommand.Create(),
            CompareCommand.Create(),
            ReportCommand.Create(),
            StudyCommand.Create(),
            JudgeCommand.Create(),
            WatchCommand.Create(),
            RecipeCommand.Create(),
            TaskCommand.Create(),
            PlanCommand.Create(),
            CompletionCommand.Create(),
            NcclCheckCommand.Create(),
        };
        HelpWithExamples.AddTo(root);
        return root;
    }

    /// <summary>Runs one command.</summary>
    /// <returns>0 done, 1 failed, 2 wrong usage or recipe, 130 interrupted.</returns>
    public static int Run(string[] args)
    {
        RootCommand root = Create();
        ParseResult parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
        IReadOnlyList<UnknownOption> unknown = UnknownOption.In(parsed, args);
        if (unknown.Count > 0 || parsed.Errors.Count > 0)
        {
            ReportErrors(parsed, unknown);
            return ExitCode.WrongUsage;
        }

        LaunchedProcess launch = RankProcess.Launch;
        if (
            launch.Size > 1
            && !AcrossRanks.Contains(parsed.CommandResult.Command.Name)
            && !args.Contains(BenchCommand.RanksOption)
        )
        {
            // Otherwise N processes would do the same work, into the same files.
            Console.Error.WriteLine(
                $"{launch.LauncherName} started {launch.Size} processes, "
                    + $"but '{parsed.CommandResult.Command.Name}' runs in one. "
                    + $"Across ranks work: {string.Join(", ", AcrossRanks.Except([NcclCheckCommand.Name]))}."
            );
            return ExitCode.WrongUsage;
        }

        if (WithResultOnDisk.Contains(parsed.CommandResult.Command.Name))
        {
            StandardStreams.ReportOnly();
        }

        // Signals are ours (Interruption): a checkpoint may take longer than the library's grace period.
        return parsed.Invoke(
            new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }
        );
    }

    private static void ReportErrors(ParseResult parsed, IReadOnlyList<UnknownOption> unknown)
    {
        Command command = parsed.CommandResult.Command;
        // A verb that was misspelt is the one mistake; that a verb is missing follows from it.
        string? misspelt = command.Subcommands.Count > 0 && parsed.UnmatchedTokens is [var first, ..] ? first : null;
        if (unknown.Count > 0)
        {
            // What else is wrong, such as an option that is missing, mostly follows from them.
            foreach (UnknownOption option in unknown)
            {
                Console.Error.WriteLine($"'{option.Word}' is not an option of '{PathOf(command)}'.{option.Meant}");
            }
        }
        else if (misspelt is not null)
        {
            string advice = WordSuggestion.Sentence(misspelt, command.Subcommands.Select(known => known.Name));
            Console.Error.WriteLine($"'{misspelt}' is not a command of '{PathOf(command)}'.{advice}");
        }
        else
        {
            foreach (ParseError error in parsed.Errors)
            {
                Console.Error.WriteLine(error.Message);
            }
        }

        Console.Error.WriteLine($"See '{PathOf(command)} --help'.");
    }

    private static string PathOf(Command command)
    {
        if (command.Parents.OfType<Command>().FirstOrDefault() is { } parent)
        {
            return $"{PathOf(parent)} {command.Name}";
        }

        return "saltern";
    }
}
