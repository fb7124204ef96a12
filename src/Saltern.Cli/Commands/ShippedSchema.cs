using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Configuration;
using Saltern.Evaluation;
using Saltern.FineTuning;
using Saltern.Planning;
using Saltern.Runs;
using Saltern.Studies;

namespace Saltern.Cli.Commands;

/// <summary>The JSON schemas of the YAML files that the program reads. They lie beside its recipes, where the files' own first lines lead editors to them.</summary>
public static class ShippedSchema
{
    /// <summary>What editors with yaml-language-server look for: a schema's path, relative to the file, or its URL.</summary>
    public const string Mark = "# yaml-language-server: $schema=";

    /// <summary>Kind of a recipe.</summary>
    public const string Recipe = "recipe";

    /// <summary>Kind of a recipe of fine-tuning.</summary>
    public const string FineTuning = "finetune";

    /// <summary>Kind of a study.</summary>
    public const string Study = "study";

    private static readonly OrderedDictionary<string, Func<JsonObject>> Schemas = new()
    {
        [Recipe] = () => RecipeSchema.Of<RunConfig>("Saltern recipe"),
        [FineTuning] = () => RecipeSchema.Of<FineTuneConfig>("Saltern recipe of fine-tuning"),
        [Study] = () => RecipeSchema.Of<StudyConfig>("Saltern study"),
        ["task"] = () => RecipeSchema.Of<TaskDefinition>("Saltern task"),
        ["task-group"] = () => RecipeSchema.Of<TaskGroup>("Saltern group of tasks"),
        ["cluster"] = () => RecipeSchema.Of<ClusterConfig>("Saltern machine or cluster"),
    };

    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Kinds of files that have one.</summary>
    public static IReadOnlyList<string> Kinds => [.. Schemas.Keys];

    /// <summary>The schema of a kind, as JSON.</summary>
    /// <param name="kind">One of <see cref="Kinds"/>.</param>
    public static string Of(string kind) => Schemas[kind]().ToJsonString(Readable);

    /// <summary>Name of a kind's file, in the folder <c>schema</c> of the recipes.</summary>
    public static string FileName(string kind) => kind + ".schema.json";

    /// <summary>A line that leads an editor to the schema beside the program; null where that is not there.</summary>
    public static string? LineFor(string kind)
    {
        string path = Path.Combine(ShippedRecipe.Folder, "schema", FileName(kind));
        return File.Exists(path) ? Mark + path : null;
    }

    /// <summary>The text of a file, with the path of its schema made absolute: so that a copy leads to it from anywhere.</summary>
    /// <param name="path">The file, whose folder a relative path counts from.</param>
    public static string WithAbsolutePath(string text, string path)
    {
        int start = text.IndexOf(Mark, StringComparison.Ordinal);
        if (start < 0 || (start > 0 && text[start - 1] != '\n'))
        {
            return text;
        }

        int end = text.IndexOf('\n', start);
        string schema = text[(start + Mark.Length)..(end < 0 ? text.Length : end)].Trim();
        string absolute = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, schema));
        return File.Exists(absolute) ? text.Replace(Mark + schema, Mark + absolute, StringComparison.Ordinal) : text;
    }
}
