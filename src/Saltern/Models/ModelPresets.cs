namespace Saltern.Models;

/// <summary>Named decoder shapes, from half a million parameters to the paper's sizes.</summary>
/// <remarks>Names give the parameters at the vocabulary in the comment; another vocabulary moves the small ones noticeably.</remarks>
internal static class ModelPresets
{
    private static readonly Dictionary<string, TransformerConfig> Shapes = new()
    {
        ["0.3m"] = Shape(hidden: 64, layers: 4, heads: 2, feedForward: 160), // vocabulary 2,048
        ["0.25m"] = Shape(hidden: 48, layers: 2, heads: 2, feedForward: 128), // vocabulary 4,096
        ["0.5m"] = Shape(hidden: 80, layers: 3, heads: 2, feedForward: 208), // vocabulary 4,096
        ["1m"] = Shape(hidden: 128, layers: 4, heads: 4, feedForward: 352), // vocabulary 2,048
        ["1.3m"] = Shape(hidden: 128, layers: 4, heads: 4, feedForward: 352), // vocabulary 4,096
        ["3.5m"] = Shape(hidden: 192, layers: 6, heads: 3, feedForward: 512), // vocabulary 4,096
        ["7m"] = Shape(hidden: 256, layers: 6, heads: 4, feedForward: 704), // vocabulary 8,192
        ["30m"] = Shape(hidden: 512, layers: 8, heads: 8, feedForward: 1_408), // vocabulary 8,192
        ["120m"] = Shape(hidden: 768, layers: 12, heads: 12, feedForward: 2_048), // vocabulary 32,768
        ["350m"] = Shape(hidden: 1_024, layers: 24, heads: 16, feedForward: 2_816), // vocabulary 32,768

        // arXiv:2410.18779 as recalled: width, heads and layers; 256K vocabulary, tied. 8.6B's shape is our choice at that size.
        ["paper-1.5b"] = Shape(hidden: 1_024, layers: 44, heads: 4, feedForward: 8_192) with
        {
            HeadDim = 256,
            NumKeyValueHeads = 1,
        },
        ["paper-2.8b"] = Shape(hidden: 1_024, layers: 92, heads: 4, feedForward: 8_192) with
        {
            HeadDim = 256,
            NumKeyValueHeads = 1,
        },
        ["paper-8.6b"] = Shape(hidden: 2_048, layers: 73, heads: 8, feedForward: 16_384) with
        {
            HeadDim = 256,
            NumKeyValueHeads = 1,
        },
    };

    /// <summary>Every preset's name.</summary>
    public static IReadOnlyCollection<string> Names => Shapes.Keys;

    /// <summary>The shape behind a name; vocabulary and sequence length stay open.</summary>
    /// <exception cref="ConfigurationException">There is no such preset.</exception>
    public static TransformerConfig Get(string name)
    {
        if (Shapes.TryGetValue(name, out TransformerConfig? shape))
        {
            return shape;
        }

        throw new ConfigurationException($"'{name}' is not a model preset. Allowed: {string.Join(", ", Names)}.");
    }

    private static TransformerConfig Shape(int hidden, int layers, int heads, int feedForward) =>
        new()
        {
            HiddenSize = hidden,
            NumHiddenLayers = layers,
            NumAttentionHeads = heads,
            IntermediateSize = feedForward,
            TieWordEmbeddings = true,
        };
}
