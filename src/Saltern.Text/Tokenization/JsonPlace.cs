using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Saltern.Tokenization;

/// <summary>A JSON value and where it stands, so that every complaint can say both.</summary>
/// <param name="Path">Its place, as in "model.merges[12]"; empty for the root.</param>
internal readonly record struct JsonPlace(JsonElement Element, string Path)
{
    private const int LongestQuote = 80;

    /// <summary>The property, which must be there and not null.</summary>
    public JsonPlace Required(string name) =>
        Optional(name)
        ?? throw new DataFormatException($"\"{Child(name)}\" is missing; a tokenizer.json of a byte-level BPE has it");

    /// <summary>The property; null where it is absent or null.</summary>
    public JsonPlace? Optional(string name)
    {
        RequireKind(JsonValueKind.Object, "an object");
        if (Element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
        {
            return new JsonPlace(value, Child(name));
        }

        return null;
    }

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonPlace> Items()
    {
        RequireList();
        var path = Path;
        return Element.EnumerateArray().Select((item, index) => new JsonPlace(item, $"{path}[{index}]"));
    }

    /// <summary>Complains where the value is no array.</summary>
    public void RequireList() => RequireKind(JsonValueKind.Array, "a list");

    /// <summary>The properties of an object.</summary>
    public IEnumerable<(string Name, JsonPlace Value)> Properties()
    {
        RequireKind(JsonValueKind.Object, "an object");
        var path = Path;
        return Element.EnumerateObject().Select(property => (property.Name, new JsonPlace(property.Value, path)));
    }

    /// <summary>The value as text.</summary>
    public string Text()
    {
        RequireKind(JsonValueKind.String, "text");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair: valid JSON, but no text.
            return Fail<string>("text in valid Unicode");
        }
    }

    /// <summary>The value as true or false.</summary>
    public bool Boolean() =>
        Element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => Fail<bool>("true or false"),
        };

    /// <summary>The value as a number.</summary>
    public double Number()
    {
        RequireKind(JsonValueKind.Number, "a number");
        return Element.GetDouble();
    }

    /// <summary>The value as an index below the limit.</summary>
    public int Index(int limit)
    {
        if (
            Element.ValueKind == JsonValueKind.Number
            && Element.TryGetInt32(out var value)
            && value >= 0
            && value < limit
        )
        {
            return value;
        }

        return Fail<int>($"a whole number from 0 to {limit - 1}");
    }

    /// <summary>Complains about this value.</summary>
    /// <exception cref="DataFormatException">Always.</exception>
    [DoesNotReturn]
    public void Fail(string allowed, string? found = null)
    {
        found ??= Element.GetRawText();
        if (found.Length > LongestQuote)
        {
            found = found[..LongestQuote] + " …";
        }

        throw new DataFormatException($"\"{Path}\" is {found}; allowed is {allowed}");
    }

    /// <summary>As the other, where an expression is needed.</summary>
    /// <exception cref="DataFormatException">Always.</exception>
    [DoesNotReturn]
    public T Fail<T>(string allowed)
    {
        Fail(allowed);
        return default;
    }

    private string Child(string name) => Path.Length == 0 ? name : $"{Path}.{name}";

    private void RequireKind(JsonValueKind kind, string description)
    {
        if (Element.ValueKind != kind)
        {
            Fail(description);
        }
    }
}
