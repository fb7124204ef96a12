using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>A config's rotary positions.</summary>
/// <param name="Theta">Base of the frequencies.</param>
/// <param name="Scaling">Their scaling; null for none.</param>
/// <param name="Share">Share of a head that is turned; null where nothing is said.</param>
internal sealed record RotaryConfig(double Theta, RopeScalingConfig? Scaling, double? Share)
{
    private const string LongRope =
        "; it chooses its frequencies by the length of the whole text, "
        + "so that a token's logits change with what follows it";
    private const string OriginalLength = "original_max_position_embeddings";

    /// <summary>Reads both spellings: the base beside <c>rope_scaling</c>, and <c>rope_parameters</c>, which holds all.</summary>
    /// <param name="baseKey">Its older word for the base, beside <c>rope_theta</c>; null for none.</param>
    /// <param name="shareKey">Its older word for the share, beside <c>partial_rotary_factor</c>; null where the family turns whole heads.</param>
    /// <param name="otherwise">The base where nothing is said.</param>
    /// <exception cref="DataFormatException">The spellings disagree, or the kind of scaling is not computed here.</exception>
    public static RotaryConfig Read(
        ConfigJson json,
        string? baseKey = null,
        string? shareKey = null,
        double otherwise = TransformerConfig.DefaultRopeTheta
    )
    {
        double? theta = json.Number("rope_theta");
        theta = baseKey is null ? theta : One(json, baseKey, json.Number(baseKey), theta, "rope_theta");
        double? share = shareKey is null
            ? null
            : One(json, shareKey, json.Number(shareKey), json.Number("partial_rotary_factor"), "partial_rotary_factor");
        ConfigJson? old = json.Object("rope_scaling");
        ConfigJson? parameters = json.Object("rope_parameters");
        if (old is not null && parameters is not null)
        {
            throw json.Wrong("rope_scaling", "set beside rope_parameters", "one of the two");
        }

        if ((parameters ?? old) is not ConfigJson rope)
        {
            return new RotaryConfig(theta ?? otherwise, null, share);
        }

        share = shareKey is null
            ? null
            : One(rope, "partial_rotary_factor", rope.Number("partial_rotary_factor"), share, $"{shareKey} outside");
        return ReadParameters(rope, theta, otherwise) with { Share = share };
    }

    /// <summary>Reads base and scaling of an object such as <c>rope_parameters</c>.</summary>
    /// <param name="theta">The base that stands outside; null for none.</param>
    /// <param name="otherwise">The base where nothing is said.</param>
    public static RotaryConfig ReadParameters(ConfigJson rope, double? theta, double otherwise)
    {
        theta = One(rope, "rope_theta", rope.Number("rope_theta"), theta, "rope_theta outside");
        string? kind = rope.Text("rope_type");
        string? older = rope.Text("type");
        if (kind is not null && older is not null && kind != older)
        {
            throw rope.Wrong("type", older, $"{kind}, as rope_type says");
        }

        RopeScalingConfig? scaling = (kind ?? older ?? "default") switch
        {
            "default" => null,
            "llama3" => ReadScaling(rope, RopeType.Llama3) with
            {
                LowFreqFactor = rope.Number("low_freq_factor") ?? throw rope.Missing("low_freq_factor"),
                HighFreqFactor = rope.Number("high_freq_factor") ?? throw rope.Missing("high_freq_factor"),
                OriginalMaxPositionEmbeddings = rope.Integer(OriginalLength) ?? throw rope.Missing(OriginalLength),
            },
            "linear" => ReadScaling(rope, RopeType.Linear),
            "dynamic" => ReadScaling(rope, RopeType.Dynamic),
            "yarn" => ReadScaling(rope, RopeType.Yarn) with
            {
                OriginalMaxPositionEmbeddings = rope.Integer(OriginalLength),
                AttentionFactor = rope.Number("attention_factor"),
                BetaFast = rope.Number("beta_fast"),
                BetaSlow = rope.Number("beta_slow"),
                Mscale = rope.Number("mscale"),
                MscaleAllDim = rope.Number("mscale_all_dim"),
                Truncate = rope.Flag("truncate"),
            },
            string other => throw rope.Wrong(
                kind is null ? "type" : "rope_type",
                other,
                "default, llama3, linear, dynamic, yarn" + (other is "longrope" or "su" ? LongRope : "")
            ),
        };
        rope.RefuseTheRest();
        return new RotaryConfig(theta ?? otherwise, scaling, null);
    }

    /// <summary>Writes <c>rope_scaling</c> where a shape has one.</summary>
    public static void WriteScaling(JsonObject json, TransformerConfig c)
    {
        if (c.RopeScaling is not RopeScalingConfig scaling)
        {
            return;
        }

        var keys = new JsonObject
        {
            ["rope_type"] = scaling.RopeType.ToString().ToLowerInvariant(),
            ["factor"] = scaling.Factor,
            ["low_freq_factor"] = scaling.LowFreqFactor,
            ["high_freq_factor"] = scaling.HighFreqFactor,
            [OriginalLength] = scaling.OriginalMaxPositionEmbeddings,
            ["attention_factor"] = scaling.AttentionFactor,
            ["beta_fast"] = scaling.BetaFast,
            ["beta_slow"] = scaling.BetaSlow,
            ["mscale"] = scaling.Mscale,
            ["mscale_all_dim"] = scaling.MscaleAllDim,
            ["truncate"] = scaling.Truncate,
        };
        foreach (string key in keys.Where(pair => pair.Value is null).Select(pair => pair.Key).ToArray())
        {
            keys.Remove(key);
        }

        json["rope_scaling"] = keys;
    }

    private static RopeScalingConfig ReadScaling(ConfigJson rope, RopeType type) =>
        new() { RopeType = type, Factor = rope.Number("factor") ?? throw rope.Missing("factor") };

    // The value that two keys give, where not both are silent.
    private static double? One(ConfigJson json, string key, double? value, double? other, string otherKey)
    {
        if (value is null || other is null || value == other)
        {
            return value ?? other;
        }

        throw json.Wrong(key, $"{value}", $"{other}, as {otherKey} says");
    }
}
