using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Saltern.Docs.Tests;

/// <summary>Tables of the keys of a YAML file, made from its JSON schema: what <c>saltern recipe schema</c> prints.</summary>
internal static class RecipeTable
{
    /// <summary>One table for each map of the file: the root first, then its sections in order.</summary>
    /// <param name="schema">Schema of an object.</param>
    /// <param name="level">Headings are of this level.</param>
    public static string Of(JsonObject schema, int level = 2)
    {
        var text = new StringBuilder();
        Add(text, "", schema, level);
        return text.ToString();
    }

    private static void Add(StringBuilder text, string path, JsonObject schema, int level)
    {
        if (path.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{new string('#', level)} `{path}`\n\n");
        }

        if (schema["description"] is { } purpose && path.Length > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Sentence(purpose)}\n\n");
        }

        string[] required = schema["required"] is JsonArray names ? [.. names.Select(name => name!.ToString())] : [];
        text.Append("| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
        var sections = new List<(string Path, JsonObject Schema)>();
        foreach ((string key, JsonNode? node) in schema["properties"]!.AsObject())
        {
            JsonObject value = node!.AsObject();
            string inner = path.Length == 0 ? key : $"{path}.{key}";
            string fallback = value["default"] is { } given ? $"`{Word(given)}`" : "–";
            if (required.Contains(key))
            {
                fallback = "**required**";
            }

            text.Append(
                CultureInfo.InvariantCulture,
                $"| `{key}` | {Value(value)} | {fallback} | {Sentence(value["description"])} |\n"
            );
            if (Sections(value) is { } section)
            {
                sections.Add((value["items"] is null ? inner : inner + "[]", section));
            }
        }

        foreach ((string inner, JsonObject section) in sections)
        {
            Add(text, inner, section, level);
        }
    }

    private static JsonObject? Sections(JsonObject value)
    {
        if (value["anyOf"] is JsonArray forms)
        {
            // A map that may also be given as one value: described as a map.
            return forms.OfType<JsonObject>().First(form => form["properties"] is not null);
        }

        if (value["properties"] is not null)
        {
            return value;
        }

        if (value["items"] is JsonObject items && items["properties"] is not null)
        {
            return items;
        }

        return null;
    }

    private static string Value(JsonObject value)
    {
        if (value["enum"] is JsonArray words)
        {
            return string.Join(", ", words.Select(word => $"`{word}`"));
        }

        return Type(value) + Range(value);
    }

    private static string Type(JsonObject value) =>
        value["type"] switch
        {
            null when value["anyOf"] is not null => "map, below, or its first key's value alone",
            null => "any",
            JsonArray types when types.Any(type => type?.ToString() == "integer") => "`true`, `false`, whole number",
            JsonArray => "text",
            { } type => type.ToString() switch
            {
                "boolean" => "`true`, `false`",
                "integer" => "whole number",
                "array" when Sections(value) is null => "list of " + Value(value["items"]!.AsObject()),
                "array" => "list of maps, below",
                "object" when value["properties"] is null => "map from names to "
                    + Value(value["additionalProperties"]!.AsObject()),
                "object" => "map, below",
                string other => other,
            },
        };

    private static string Range(JsonObject value)
    {
        if (value["minItems"] is { } least)
        {
            string most = value["maxItems"]?.ToString() ?? "";
            if (most.Length == 0)
            {
                return $", {least} at least";
            }

            if (most == least.ToString())
            {
                return $", {least} of them";
            }

            return $", {least} to {most}";
        }

        string low = Bound(value["minimum"] ?? value["exclusiveMinimum"]);
        string high = Bound(value["maximum"] ?? value["exclusiveMaximum"]);
        if (low.Length + high.Length == 0)
        {
            return "";
        }

        return $" in {(value["minimum"] is null ? "(" : "[")}{low}, {high}{(value["maximum"] is null ? ")" : "]")}";
    }

    private static string Bound(JsonNode? bound)
    {
        if (bound is null)
        {
            return "";
        }

        if (bound.GetValue<double>() is var number && Math.Abs(number) > int.MaxValue)
        {
            return number.ToString("0.###e0", CultureInfo.InvariantCulture);
        }

        return number.ToString(CultureInfo.InvariantCulture);
    }

    // JSON text of a number, so that 8e-3 does not become a culture's; words as they stand in the file.
    private static string Word(JsonNode given)
    {
        string word =
            given.GetValueKind() == System.Text.Json.JsonValueKind.String
                ? given.GetValue<string>()
                : given.ToJsonString();
        if (word.Length == 0 || word.Any(char.IsWhiteSpace))
        {
            return given.ToJsonString();
        }

        return word;
    }

    private static string Sentence(JsonNode? description) => MarkdownText.Cell(description?.ToString() ?? "");
}
