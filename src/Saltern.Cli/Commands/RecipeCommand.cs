using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Studies;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern recipe</c>: what ships, what a recipe says once its defaults are filled in, whether one can be read, and the schema for editors.</summary>
public static class RecipeCommand
{
    /// <summary>The verb.</summary>
    public static Command Create() => new("recipe", "List, show and check recipes.") { List(), Show(), Check(), Schema() };

    private static Command List()
    {
        Option<bool> json = CommonOptions.Json();
        var command = new Command("list", "The recipes and studies that ship with the program.") { json };
        command.SetAction(parsed => CommandRunner.Run(parsed.GetValue(json), (console, _) =>
        {
            IReadOnlyList<ShippedRecipe> recipes = ShippedRecipe.All();
            if (console.IsJson)
            {
                Output.Json(JsonSerializer.Serialize(recipes, JsonSerializerOptions.Web));
                return ExitCode.Done;
            }

            foreach (ShippedRecipe recipe in recipes)
            {
                console.Line($"{recipe.Name}\n  {recipe.Purpose}\n  Cost: {recipe.Cost}");
            }

            console.Line("\n'saltern recipe show NAME' prints one; 'saltern recipe show NAME > my.yaml' is where an own one begins.");
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command Show()
    {
        var name = new Argument<string>("NAME") { Description = "Name of a shipped recipe, or a file." };
        Option<string[]> set = Set();
        var resolved = new Option<bool>("--resolved") { Description = "With every default and --set filled in, as it would stand in the run folder." };
        var command = new Command("show", "Print a recipe.") { name, set, resolved };
        command.SetAction(parsed => CommandRunner.Run(json: false, (console, _) =>
        {
            string path = ShippedRecipe.Find(parsed.GetRequiredValue(name));
            string[] overrides = parsed.GetValue(set)!;
            if (!parsed.GetValue(resolved) && overrides.Length > 0)
            {
                throw new ConfigurationException("--set changes what a recipe says, not its text. Add --resolved.");
            }

            console.Lines.Write(parsed.GetValue(resolved) ? RecipeWriter.Write(RecipeReader.Read<RunConfig>(path, overrides)) : File.ReadAllText(path));
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command Check()
    {
        var file = new Argument<string>("FILE") { Description = "Recipe or study." };
        Option<string[]> set = Set();
        var command = new Command("check", "Read a recipe or a study and list everything that is wrong with it. Data and teacher are not opened.") { file, set };
        command.SetAction(parsed => CommandRunner.Run(json: false, (console, _) =>
        {
            string path = ShippedRecipe.Find(parsed.GetRequiredValue(file));
            string[] overrides = parsed.GetValue(set)!;
            if (StudyPlan.IsStudy(path))
            {
                StudyPlan plan = StudyPlan.Read(path, overrides);
                console.Line($"{path}: a study of {plan.Config.Arms.Count} arms, {plan.Runs.Count} runs, {plan.Runs.Sum(run => (long)run.Recipe.Training.Steps):N0} steps in all. Nothing is wrong with it.");
                return ExitCode.Done;
            }

            RunConfig config = RecipeReader.Read<RunConfig>(path, overrides);
            console.Line($"{path}: {config.Arm}, {config.Training.Steps:N0} steps of {config.Training.BatchSequences} x {config.Data.SequenceLength} tokens. Nothing is wrong with it.");
            return ExitCode.Done;
        }));
        return command;
    }

    private static Command Schema()
    {
        var study = new Option<bool>("--study") { Description = "Of a study instead of a recipe." };
        var command = new Command("schema", "Print the JSON schema of a recipe, for completion in editors.") { study };
        command.SetAction(parsed => CommandRunner.Run(json: true, (_, _) =>
        {
            JsonObject schema = parsed.GetValue(study) ? RecipeSchema.Of<StudyConfig>("Saltern study") : RecipeSchema.Of<RunConfig>("Saltern recipe");
            Output.Json(schema.ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
            return ExitCode.Done;
        }));
        return command;
    }

    private static Option<string[]> Set() =>
        new("--set") { Description = "key=value that wins over the recipe, e.g. distillation.weight=0.3.", DefaultValueFactory = _ => [], AllowMultipleArgumentsPerToken = true };
}
