using System.Text.Json;

namespace Saltern.ModelFiles;

/// <summary>An object of a <c>config.json</c> that remembers which of its keys were understood; null counts as absent.</summary>
/// <param name="place">Keys that lead here, with a dot behind; empty for the root.</param>
/// <param name="ledger">What happens to the keys of the file.</param>
internal sealed class ConfigJson(string path, string place, JsonElement element, ConfigLedger ledger)
{
    private const int LongestQuote = 80;
    private readonly HashSet<string> _understood = [];
    private readonly HashSet<string> _unasked = [];

    /// <summary>The file, for messages.</summary>
    public string Path => path;

    /// <summary>What happens to the keys of the file.</summary>
    public ConfigLedger Ledger => ledger;

    /// <summary>Whether the key is there, null or not.</summary>
    public bool Has(string key) => element.TryGetProperty(key, out _);

    /// <summary>A whole number; null where absent.</summary>
    public int? Integer(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number))
        {
            return number;
        }

        throw Wrong(key, value, "a whole number");
    }

    /// <summary>A whole number.</summary>
    /// <exception cref="DataFormatException">It is absent.</exception>
    public int RequiredInteger(string key) => Integer(key) ?? throw Missing(key);

    /// <summary>A number; null where absent.</summary>
    public double? Number(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number))
        {
            return number;
        }

        throw Wrong(key, value, "a number");
    }

    /// <summary>True or false; null where absent.</summary>
    public bool? Flag(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return value.GetBoolean();
        }

        throw Wrong(key, value, "true or false");
    }

    /// <summary>A text; null where absent.</summary>
    public string? Text(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString();
        }

        throw Wrong(key, value, "text");
    }

    /// <summary>A list of texts; null where absent.</summary>
    public IReadOnlyList<string>? Texts(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (
            value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
        )
        {
            return [.. value.EnumerateArray().Select(item => item.GetString() ?? "")];
        }

        throw Wrong(key, value, "a list of texts");
    }

    /// <summary>A list of whole numbers; null where absent.</summary>
    public IReadOnlyList<int>? Integers(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (
            value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out _))
        )
        {
            return [.. value.EnumerateArray().Select(item => item.GetInt32())];
        }

        throw Wrong(key, value, "a list of whole numbers");
    }

    /// <summary>A list of anything; null where absent.</summary>
    public IReadOnlyList<JsonElement>? List(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Array)
        {
            return [.. value.EnumerateArray()];
        }

        throw Wrong(key, value, "a list");
    }

    /// <summary>An object inside this one; null where absent.</summary>
    public ConfigJson? Object(string key)
    {
        if (Take(key) is not JsonElement value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Object)
        {
            return new ConfigJson(path, $"{place}{key}.", value, ledger);
        }

        throw Wrong(key, value, "an object");
    }

    /// <summary>Passes over keys without a word: every file has them, and they say nothing about the numbers that the model computes.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            _unasked.Add(key);
        }
    }

    /// <summary>Ends the reading: a key that nobody has asked for may change what the model computes.</summary>
    /// <param name="settles">Whether a key is settled otherwise; null for none.</param>
    /// <exception cref="DataFormatException">There is such a key, it is not null, and the user does not want it ignored.</exception>
    /// <exception cref="ConfigurationException">The user wants a key ignored that is understood.</exception>
    public void RefuseTheRest(Func<JsonProperty, bool>? settles = null)
    {
        ledger.RefuseToIgnore(path, _understood.Where(Has).Select(key => place + key));
        string[] unknown =
        [
            .. element
                .EnumerateObject()
                .Where(key => key.Value.ValueKind != JsonValueKind.Null && !_understood.Contains(key.Name))
                .Where(key => !ledger.Ignores(place + key.Name) && !_unasked.Contains(key.Name))
                .Where(key => settles?.Invoke(key) != true)
                .Select(key => place + key.Name),
        ];
        if (unknown.Length > 0)
        {
            throw new DataFormatException(
                $"{path} has keys that are not understood: {string.Join(", ", unknown.Select(key => $"'{key}'"))}. "
                    + "They may change what the model computes, so it is not loaded. If you know that they do not, "
                    + $"pass over them: {string.Join(" ", unknown.Select(key => $"--ignore-key {key}"))}."
            );
        }
    }

    /// <summary>Complains that a key is missing.</summary>
    public DataFormatException Missing(string key) => new($"{path} is damaged: the key '{place}{key}' is missing.");

    /// <summary>Complains about a value.</summary>
    /// <param name="allowed">What can be computed.</param>
    public DataFormatException Wrong(string key, string found, string allowed) =>
        new($"{path}: {place}{key} is '{found}'. Allowed: {allowed}.");

    private DataFormatException Wrong(string key, JsonElement value, string allowed)
    {
        return Wrong(key, Shown(value), allowed);
    }

    /// <summary>A value for a message: as the file has it, or the beginning of it.</summary>
    public static string Shown(JsonElement value)
    {
        string found = value.GetRawText();
        return found.Length <= LongestQuote ? found : found[..LongestQuote] + "…";
    }

    private JsonElement? Take(string key)
    {
        _understood.Add(key);
        if (element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null)
        {
            return value;
        }

        return null;
    }
}
