using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of SmolLM3 models: a Llama some of whose layers turn nothing.</summary>
internal static class SmolLm3Config
{
    private const int DefaultInterval = 4;
    private const double DefaultTheta = 2_000_000;

    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        TransformerConfig shared = LlamaKinConfig.ReadShared(
            json,
            needsGroups: true,
            theta: DefaultTheta,
            isTied: true
        );
        int layers = Math.Clamp(shared.NumHiddenLayers, 0, 10_000);
        int? window = LayerPattern.ReadWindow(json);
        bool usesWindow = json.Flag("use_sliding_window") ?? false;
        IReadOnlyList<bool> turned = Turned(json, layers);

        // Where nothing else is said, the layers that turn nothing have the window.
        IReadOnlyList<bool> windowed =
            LayerPattern.ReadTypes(json, layers, window) ?? [.. turned.Select(isTurned => !isTurned)];
        (int tokens, string? pattern) = LayerPattern.Windows(windowed, usesWindow ? window : null);
        json.Ignore("max_window_layers");
        return shared with
        {
            AttentionBias = json.Flag("attention_bias") ?? false,
            MlpBias = json.Flag("mlp_bias") ?? false,
            SlidingWindow = tokens,
            WindowPattern = pattern,
            RopePattern = LayerPattern.Of([.. turned.Select(isTurned => isTurned ? 'R' : 'N')], 'R'),
        };
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c)
    {
        JsonObject json = LlamaKinConfig.WriteShared(c, "smollm3", "SmolLM3ForCausalLM");
        json.Remove("head_dim");
        json["attention_bias"] = c.AttentionBias;
        json["mlp_bias"] = c.MlpBias;
        json["no_rope_layers"] = new JsonArray([
            .. Enumerable.Range(0, c.NumHiddenLayers).Select(layer => (JsonNode)(c.IsRotated(layer) ? 1 : 0)),
        ]);
        json["use_sliding_window"] = c.SlidingWindow > 0;
        json["sliding_window"] = c.SlidingWindow > 0 ? c.SlidingWindow : null;
        json["layer_types"] = LlamaKinConfig.TypesOf(c);
        return json;
    }

    // The key is called for what it is not: 1 turns, 0 does not.
    private static IReadOnlyList<bool> Turned(ConfigJson json, int layers)
    {
        int interval = json.Integer("no_rope_layer_interval") ?? DefaultInterval;
        if (json.Integers("no_rope_layers") is not IReadOnlyList<int> given)
        {
            if (interval < 1)
            {
                throw json.Wrong("no_rope_layer_interval", $"{interval}", "a positive number of layers");
            }

            return [.. Enumerable.Range(1, layers).Select(layer => layer % interval != 0)];
        }

        if (given.Count == layers && given.All(value => value is 0 or 1))
        {
            return [.. given.Select(value => value == 1)];
        }

        throw json.Wrong("no_rope_layers", $"{given.Count} entries", $"1 or 0 for each of the {layers} layers");
    }
}
