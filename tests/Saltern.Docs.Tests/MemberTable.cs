using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Saltern.Docs.Tests;

/// <summary>Tables of the members of a JSON file, made from the record that is written as it and from the documentation comments of its properties.</summary>
internal static partial class MemberTable
{
    private static readonly Lazy<Dictionary<string, string>> Comments = new(ReadComments);

    /// <summary>One table for a record, and one for each record in it.</summary>
    /// <typeparam name="T">What is written.</typeparam>
    /// <param name="level">Headings of the inner tables are of this level.</param>
    public static string Of<T>(int level = 3)
    {
        var text = new StringBuilder();
        var waiting = new Queue<(string Name, Type Type)>([("", typeof(T))]);
        var seen = new HashSet<Type> { typeof(T) };
        while (waiting.TryDequeue(out (string Name, Type Type) next))
        {
            text.Append(next.Name.Length == 0 ? "" : $"\n{new string('#', level)} `{next.Name}`\n\n")
                .Append("| member | value | meaning |\n| --- | --- | --- |\n");
            foreach (PropertyInfo property in Properties(next.Type))
            {
                string name = NameOf(property);
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"| `{name}` | {Value(property)} | {CommentOf(property)} |\n"
                );
                Type inner = Element(property.PropertyType);
                if (IsRecord(inner) && seen.Add(inner))
                {
                    waiting.Enqueue((next.Name.Length == 0 ? name : $"{next.Name}.{name}", inner));
                }
            }
        }

        return text.ToString();
    }

    // A base record's properties come first, as they are written.
    private static IEnumerable<PropertyInfo> Properties(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance)
            .Where(IsWritten)
            .OrderBy(property => property.DeclaringType == type ? 1 : 0)
            .ThenBy(property => property.MetadataToken);

    // What can be set, and what is written besides (JsonInclude) without being part of the API.
    private static bool IsWritten(PropertyInfo property)
    {
        if (property.IsDefined(typeof(JsonIgnoreAttribute)))
        {
            return false;
        }

        return property.IsDefined(typeof(JsonIncludeAttribute))
            || property is { GetMethod.IsPublic: true, SetMethod: not null };
    }

    private static string NameOf(PropertyInfo property) =>
        property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name
        ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);

    private static string Value(PropertyInfo property)
    {
        string words = Words(property.PropertyType);
        if (new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable)
        {
            return words + " or null";
        }

        return words;
    }

    private static string Words(Type type)
    {
        Type bare = Nullable.GetUnderlyingType(type) ?? type;
        Type? generic = bare.IsGenericType ? bare.GetGenericTypeDefinition() : null;
        if (generic == typeof(IReadOnlyDictionary<,>))
        {
            return $"map from names to {Words(bare.GetGenericArguments()[1])}";
        }

        if (generic == typeof(IReadOnlyList<>))
        {
            return $"list of {Words(bare.GetGenericArguments()[0])}";
        }

        if (bare == typeof(string) || bare.IsDefined(typeof(JsonConverterAttribute)))
        {
            return "text";
        }

        if (bare == typeof(bool))
        {
            return "true or false";
        }

        if (bare == typeof(int) || bare == typeof(long))
        {
            return "whole number";
        }

        if (bare == typeof(double))
        {
            return "number";
        }

        if (bare.IsEnum)
        {
            return string.Join(
                ", ",
                Enum.GetNames(bare).Select(word => $"`{JsonNamingPolicy.SnakeCaseLower.ConvertName(word)}`")
            );
        }

        return "object";
    }

    private static Type Element(Type type)
    {
        Type bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare.IsGenericType ? Element(bare.GetGenericArguments()[^1]) : bare;
    }

    private static bool IsRecord(Type type) =>
        type.IsClass && !type.IsDefined(typeof(JsonConverterAttribute)) && type.GetMethod("<Clone>$") is not null;

    private static string CommentOf(PropertyInfo property)
    {
        string type = property.DeclaringType!.FullName!;
        string found =
            Comments.Value.GetValueOrDefault($"P:{type}.{property.Name}")
            ?? Comments.Value.GetValueOrDefault($"{type}({property.Name})")
            ?? "";
        Assert.False(found.Length == 0, $"{type}.{property.Name} has no documentation comment.");
        return MarkdownText.Cell(found);
    }

    // Summaries of properties, and of the parameters that make the properties of positional records.
    private static Dictionary<string, string> ReadComments()
    {
        var comments = new Dictionary<string, string>(StringComparer.Ordinal);
        Type[] assemblies = [typeof(SalternException), typeof(Runs.TrainingRun)];
        foreach (
            XElement member in assemblies.SelectMany(type =>
                XDocument.Load(Path.ChangeExtension(type.Assembly.Location, ".xml")).Descendants("member")
            )
        )
        {
            string name = member.Attribute("name")!.Value;
            if (member.Element("summary") is { } summary)
            {
                comments[name] = Text(summary);
            }

            foreach (
                XElement parameter in name.StartsWith("T:", StringComparison.Ordinal) ? member.Elements("param") : []
            )
            {
                comments[$"{name[2..]}({parameter.Attribute("name")!.Value})"] = Text(parameter);
            }
        }

        return comments;
    }

    private static string Text(XElement comment)
    {
        var copy = new XElement(comment);
        foreach (XElement inner in copy.Descendants().ToArray())
        {
            string? cref = inner.Attribute("cref")?.Value.Split('.')[^1];
            string? word = inner.Attribute("langword")?.Value;
            string text = word ?? inner.Value;
            if (inner.Name == "c")
            {
                text = $"`{inner.Value}`";
            }
            else if (cref is not null && inner.IsEmpty)
            {
                text = $"`{JsonNamingPolicy.SnakeCaseLower.ConvertName(cref)}`";
            }

            inner.ReplaceWith(text);
        }

        return Blanks().Replace(copy.Value, " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
