using System.Text.Json;

namespace Saltern.Evaluation;

/// <summary>A place in a JSON record, with filters: <c>question.choices[].text</c>, <c>answer|after:####|trim</c>.</summary>
/// <remarks><c>[]</c> is every entry of a list, <c>[2]</c> its third.</remarks>
internal sealed record FieldPath
{
    private readonly string _text;
    private readonly string[] _steps;
    private readonly TextFilter[] _filters;

    private FieldPath(string text, string[] steps, TextFilter[] filters) =>
        (_text, _steps, _filters) = (text, steps, filters);

    /// <summary>Reads the notation.</summary>
    /// <exception cref="FormatException">It is malformed, or a filter is unknown.</exception>
    public static FieldPath Parse(string text)
    {
        string[] parts = text.Split('|');
        string[] steps = parts[0].Trim().Replace("[", ".[", StringComparison.Ordinal).Split('.');
        if (steps.Any(step => step.Length == 0 || (step[0] == '[' && !IsIndex(step))))
        {
            throw new FormatException($"has the field '{text}', which is no path such as question.choices[].text.");
        }

        return new FieldPath(text, steps, [.. parts[1..].Select(TextFilter.Parse)]);
    }

    /// <summary>The field as it was written.</summary>
    public string Notation => _text;

    /// <summary>Whether the record has the field, whatever it holds.</summary>
    public bool Exists(JsonElement record)
    {
        foreach (string step in _steps)
        {
            if (step[0] == '[')
            {
                // An empty list is there too: of its entries nothing is asked.
                if (
                    record.ValueKind != JsonValueKind.Array
                    || (step != "[]" && record.GetArrayLength() <= IndexOf(step))
                )
                {
                    return false;
                }

                if (record.GetArrayLength() == 0)
                {
                    return true;
                }

                record = record[step == "[]" ? 0 : IndexOf(step)];
            }
            else if (record.ValueKind != JsonValueKind.Object || !record.TryGetProperty(step, out record))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The single text at the place.</summary>
    /// <exception cref="DataFormatException">There is none, several, or something that is no text.</exception>
    public string One(JsonElement record)
    {
        if (All(record) is [string only])
        {
            return only;
        }

        throw new DataFormatException($"field '{_text}' holds {All(record).Count} texts, where one is needed");
    }

    /// <summary>All texts at the place: a list gives its entries.</summary>
    /// <exception cref="DataFormatException">Something there is no text.</exception>
    public IReadOnlyList<string> All(JsonElement record)
    {
        IEnumerable<JsonElement> found = [record];
        foreach (string step in _steps)
        {
            found = found.SelectMany(element => Below(element, step)).ToList();
        }

        return [.. found.SelectMany(Entries).Where(element => element.ValueKind != JsonValueKind.Null).Select(Text)];
    }

    private static IEnumerable<JsonElement> Entries(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            return element.EnumerateArray();
        }

        return [element];
    }

    private static IEnumerable<JsonElement> Below(JsonElement element, string step)
    {
        if (step[0] != '[')
        {
            if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(step, out JsonElement below))
            {
                return [below];
            }

            return [];
        }

        if (element.ValueKind != JsonValueKind.Array)
        {
            return [];
        }

        if (step == "[]")
        {
            return [.. element.EnumerateArray()];
        }

        return element.EnumerateArray().Skip(IndexOf(step)).Take(1);
    }

    private string Text(JsonElement element)
    {
        string text = element.ValueKind switch
        {
            JsonValueKind.String => element.GetString()!,
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => element.GetRawText(),
            JsonValueKind.Array => throw NoText("a list of lists"),
            _ => throw NoText("an object"),
        };
        return _filters.Aggregate(text, (value, filter) => filter.Apply(value));
    }

    private DataFormatException NoText(string found) => new($"field '{_text}' is {found}, where a text is needed");

    private static bool IsIndex(string step) =>
        step == "[]" || (step[^1] == ']' && int.TryParse(step[1..^1], out int index) && index >= 0);

    private static int IndexOf(string step) =>
        int.Parse(step[1..^1], System.Globalization.CultureInfo.InvariantCulture);
}
