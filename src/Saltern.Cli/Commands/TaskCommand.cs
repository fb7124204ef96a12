using System.CommandLine;
using System.Text.Json;
using Saltern.Cli.Terminal;
using Saltern.Evaluation;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern task</c>: the tasks that ship, by name.</summary>
internal static class TaskCommand
{
    /// <summary>The verb.</summary>
    public static Command Create() => new("task", "List and show the tasks that ship.") { List(), Show() };

    private static Verb List()
    {
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "list",
            "The tasks that ship with the program; their data does not (docs/evaluation.md).",
            ["saltern task list"]
        )
        {
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, _) =>
                {
                    IReadOnlyList<ShippedTask> tasks = ShippedTask.All();
                    if (console.IsJson)
                    {
                        Output.Json(JsonSerializer.Serialize(tasks, JsonSerializerOptions.Web));
                        return ExitCode.Done;
                    }

                    int width = tasks.Max(task => task.Name.Length) + 2;
                    foreach (ShippedTask task in tasks.OrderBy(task => task.IsGroup))
                    {
                        console.Line(Column.Left(task.Name, width) + task.Purpose);
                    }

                    console.Line(
                        "\n'saltern eval MODEL --tasks NAME … --data-dir FOLDER' measures; 'saltern task show NAME' "
                            + "prints one: an own one begins there."
                    );
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static Verb Show()
    {
        var name = new Argument<string>("NAME")
        {
            Description = "Name of a shipped task, or a file.",
            HelpName = "NAME",
        };
        name.CompletionSources.Add(_ =>
            ShippedTask.All().Select(task => new System.CommandLine.Completions.CompletionItem(task.Name))
        );
        var command = new Verb("show", "Print a task's file.", ["saltern task show arc_easy > mine.yaml"]) { name };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    console.Lines.Write(File.ReadAllText(ShippedTask.Find(parsed.GetRequiredValue(name))));
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
