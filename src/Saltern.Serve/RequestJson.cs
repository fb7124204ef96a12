using System.Text.Json;

namespace Saltern.Serve;

/// <summary>Reads a request's keys strictly: a value of another type or out of range is an error that names the key; keys that nothing here does anything with are listed.</summary>
internal sealed class RequestJson
{
    private readonly JsonElement _root;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>Takes the body of a request.</summary>
    /// <exception cref="ApiException">It is no JSON object.</exception>
    public RequestJson(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new ApiException(400, "The body of the request is no JSON object.");
        }

        _root = root;
    }

    /// <summary>Keys that were never asked for and hold something.</summary>
    public IEnumerable<string> Unread =>
        _root
            .EnumerateObject()
            .Where(property => property.Value.ValueKind != JsonValueKind.Null && !_read.Contains(property.Name))
            .Select(property => property.Name);

    /// <summary>A key's value; null where it is absent or null.</summary>
    public JsonElement? Value(string key)
    {
        _read.Add(key);
        return _root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    /// <summary>A whole number.</summary>
    /// <exception cref="ApiException">It is none, or out of range.</exception>
    public int? Integer(string key, int least, int most)
    {
        if (Value(key) is not { } value)
        {
            return null;
        }

        if (
            value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out int number)
            && number >= least
            && number <= most
        )
        {
            return number;
        }

        throw new ApiException(400, $"{key} = {Shown(value)} is no whole number from {least} to {most}.", key);
    }

    /// <summary>A number.</summary>
    /// <exception cref="ApiException">It is none, or out of range.</exception>
    public double? Number(string key, double least, double most)
    {
        if (Value(key) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.GetDouble() >= least && value.GetDouble() <= most)
        {
            return value.GetDouble();
        }

        throw new ApiException(
            400,
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"{key} = {Shown(value)} is no number from {least} to {most}."
            ),
            key
        );
    }

    /// <summary>Yes or no; no where it is absent.</summary>
    /// <exception cref="ApiException">It is neither.</exception>
    public bool Flag(string key) =>
        Value(key) switch
        {
            null or { ValueKind: JsonValueKind.False } => false,
            { ValueKind: JsonValueKind.True } => true,
            { } value => throw new ApiException(400, $"{key} = {Shown(value)} is neither true nor false.", key),
        };

    /// <summary>One text or several; empty where the key is absent.</summary>
    /// <exception cref="ApiException">It is something else.</exception>
    public IReadOnlyList<string> Texts(string key)
    {
        if (Value(key) is not { } value)
        {
            return [];
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return [value.GetString()!];
        }

        if (
            value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
        )
        {
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        }

        throw new ApiException(400, $"{key} is neither a text nor a list of texts.", key);
    }

    private static string Shown(JsonElement value)
    {
        string raw = value.GetRawText();
        return raw.Length <= 40 ? raw : raw[..40] + "…";
    }
}
