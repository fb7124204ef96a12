using Saltern.Configuration;
using Saltern.Models;

namespace Saltern.Growth;

/// <summary>Where every unit of a grown model comes from: layers, channels of the residual stream, heads, feed-forward units.</summary>
internal sealed record GrowthMap
{
    /// <summary>Layers, bottom to top.</summary>
    public required IReadOnlyList<LayerSource> Layers { get; init; }

    /// <summary>Channels of the residual stream, D: all of them again and again, so that its root mean square stays.</summary>
    public required UnitMap Hidden { get; init; }

    /// <summary>Channels of the query heads, H·A.</summary>
    public required UnitMap Query { get; init; }

    /// <summary>Channels of the key/value heads, G·A.</summary>
    public required UnitMap Key { get; init; }

    /// <summary>Units of the feed-forward layer, F.</summary>
    public required UnitMap Inner { get; init; }

    /// <summary>Whether only the number of layers changes.</summary>
    public bool KeepsWidth => Hidden.IsIdentity && Query.IsIdentity && Key.IsIdentity && Inner.IsIdentity;

    /// <summary>Whether nothing grows at all.</summary>
    public bool KeepsAll => KeepsWidth && Layers.All(layer => !layer.IsNew);

    /// <summary>Whether the output head is the embedding, so that the last norm is divided in its place.</summary>
    public required bool IsTied { get; init; }

    /// <summary>Whether one norm goes over all query heads, and one over all key heads.</summary>
    public bool NormsWholeHeads { get; init; }

    /// <summary>Whether there are norms behind the branches.</summary>
    public bool HasNormsAfter { get; init; }

    /// <summary>What stands for a factor of 0: −1 where norms keep w − 1.</summary>
    public double NormOffset { get; init; }

    /// <summary>Whether the grown model computes what the small one does.</summary>
    public bool PreservesFunction => Layers.All(layer => !layer.IsNew || layer.IsSilent);

    /// <summary>Plans how one resolved shape grows into another.</summary>
    /// <param name="what">What is to grow, as the beginning of a sentence: "init_from.grow", "growth[0]".</param>
    /// <exception cref="ConfigurationException">It cannot; every reason is listed, with what would.</exception>
    public static GrowthMap Of(TransformerConfig from, TransformerConfig to, DepthOperator growth, string what)
    {
        var problems = new List<string>();
        IReadOnlyList<LayerSource> layers = [];
        try
        {
            layers = LayerSource.Of(growth, from.NumHiddenLayers, to.NumHiddenLayers);
        }
        catch (ConfigurationException e)
        {
            problems.AddRange(e.Problems);
        }

        problems.AddRange(WidthProblems(from, to));
        problems.AddRange(OtherProblems(from, to));
        problems.AddRange(PatternProblems(from, to, layers));
        if (problems.Count > 0)
        {
            throw new ConfigurationException([.. problems.Select(problem => $"{what}: {problem}")]);
        }

        UnitMap keyHeads = UnitMap.Tile(from.NumKeyValueHeads, to.NumKeyValueHeads);
        UnitMap queryHeads = UnitMap.OfGroups(
            keyHeads,
            from.NumAttentionHeads / from.NumKeyValueHeads,
            to.NumAttentionHeads / to.NumKeyValueHeads
        );
        return new GrowthMap
        {
            Layers = layers,
            IsTied = to.IsTied,
            NormsWholeHeads = to.QkNormWhole,
            HasNormsAfter = to.HasNormsAfter,
            NormOffset = to.NormUnitOffset ? -1 : 0,
            Hidden = UnitMap.Tile(from.HiddenSize, to.HiddenSize),
            Query = queryHeads.Expand(to.HeadDim),
            Key = keyHeads.Expand(to.HeadDim),
            Inner = UnitMap.Tile(from.IntermediateSize, to.IntermediateSize),
        };
    }

    private static IEnumerable<string> WidthProblems(TransformerConfig from, TransformerConfig to)
    {
        if (to.HiddenSize % from.HiddenSize != 0)
        {
            int below = Math.Max(1, to.HiddenSize / from.HiddenSize) * from.HiddenSize;
            yield return $"hidden_size {from.HiddenSize} cannot become {to.HiddenSize}: every channel is copied equally often, "
                + $"or the norms would change. Take a multiple, such as {below} or {below + from.HiddenSize}.";
        }

        if (to.ScaleEmbeddings && to.HiddenSize != from.HiddenSize)
        {
            yield return $"hidden_size {from.HiddenSize} cannot become {to.HiddenSize}: "
                + "scale_embeddings multiplies the embedding by its root, which would be another. "
                + "Grow in depth, or in heads and feed-forward units.";
        }

        if (to.HeadDim != from.HeadDim)
        {
            yield return $"heads of {from.HeadDim} channels cannot become heads of {to.HeadDim}: "
                + "their rotary positions and their scale would change. Grow the number of heads: "
                + $"with hidden_size {to.HiddenSize}, {to.HiddenSize / from.HeadDim} heads of head_dim {from.HeadDim}.";
            yield break;
        }

        if (to.NumKeyValueHeads % from.NumKeyValueHeads != 0)
        {
            yield return $"num_key_value_heads {from.NumKeyValueHeads} cannot become {to.NumKeyValueHeads}. "
                + $"Take a multiple of {from.NumKeyValueHeads}.";
        }

        if (to.NumAttentionHeads < from.NumAttentionHeads || to.NumAttentionHeads % from.NumAttentionHeads != 0)
        {
            yield return $"num_attention_heads {from.NumAttentionHeads} cannot become {to.NumAttentionHeads}. "
                + $"Take a multiple of {from.NumAttentionHeads}.";
        }

        if (to.IntermediateSize < from.IntermediateSize)
        {
            yield return $"intermediate_size {from.IntermediateSize} cannot become {to.IntermediateSize}: growth adds units. "
                + $"Give at least {from.IntermediateSize}.";
        }
    }

    // A copy of a layer has its window and its positions.
    private static IEnumerable<string> PatternProblems(
        TransformerConfig from,
        TransformerConfig to,
        IReadOnlyList<LayerSource> layers
    )
    {
        for (int i = 0; i < layers.Count; i++)
        {
            int source = layers[i].Layer;
            if (to.WindowOf(i) > 0 == from.WindowOf(source) > 0 && to.IsRotated(i) == from.IsRotated(source))
            {
                continue;
            }

            yield return $"layer {i} would be a copy of layer {source}, whose kind is another by window_pattern or rope_pattern. "
                + "Take 'stack' with whole repetitions of the pattern.";
            yield break;
        }
    }

    // What growth does not touch must be the same on both sides.
    private static IEnumerable<string> OtherProblems(TransformerConfig from, TransformerConfig to)
    {
        TransformerConfig same = to with
        {
            Preset = from.Preset,
            NumHiddenLayers = from.NumHiddenLayers,
            HiddenSize = from.HiddenSize,
            NumAttentionHeads = from.NumAttentionHeads,
            NumKeyValueHeads = from.NumKeyValueHeads,
            HeadDim = from.HeadDim,
            IntermediateSize = from.IntermediateSize,
            InitializerRange = from.InitializerRange,

            // Compared layer by layer.
            WindowPattern = from.WindowPattern,
            RopePattern = from.RopePattern,
            // Rotary positions have no weights: their number may be another.
            MaxPositionEmbeddings = to.NeedsPositions ? to.MaxPositionEmbeddings : from.MaxPositionEmbeddings,
        };
        foreach (RecipeChange change in RecipeDiff.Compare(from, same))
        {
            yield return $"{change.Path} is {change.Before ?? "not given"} in the small model "
                + $"and {change.After ?? "not given"} in the large one. "
                + "Growth changes layers, heads and widths alone: give both the same.";
        }
    }
}
