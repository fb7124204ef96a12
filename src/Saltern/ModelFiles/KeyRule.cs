using System.Text.Json;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>A key that no family has asked for, in its place.</summary>
/// <param name="Name">The key.</param>
/// <param name="Value">Its value, not null.</param>
/// <param name="Root">The whole file.</param>
/// <param name="Shape">What the family's keys say.</param>
internal readonly record struct KeyInPlace(string Name, JsonElement Value, JsonElement Root, TransformerConfig Shape)
{
    /// <summary>The value as a number; NaN where it is none.</summary>
    public double Number =>
        Value.ValueKind == JsonValueKind.Number && Value.TryGetDouble(out double number) ? number : double.NaN;

    /// <summary>Whether the value is this word, in any case.</summary>
    public bool IsWord(params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            if (
                Value.ValueKind == JsonValueKind.String
                && word.Equals(Value.GetString(), StringComparison.OrdinalIgnoreCase)
            )
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the value is false, 0, or an empty list, object or text.</summary>
    public bool IsNothing() =>
        Value.ValueKind switch
        {
            JsonValueKind.False => true,
            JsonValueKind.Number => Number == 0,
            JsonValueKind.Array => Value.GetArrayLength() == 0,
            JsonValueKind.Object => !Value.EnumerateObject().Any(),
            JsonValueKind.String => Value.ValueEquals(""),
            _ => false,
        };

    /// <summary>Whether the value is a list of entries that are all as wanted.</summary>
    public bool IsListOf(Func<JsonElement, bool> wanted) =>
        Value.ValueKind == JsonValueKind.Array && Value.EnumerateArray().All(wanted);

    /// <summary>Whether the value is true or false, and this one.</summary>
    public bool IsFlag(bool flag) => Value.ValueKind == (flag ? JsonValueKind.True : JsonValueKind.False);

    /// <summary>Whether another key of the file is there and false.</summary>
    public bool Denies(string other) =>
        Root.TryGetProperty(other, out JsonElement flag) && flag.ValueKind == JsonValueKind.False;
}

/// <summary>When keys that no family has asked for can be passed over.</summary>
/// <param name="Says">What they are about.</param>
/// <param name="Keys">The keys; one that ends with * stands for all that begin so.</param>
internal sealed record KeyRule(string Says, params string[] Keys)
{
    /// <summary>The values that change nothing, in words.</summary>
    public string Neutral { get; init; } = "any";

    /// <summary>Whether a value changes nothing; all do where this is null.</summary>
    public Func<KeyInPlace, bool>? Passes { get; init; }

    /// <summary>Whether the keys are dropouts, which are named with their value where that is not 0.</summary>
    public bool IsDropout { get; init; }

    /// <summary>Whether a key is one of these.</summary>
    public bool Covers(string key) =>
        Keys.Any(each => each.EndsWith('*') ? key.StartsWith(each[..^1], StringComparison.Ordinal) : key == each);
}
