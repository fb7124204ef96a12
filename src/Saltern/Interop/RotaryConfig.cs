using Saltern.Models;

namespace Saltern.Interop;

/// <summary>Reads a config's rotary positions in both spellings: <c>rope_theta</c> with <c>rope_scaling</c>, and <c>rope_parameters</c>, which holds all.</summary>
internal static class RotaryConfig
{
    private const double DefaultTheta = 10_000.0;

    /// <summary>Base and scaling; null for no scaling.</summary>
    /// <exception cref="DataFormatException">The two spellings disagree, or the kind of scaling is not computed here.</exception>
    public static (double Theta, RopeScalingConfig? Scaling) Read(ConfigJson json)
    {
        double? theta = json.Number("rope_theta");
        ConfigJson? old = json.Object("rope_scaling"), parameters = json.Object("rope_parameters");
        if (old is not null && parameters is not null)
        {
            throw json.Wrong("rope_scaling", "set beside rope_parameters", "one of the two");
        }

        if ((parameters ?? old) is not ConfigJson rope)
        {
            return (theta ?? DefaultTheta, null);
        }

        if (rope.Number("rope_theta") is double inner)
        {
            theta = theta is null || theta == inner ? inner : throw rope.Wrong("rope_theta", $"{inner}", $"{theta}, as rope_theta outside says");
        }

        string? kind = rope.Text("rope_type"), older = rope.Text("type");
        if (kind is not null && older is not null && kind != older)
        {
            throw rope.Wrong("type", older, $"{kind}, as rope_type says");
        }

        RopeScalingConfig? scaling = (kind ?? older ?? "default") switch
        {
            "default" => null,
            "llama3" => new RopeScalingConfig
            {
                RopeType = RopeType.Llama3,
                Factor = rope.Number("factor") ?? throw rope.Missing("factor"),
                LowFreqFactor = rope.Number("low_freq_factor") ?? throw rope.Missing("low_freq_factor"),
                HighFreqFactor = rope.Number("high_freq_factor") ?? throw rope.Missing("high_freq_factor"),
                OriginalMaxPositionEmbeddings = rope.Integer("original_max_position_embeddings") ?? throw rope.Missing("original_max_position_embeddings"),
            },
            string other => throw rope.Wrong(kind is null ? "type" : "rope_type", other, "default, llama3"),
        };
        rope.RefuseTheRest();
        return (theta ?? DefaultTheta, scaling);
    }
}
