using System.CommandLine;
using Saltern.Cli.Commands;
using Saltern.Cli.Demo;
using Saltern.Cli.Terminal;
using Saltern.Distributed;

namespace Saltern.Cli;

/// <summary>The command line: all verbs, and what their endings mean.</summary>
public static class CommandLine
{
    // The verbs that share their work out over the processes that a launcher started.
    private static readonly string[] AcrossRanks = [PrepareCommand.Name, TeachCommand.Name, TrainCommand.Name, EvalCommand.Name, NcclCheckCommand.Name];

    /// <summary>Runs one command.</summary>
    /// <returns>0 done, 1 failed, 2 wrong usage or recipe, 130 interrupted.</returns>
    public static int Run(string[] args)
    {
        var root = new RootCommand("Trains a large language model with the help of a small one (SALT, arXiv:2410.18779).")
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
            ImportCommand.Create(),
            ExportCommand.Create(),
            CompareCommand.Create(),
            StudyCommand.Create(),
            WatchCommand.Create(),
            RecipeCommand.Create(),
            PlanCommand.Create(),
            NcclCheckCommand.Create(),
        };
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
            {
                Console.Error.WriteLine(error.Message);
            }

            Console.Error.WriteLine($"See 'saltern {parsed.CommandResult.Command.Name} --help'.".Replace("saltern saltern", "saltern", StringComparison.Ordinal));
            return ExitCode.WrongUsage;
        }

        LaunchedProcess launch = RankProcess.Launch;
        if (launch.Size > 1 && !AcrossRanks.Contains(parsed.CommandResult.Command.Name))
        {
            // Otherwise N processes would do the same work, into the same files.
            Console.Error.WriteLine($"{launch.LauncherName} started {launch.Size} processes, but '{parsed.CommandResult.Command.Name}' runs in one. Across ranks work: {string.Join(", ", AcrossRanks.Except([NcclCheckCommand.Name]))}.");
            return ExitCode.WrongUsage;
        }

        // Signals are ours (Interruption): a checkpoint may take longer than the library's grace period.
        return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
    }
}
