using System.CommandLine;
using System.Text.Json;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern recipe</c>: what ships, what a recipe says once its defaults are filled in, whether one can be read, and the schema for editors.</summary>
public static class RecipeCommand
{
    /// <summary>The verb.</summary>
    public static Command Create() =>
        new("recipe", "Make, list, show and check recipes.")
        {
            RecipeMakeCommand.Create(),
            List(),
            Presets(),
            Show(),
            Check(),
            Schema(),
        };

    private static Verb List()
    {
        Option<bool> json = CommonOptions.Json();
        var command = new Verb("list", "The recipes and studies that ship with the program.", ["saltern recipe list"])
        {
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, _) =>
                {
                    IReadOnlyList<ShippedRecipe> recipes = ShippedRecipe.All();
                    if (console.IsJson)
                    {
                        Output.Json(JsonSerializer.Serialize(recipes, JsonSerializerOptions.Web));
                        return ExitCode.Done;
                    }

                    int width = recipes.Select(recipe => recipe.Name.Length).DefaultIfEmpty(0).Max() + 2;
                    foreach (IGrouping<string, ShippedRecipe> group in recipes.GroupBy(recipe => recipe.Group))
                    {
                        console.Line($"{group.Key}");
                        foreach (ShippedRecipe recipe in group)
                        {
                            console.Line($"  {Column.Left(recipe.Name, width)}{OneLine(recipe.Purpose)}");
                        }
                    }

                    console.Line(
                        "\n'saltern recipe show NAME' prints one, with its cost and what to expect; 'saltern recipe show NAME > my.yaml' "
                            + "is where an own one begins."
                    );
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static string OneLine(string purpose)
    {
        const int Longest = 84;
        if (purpose.Length <= Longest)
        {
            return purpose;
        }

        return purpose[..purpose.LastIndexOf(' ', Longest - 2)].TrimEnd(',', ':', ';') + " …";
    }

    private static Verb Presets()
    {
        var command = new Verb("presets", "The named model shapes, as a table.", ["saltern recipe presets"]);
        command.SetAction(_ =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    PresetTable.Print(console);
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static Verb Show()
    {
        Argument<string> name = CommonOptions.Recipe("NAME", "Name of a shipped recipe, or a file.", studies: null);
        Option<string[]> set = CommonOptions.Set<RunConfig>();
        var resolved = new Option<bool>("--resolved")
        {
            Description = "With every default and --set filled in, as it would stand in the run folder.",
        };
        var command = new Verb(
            "show",
            "Print a recipe.",
            [
                "saltern recipe show core-salt > my.yaml",
                "saltern recipe show core-salt --resolved --set training.steps=500",
            ]
        )
        {
            name,
            set,
            resolved,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    string path = ShippedRecipe.Find(parsed.GetRequiredValue(name));
                    string[] overrides = parsed.GetRequiredValue(set);
                    if (!parsed.GetValue(resolved) && overrides.Length > 0)
                    {
                        throw new ConfigurationException(
                            "--set changes what a recipe says, not its text. Add --resolved."
                        );
                    }

                    string text = parsed.GetValue(resolved)
                        ? Resolved(path, overrides)
                        : ShippedSchema.WithAbsolutePath(File.ReadAllText(path), path);
                    console.Lines.Write(text);
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static string Resolved(string path, string[] overrides)
    {
        if (StudyPlan.IsStudy(path))
        {
            throw new ConfigurationException(
                $"{path} is a study: its runs' recipes are its base with each arm's keys. Resolve the base instead."
            );
        }

        if (FineTuneConfig.IsRecipe(path))
        {
            return RecipeWriter.Write(RecipeReader.Read<FineTuneConfig>(path, overrides));
        }

        return RecipeWriter.Write(RecipeReader.Read<RunConfig>(path, overrides));
    }

    private static Verb Check()
    {
        Argument<string> file = CommonOptions.Recipe(
            "FILE",
            "Recipe or study: a file, or the name of one that ships.",
            studies: null
        );
        Option<string[]> set = CommonOptions.Set<RunConfig>();
        var command = new Verb(
            "check",
            "Read a recipe or a study and list everything that is wrong with it. Data and teacher are not opened.",
            ["saltern recipe check my.yaml"]
        )
        {
            file,
            set,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    string path = ShippedRecipe.Find(parsed.GetRequiredValue(file));
                    string[] overrides = parsed.GetRequiredValue(set);
                    console.Line($"{path}: {Summary(path, overrides)}. Nothing is wrong with it.");
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static string Summary(string path, string[] overrides)
    {
        if (StudyPlan.IsStudy(path))
        {
            StudyPlan plan = StudyPlan.Read(path, overrides);
            long steps = plan.Runs.Sum(run => (long)run.Recipe.Training.Steps);
            return $"a study of {plan.Config.Arms.Count} arms, {plan.Runs.Count} runs, {steps:N0} steps in all";
        }

        if (FineTuneConfig.IsRecipe(path))
        {
            FineTuneConfig tuning = RecipeReader.Read<FineTuneConfig>(path, overrides);
            return $"fine-tuning of {tuning.InitFrom.Path} on {tuning.Data.Path}";
        }

        RunConfig config = RecipeReader.Read<RunConfig>(path, overrides);
        TrainingConfig training = config.Training;
        return $"{config.Arm}, {training.Steps:N0} steps of {training.BatchSequences} x {config.Data.SequenceLength} tokens";
    }

    private static Verb Schema()
    {
        var of = new Option<string>("--of")
        {
            Description = "Kind of file.",
            DefaultValueFactory = _ => ShippedSchema.Recipe,
        };
        of.AcceptOnlyFromAmong([.. ShippedSchema.Kinds]);

        // As it was asked for before there were more than two.
        var study = new Option<bool>("--study") { Description = "The same as --of study." };
        var tuning = new Option<bool>("--finetune") { Description = "The same as --of finetune." };
        var command = new Verb(
            "schema",
            "Print the JSON schema of a kind of YAML file, for completion in editors.",
            ["saltern recipe schema > saltern.schema.json", "saltern recipe schema --of task > task.schema.json"]
        )
        {
            of,
            study,
            tuning,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: true,
                (_, _) =>
                {
                    List<string> asked = [];
                    if (parsed.GetResult(of) is { Implicit: false })
                    {
                        asked.Add(parsed.GetRequiredValue(of));
                    }

                    if (parsed.GetValue(study))
                    {
                        asked.Add(ShippedSchema.Study);
                    }

                    if (parsed.GetValue(tuning))
                    {
                        asked.Add(ShippedSchema.FineTuning);
                    }

                    if (asked.Distinct().Count() > 1)
                    {
                        throw new ConfigurationException(
                            $"{string.Join(" and ", asked)} are {asked.Count} schemas. Ask for one at a time."
                        );
                    }

                    Output.Json(ShippedSchema.Of(asked.FirstOrDefault() ?? ShippedSchema.Recipe));
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
