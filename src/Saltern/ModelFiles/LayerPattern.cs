using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Kinds of layers between the lists of <c>config.json</c>, an entry a layer, and the patterns of a shape, which repeat.</summary>
internal static class LayerPattern
{
    private const string FullAttention = "full_attention";
    private const string SlidingAttention = "sliding_attention";

    /// <summary>The shortest pattern that gives these letters when it is repeated; null where all are the letter that the absence of a pattern means.</summary>
    public static string? Of(IReadOnlyList<char> letters, char otherwise)
    {
        string pattern = new([.. letters]);
        return TransformerConfig.Shortest(pattern, otherwise, letters.Count);
    }

    /// <summary>The window of a shape and which layers have it, from an entry a layer.</summary>
    /// <param name="window">Tokens; null where the file gives none.</param>
    /// <returns>Window 0 where no layer has one.</returns>
    public static (int Window, string? Pattern) Windows(IReadOnlyList<bool> hasWindow, int? window)
    {
        if (window is not int tokens || !hasWindow.Contains(true))
        {
            return (0, null);
        }

        return (tokens, Of([.. hasWindow.Select(has => has ? 'S' : 'L')], 'S'));
    }

    /// <summary>Reads <c>layer_types</c>; null where it is absent.</summary>
    /// <exception cref="DataFormatException">An entry is of another kind, or there are not as many as layers.</exception>
    public static IReadOnlyList<bool>? ReadTypes(ConfigJson json, int layers, int? window)
    {
        if (json.Texts("layer_types") is not IReadOnlyList<string> kinds)
        {
            return null;
        }

        string other = kinds.FirstOrDefault(kind => kind is not (FullAttention or SlidingAttention)) ?? "";
        bool hasWindow = kinds.Contains(SlidingAttention);
        if (other.Length == 0 && kinds.Count == layers && (!hasWindow || window is not null))
        {
            return [.. kinds.Select(kind => kind == SlidingAttention)];
        }

        throw json.Wrong(
            "layer_types",
            other.Length > 0 ? other : $"{kinds.Count} entries",
            $"{FullAttention} or {SlidingAttention} for each of the {layers} layers, with a sliding_window for the latter"
        );
    }

    /// <summary>A positive <c>sliding_window</c>; null where it is absent or null.</summary>
    /// <exception cref="DataFormatException">It is no number of tokens.</exception>
    public static int? ReadWindow(ConfigJson json)
    {
        int? window = json.Integer("sliding_window");
        if (window is <= 0)
        {
            throw json.Wrong("sliding_window", $"{window}", "a positive number of tokens, or null for none");
        }

        return window;
    }

    /// <summary>An entry of <c>layer_types</c> for each layer.</summary>
    public static string[] Types(TransformerConfig c) =>
        [
            .. Enumerable
                .Range(0, c.NumHiddenLayers)
                .Select(layer => c.WindowOf(layer) > 0 ? SlidingAttention : FullAttention),
        ];
}
