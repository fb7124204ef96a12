using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>The <c>config.json</c> of GPT-Neo models, TinyStories among them: layers that see all, and layers with a window; scores without a factor.</summary>
internal static class GptNeoConfig
{
    private const int DefaultInnerFactor = 4;
    private const string Global = "global";
    private const string Local = "local";
    private const string TypesKey = "attention_types";

    /// <summary>Reads a shape.</summary>
    public static TransformerConfig Read(ConfigJson json)
    {
        int width = json.RequiredInteger("hidden_size");
        int layers = json.RequiredInteger("num_layers");
        int window = json.RequiredInteger("window_size");
        if (window < 1)
        {
            throw json.Wrong("window_size", $"{window}", "a positive number of tokens");
        }

        (int tokens, string? pattern) = LayerPattern.Windows(ReadTypes(json, layers), window);
        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = width,
            NumHiddenLayers = layers,
            NumAttentionHeads = json.RequiredInteger("num_heads"),
            IntermediateSize =
                json.Integer("intermediate_size")
                ?? DefaultInnerFactor * Math.Clamp(width, 0, int.MaxValue / DefaultInnerFactor),
            MaxPositionEmbeddings = json.RequiredInteger("max_position_embeddings"),
            HiddenAct = GeluWords.Read(json, "activation_function", otherwise: "gelu_new"),
            LayerNormEps = json.Number("layer_norm_epsilon") ?? 1e-5,
            LearnedPositions = true,
            AttentionMultiplier = 1,
            AttentionOutputBias = true,
            MlpBias = true,
            SlidingWindow = tokens,
            WindowPattern = pattern,
            InitializerRange = json.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? true,
        };
    }

    /// <summary>Writes a shape.</summary>
    public static JsonObject Write(TransformerConfig c)
    {
        string[] kinds =
        [
            .. Enumerable.Range(0, c.NumHiddenLayers).Select(layer => c.WindowOf(layer) > 0 ? Local : Global),
        ];
        return new JsonObject
        {
            ["architectures"] = new JsonArray("GPTNeoForCausalLM"),
            ["model_type"] = "gpt_neo",
            ["activation_function"] = GeluWords.Word(c.HiddenAct),
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["num_layers"] = c.NumHiddenLayers,
            ["num_heads"] = c.NumAttentionHeads,
            ["intermediate_size"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            [TypesKey] = new JsonArray(new JsonArray(new JsonArray([.. kinds.Select(kind => (JsonNode)kind)]), 1)),
            ["window_size"] = c.SlidingWindow > 0 ? c.SlidingWindow : c.MaxPositionEmbeddings,
            ["layer_norm_epsilon"] = c.LayerNormEps,
            ["resid_dropout"] = 0.0,
            ["embed_dropout"] = 0.0,
            ["attention_dropout"] = 0.0,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };
    }

    // [[["global", "local"], 2]]: lists of kinds, and how often each list is repeated; attention_layers is the same written out.
    private static IReadOnlyList<bool> ReadTypes(ConfigJson json, int layers)
    {
        IReadOnlyList<string>? written = json.Texts("attention_layers");
        var kinds = new List<string>();
        foreach (JsonElement entry in json.List(TypesKey) ?? throw json.Missing(TypesKey))
        {
            if (
                entry.ValueKind != JsonValueKind.Array
                || entry.GetArrayLength() != 2
                || entry[0].ValueKind != JsonValueKind.Array
                || entry[1].ValueKind != JsonValueKind.Number
                || !entry[1].TryGetInt32(out int times)
                || times < 0
                || kinds.Count + ((long)times * entry[0].GetArrayLength()) > layers
            )
            {
                throw Wrong(json, layers);
            }

            string[] names = [.. entry[0].EnumerateArray().Select(kind => kind.ToString())];
            kinds.AddRange(Enumerable.Repeat(names, times).SelectMany(list => list));
        }

        bool isGood = kinds.Count == layers && kinds.All(kind => kind is Global or Local);
        if (isGood && (written is null || written.SequenceEqual(kinds)))
        {
            return [.. kinds.Select(kind => kind == Local)];
        }

        throw Wrong(json, layers);
    }

    private static DataFormatException Wrong(ConfigJson json, int layers) =>
        json.Wrong(
            TypesKey,
            "something else",
            $"[[[\"{Global}\", \"{Local}\"], {layers / 2}]]: lists of {Global} and {Local} with how often each is repeated, "
                + $"{layers} in all, the same as attention_layers where that is there"
        );
}
