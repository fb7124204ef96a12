using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.Files;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern recipe make</c>: one dial, and the recipe that it means.</summary>
internal static class RecipeMakeCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var dial = new DialOptions();
        var output = new Option<string?>("--out") { Description = "File for the recipe; standard output by default." };
        var command = new Verb(
            "make",
            "Write the recipe for a size, a data set and perhaps a small model: shape, rate, batch, steps and schedule "
                + "follow, each with its reason.",
            [
                "saltern recipe make --size 7m --data data/core > my.yaml",
                "saltern recipe make --size 3.5m --data data/core --teacher runs/core-teacher --minutes 30 --out my.yaml",
            ]
        )
        {
            output,
        };
        foreach (Option option in dial.All)
        {
            command.Add(option);
        }

        command.SetAction(parsed =>
            CommandRunner.Run(
                json: parsed.GetValue(output) is null, // words go to standard error where the recipe goes to standard output
                (console, cancellation) =>
                {
                    if (parsed.GetValue(dial.Size) == DialOptions.ListSizes)
                    {
                        PresetTable.Print(new Output(json: false));
                        return ExitCode.Done;
                    }

                    string recipe = dial.Recipe(parsed, console, cancellation);
                    if (parsed.GetValue(output) is not string path)
                    {
                        Console.Out.Write(recipe);
                        return ExitCode.Done;
                    }

                    if (File.Exists(path))
                    {
                        throw new ConfigurationException(
                            $"--out = {path} is there already. Choose another name, or remove it."
                        );
                    }

                    WholeFile.WriteText(path, recipe);
                    console.Line($"{path}: 'saltern plan {path}' says what it needs, 'saltern train {path}' runs it.");
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
