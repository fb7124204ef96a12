using System.Text.Json;
using System.Text.RegularExpressions;

namespace Saltern.Evaluation;

/// <summary>Makes one item of several records, where a release has a text line by line.</summary>
internal sealed record TaskJoin
{
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);

    /// <summary>The field that is joined; what else a record has is left out.</summary>
    public required string Field { get; init; }

    /// <summary>A pattern that the first text of an item matches; it may hold several lines itself.</summary>
    public required string Begins { get; init; }

    /// <summary>What an empty text stands for.</summary>
    public string Empty { get; init; } = "";

    /// <summary>What is wrong with the pattern; null where all is well.</summary>
    internal string? Problem()
    {
        try
        {
            _ = Pattern();
            return null;
        }
        catch (ArgumentException e)
        {
            return $"has a pattern under join.begins that cannot be read: {e.Message}";
        }
    }

    /// <summary>Joins records to items. White space before the first is none; the line break that ends an item parts it from the next, and is none's, as where a text is cut at its lines.</summary>
    internal IEnumerable<JsonElement> Join(IEnumerable<JsonElement> records)
    {
        Regex begins = Pattern();
        List<JsonElement> item = [];
        foreach (JsonElement record in records)
        {
            if (begins.IsMatch(Text(record)))
            {
                if (item.Any(HasText))
                {
                    yield return Item(item, isLast: false);
                }

                item.Clear();
            }

            item.Add(record);
        }

        if (item.Any(HasText))
        {
            yield return Item(item, isLast: true);
        }
    }

    private bool HasText(JsonElement record) => !string.IsNullOrWhiteSpace(Text(record));

    private string Text(JsonElement record) => record.GetProperty(Field).GetString() ?? "";

    private Regex Pattern() => new(Begins, RegexOptions.CultureInvariant, PatternTimeout);

    // A record that is an item by itself keeps what else it has.
    private JsonElement Item(List<JsonElement> records, bool isLast)
    {
        if (records is [var only])
        {
            return only;
        }

        string text = string.Concat(records.Select(Text).Select(text => text.Length == 0 ? Empty : text));
        if (!isLast && text.EndsWith('\n'))
        {
            text = text[..^1];
        }

        return JsonSerializer.SerializeToElement(new Dictionary<string, string> { [Field] = text });
    }
}
