using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Saltern.Configuration;

/// <summary>JSON schema (draft 2020-12) of a recipe, made from the records that read it, so that editors complete keys and show what they mean.</summary>
/// <remarks>It says what a schema can say: keys, types, ranges, words. What several keys say together only <see cref="RecipeReader"/> checks.</remarks>
internal static partial class RecipeSchema
{
    /// <summary>The schema of a record.</summary>
    /// <param name="title">What the schema is called.</param>
    /// <returns>A JSON object; descriptions are the documentation comments of the properties, where their XML file lies beside the assembly.</returns>
    public static JsonObject Of<T>(string title)
        where T : class
    {
        var schema = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = title };
        foreach ((string key, JsonNode? value) in Of(ValueShape.Of(typeof(T)), Comments(typeof(T).Assembly)).ToArray())
        {
            schema[key] = value?.DeepClone();
        }

        return schema;
    }

    private static JsonObject Of(ValueShape shape, IReadOnlyDictionary<string, string> comments) =>
        shape switch
        {
            RecordShape { ShortForm: string only } record => new JsonObject
            {
                ["anyOf"] = new JsonArray(Of(record.Keys[only].Shape, comments), OfRecord(record, comments)),
            },
            RecordShape record => OfRecord(record, comments),
            ListShape list => new JsonObject { ["type"] = "array", ["items"] = Of(list.Element, comments) },
            DictionaryShape dictionary => new JsonObject
            {
                ["type"] = "object",
                ["additionalProperties"] = Of(dictionary.Element, comments),
            },
            EnumShape words => new JsonObject
            {
                ["enum"] = new JsonArray([.. words.Values.Keys.Select(word => (JsonNode)word)]),
            },
            _ => OfScalar(shape.Type),
        };

    private static JsonObject OfRecord(RecordShape record, IReadOnlyDictionary<string, string> comments)
    {
        var properties = new JsonObject();
        object defaults = record.Create();
        foreach ((string name, KeyShape key) in record.Keys)
        {
            JsonObject value = Of(key.Shape, comments);
            foreach (ValidationAttribute check in key.Checks)
            {
                Restrict(check is RangeAttribute && value["items"] is JsonObject items ? items : value, check);
            }

            if (
                comments.TryGetValue(
                    $"P:{key.Property.DeclaringType!.FullName}.{key.Property.Name}",
                    out string? comment
                )
            )
            {
                value["description"] = comment;
            }

            if (key is { IsRequired: false, Shape: ScalarShape or EnumShape } && key.Get(defaults) is { } given)
            {
                value["default"] = DefaultOf(key.Shape, given);
            }

            properties[name] = value;
        }

        var schema = new JsonObject
        {
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["properties"] = properties,
        };
        string[] required = [.. record.Keys.Where(key => key.Value.IsRequired).Select(key => key.Key)];
        if (required.Length > 0)
        {
            schema["required"] = new JsonArray([.. required.Select(name => (JsonNode)name)]);
        }

        return schema;
    }

    private static JsonValue? DefaultOf(ValueShape shape, object value) =>
        value switch
        {
            _ when shape is EnumShape words => JsonValue.Create(words.WordOf(value)),
            bool flag => JsonValue.Create(flag),
            int number => JsonValue.Create(number),
            long number => JsonValue.Create(number),
            double number => JsonValue.Create(number),
            _ => JsonValue.Create(value.ToString()),
        };

    private static JsonObject OfScalar(Type type) =>
        new()
        {
            ["type"] = Type.GetTypeCode(type) switch
            {
                TypeCode.Boolean => "boolean",
                TypeCode.Int32 or TypeCode.Int64 => "integer",
                _ when type == typeof(LayerCount) => new JsonArray("boolean", "integer"),

                // A recipe may say a number where text is meant, as in the keys of a study's arms.
                TypeCode.String => new JsonArray("string", "number", "boolean"),
                _ => "number",
            },
        };

    private static void Restrict(JsonObject value, ValidationAttribute check)
    {
        switch (check)
        {
            case RangeAttribute range:
                value[range.MinimumIsExclusive ? "exclusiveMinimum" : "minimum"] = Convert.ToDouble(
                    range.Minimum,
                    CultureInfo.InvariantCulture
                );
                value[range.MaximumIsExclusive ? "exclusiveMaximum" : "maximum"] = Convert.ToDouble(
                    range.Maximum,
                    CultureInfo.InvariantCulture
                );
                break;
            case MinLengthAttribute least when value["type"]?.ToString() == "array":
                value["minItems"] = least.Length;
                break;
            case LengthAttribute both when value["type"]?.ToString() == "array":
                (value["minItems"], value["maxItems"]) = (both.MinimumLength, both.MaximumLength);
                break;
            case AllowedValuesAttribute allowed:
                value["enum"] = new JsonArray([.. allowed.Values.Select(each => JsonValue.Create(each))]);
                break;
        }
    }

    // <summary> of every property, as one line.
    private static Dictionary<string, string> Comments(Assembly assembly)
    {
        string file = Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml");
        if (File.Exists(file))
        {
            return XDocument
                .Load(file)
                .Descendants("member")
                .Where(member => member.Attribute("name") is not null && member.Element("summary") is not null)
                .GroupBy(member => member.Attribute("name")!.Value)
                .ToDictionary(member => member.Key, member => Words(member.First().Element("summary")!));
        }

        return [];
    }

    private static string Words(XElement summary)
    {
        foreach (
            XElement reference in summary
                .Descendants()
                .Where(element => element.Attribute("cref") is not null && element.IsEmpty)
                .ToArray()
        )
        {
            reference.ReplaceWith(reference.Attribute("cref")!.Value.Split('.')[^1]);
        }

        return Blanks().Replace(summary.Value, " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
