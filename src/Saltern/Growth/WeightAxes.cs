namespace Saltern.Growth;

/// <summary>What the rows and columns of a named weight are: where growth takes them from, and what it divides by.</summary>
/// <param name="Rows">Units that the weight writes, or that a vector is of; null where rows stay (token ids, positions, channels of one head).</param>
/// <param name="Columns">Units along the columns; null for a vector.</param>
/// <param name="Reads">Whether the columns are summed over, so that copies share the weight; an embedding's are looked up.</param>
internal sealed record WeightAxes(UnitMap? Rows, UnitMap? Columns, bool Reads)
{
    /// <summary>The axes of a weight.</summary>
    /// <param name="name">As the model's layout has it: <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
    public static WeightAxes Of(string name, GrowthMap map)
    {
        string[] parts = name.Split('.');
        bool isMatrix = parts[^1] == "weight";
        UnitMap? hiddenOfMatrix = isMatrix ? map.Hidden : null;
        return parts[^2] switch
        {
            "embed_tokens" or "embed_positions" => new WeightAxes(null, map.Hidden, Reads: false),
            "lm_head" => new WeightAxes(null, hiddenOfMatrix, Reads: isMatrix),
            "q_proj" => new WeightAxes(map.Query, hiddenOfMatrix, Reads: true),
            "k_proj" or "v_proj" => new WeightAxes(map.Key, hiddenOfMatrix, Reads: true),
            "q_norm" => new WeightAxes(map.NormsWholeHeads ? map.Query : null, null, Reads: false),
            "k_norm" => new WeightAxes(map.NormsWholeHeads ? map.Key : null, null, Reads: false),
            "o_proj" => new WeightAxes(map.Hidden, isMatrix ? map.Query : null, Reads: true),
            "gate_proj" or "up_proj" => new WeightAxes(map.Inner, hiddenOfMatrix, Reads: true),
            "down_proj" => new WeightAxes(map.Hidden, isMatrix ? map.Inner : null, Reads: true),

            // The norms.
            "input_layernorm"
            or "post_attention_layernorm"
            or "pre_feedforward_layernorm"
            or "post_feedforward_layernorm"
            or "norm" => new WeightAxes(map.Hidden, null, Reads: false),
            _ => throw new ArgumentException($"{name} is no weight that growth knows.", nameof(name)),
        };
    }

    /// <summary>Whether a weight is the last before the residual stream, the projection or the norm behind it: a factor of 0 in a layer that adds nothing yet.</summary>
    public static bool IsIntoResidual(string name, GrowthMap map)
    {
        string kind = name.Split('.')[^2];
        if (map.HasNormsAfter)
        {
            // Behind a projection of 0 the norm would make whole steps of the first small ones.
            return kind is "post_attention_layernorm" or "post_feedforward_layernorm";
        }

        return kind is "o_proj" or "down_proj";
    }

    /// <summary>The layer of a weight, from 0; null for one outside the layers.</summary>
    public static int? LayerOf(string name)
    {
        string[] parts = name.Split('.');
        int at = Array.IndexOf(parts, "layers");
        return at < 0 ? null : int.Parse(parts[at + 1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The name of the weight that a grown model's weight comes from.</summary>
    public static string SourceOf(string name, GrowthMap map)
    {
        if (LayerOf(name) is not int layer)
        {
            return name;
        }

        string[] parts = name.Split('.');
        parts[Array.IndexOf(parts, "layers") + 1] = map.Layers[layer]
            .Layer.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return string.Join('.', parts);
    }
}
