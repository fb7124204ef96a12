// Hugging Face's config.json, for the families that are one decoder with options: which keys say what, and which say nothing. The table is docs/models.md.
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Files;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Reads and writes the <c>config.json</c> of all families; what is peculiar to GPT-NeoX and GPT-2 is in files of their own.</summary>
internal static class HuggingFaceConfig
{
    private const int LargestFile = 4 << 20; // bytes; those in use have a few kilobytes
    private const string Llama = "llama";
    private const string Mistral = "mistral";
    private const string Qwen2 = "qwen2";
    private const string Qwen3 = "qwen3";
    private const string GptNeox = "gpt_neox";
    private const string Gpt2 = "gpt2";
    private const string FullAttention = "full_attention";
    private const string SlidingAttention = "sliding_attention";
    private static readonly string[] Families = [Llama, Mistral, Qwen2, Qwen3, GptNeox, Gpt2];

    // In every file: how the model was made, stored or is prompted. They are not even named; others without effect are in ConfigKeyRules.
    private static readonly string[] WithoutEffect =
    [
        "architectures",
        "torch_dtype",
        "dtype",
        "transformers_version",
        "use_cache",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "_name_or_path",
        "pretraining_tp",
        "_attn_implementation_autoset",
    ];

    /// <summary>Reads a shape.</summary>
    /// <exception cref="DataFormatException">The file is damaged, or asks for something that is not computed here; the message names it.</exception>
    public static TransformerConfig Read(string path) => Read(path, []).Shape;

    /// <summary>Reads a shape, and says what of the file was passed over.</summary>
    /// <param name="ignoredKeys">Keys that need not be understood, those inside others with dots.</param>
    /// <exception cref="DataFormatException">The file is damaged, or asks for something that is not computed here; the message names it.</exception>
    /// <exception cref="ConfigurationException">A key is to be ignored that is understood.</exception>
    public static ConfigReading Read(string path, IReadOnlyCollection<string> ignoredKeys) =>
        Parse(path, FolderFile.ReadSmall(path, LargestFile), ignoredKeys);

    /// <summary>As <see cref="Read(string)"/>, from what the file holds.</summary>
    internal static TransformerConfig Parse(string path, byte[] content) => Parse(path, content, []).Shape;

    /// <summary>As <see cref="Read(string, IReadOnlyCollection{string})"/>, from what the file holds.</summary>
    internal static ConfigReading Parse(string path, byte[] content, IReadOnlyCollection<string> ignoredKeys)
    {
        try
        {
            using var document = JsonDocument.Parse(
                JsonText.WithoutMark(content),
                new JsonDocumentOptions { MaxDepth = 16, AllowDuplicateProperties = false }
            );
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new JsonException("it is no JSON object");
            }

            var ledger = new ConfigLedger(ignoredKeys);
            var json = new ConfigJson(path, "", document.RootElement, ledger);
            TransformerConfig config = Read(json);
            string[] contradictions = [.. ConfigChecks.Of(config)];
            if (contradictions.Length > 0)
            {
                throw new DataFormatException(
                    $"{path} describes no model that can exist: {string.Join(" ", contradictions)}"
                );
            }

            config = config.Resolve(config.VocabSize, config.MaxPositionEmbeddings);
            json.Ignore(WithoutEffect);
            ConfigKeyRules.Apply(json, document.RootElement, config);
            return new ConfigReading(path, config, ledger.Passed, ledger.Dropouts, ledger.Ignored, ledger.Absent);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Half a surrogate pair in a name or text is valid JSON, and no text.
            throw new DataFormatException($"{path} is damaged: {e.Message}", e);
        }
    }

    /// <summary>A shape as the file of the family that it belongs to.</summary>
    public static JsonObject Write(TransformerConfig c) =>
        FamilyOf(c) switch
        {
            Gpt2 => Gpt2Config.Write(c),
            GptNeox => GptNeoxConfig.Write(c),
            string family => WriteLlamaKin(c, family),
        };

    /// <summary>The family whose mathematics a shape is; a Mistral without a window is a Llama.</summary>
    public static string FamilyOf(TransformerConfig c)
    {
        if (c.LearnedPositions)
        {
            return Gpt2;
        }

        if (c.LayerNormEps is not null)
        {
            return GptNeox;
        }

        if (c.QkNorm)
        {
            return Qwen3;
        }

        if (c.QkvBias)
        {
            return Qwen2;
        }

        if (c.SlidingWindow > 0)
        {
            return Mistral;
        }

        return Llama;
    }

    private static JsonObject WriteLlamaKin(TransformerConfig c, string family)
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray(
                family switch
                {
                    Llama => "LlamaForCausalLM",
                    Mistral => "MistralForCausalLM",
                    Qwen2 => "Qwen2ForCausalLM",
                    _ => "Qwen3ForCausalLM",
                }
            ),
            ["model_type"] = family,
            ["hidden_act"] = "silu",
            ["vocab_size"] = c.VocabSize,
            ["hidden_size"] = c.HiddenSize,
            ["num_hidden_layers"] = c.NumHiddenLayers,
            ["num_attention_heads"] = c.NumAttentionHeads,
            ["num_key_value_heads"] = c.NumKeyValueHeads,
            ["head_dim"] = c.HeadDim,
            ["intermediate_size"] = c.IntermediateSize,
            ["max_position_embeddings"] = c.MaxPositionEmbeddings,
            ["rms_norm_eps"] = c.RmsNormEps,
            ["rope_theta"] = c.RopeTheta,
            ["initializer_range"] = c.InitializerRange,
            ["tie_word_embeddings"] = c.IsTied,
            ["torch_dtype"] = "float32",
        };
        if (family is Llama or Qwen3)
        {
            json["attention_bias"] = c.AttentionBias;
        }

        if (family is Llama)
        {
            json["mlp_bias"] = c.MlpBias;
        }
        else if (family is Mistral)
        {
            json["sliding_window"] = c.SlidingWindow;
        }
        else if (c.SlidingWindow > 0)
        {
            (json["use_sliding_window"], json["sliding_window"], json["max_window_layers"]) = (
                true,
                c.SlidingWindow,
                0
            );
        }

        RotaryConfig.WriteScaling(json, c);
        return json;
    }

    private static TransformerConfig Read(ConfigJson json)
    {
        string family = json.Text("model_type") ?? "";
        if (!Families.Contains(family))
        {
            throw json.Wrong("model_type", family, string.Join(", ", Families));
        }

        return family switch
        {
            Gpt2 => Gpt2Config.Read(json),
            GptNeox => GptNeoxConfig.Read(json),
            _ => ReadLlamaKin(json, family),
        };
    }

    private static TransformerConfig ReadLlamaKin(ConfigJson json, string family)
    {
        if (json.Text("hidden_act") is not (null or "silu" or "swish") and var activation)
        {
            throw json.Wrong("hidden_act", activation, "silu");
        }

        int layers = json.RequiredInteger("num_hidden_layers");
        RotaryConfig rotary = RotaryConfig.Read(json);
        return new TransformerConfig
        {
            VocabSize = json.RequiredInteger("vocab_size"),
            HiddenSize = json.RequiredInteger("hidden_size"),
            NumHiddenLayers = layers,
            NumAttentionHeads = json.RequiredInteger("num_attention_heads"),

            // The families differ in what absence means; files written by their own library have the keys.
            NumKeyValueHeads = OptionalSize(json, "num_key_value_heads", isRequired: family is not Llama),
            HeadDim = OptionalSize(json, "head_dim", isRequired: family is Qwen3),
            IntermediateSize = json.RequiredInteger("intermediate_size"),
            MaxPositionEmbeddings = json.RequiredInteger("max_position_embeddings"),
            RmsNormEps = json.Number("rms_norm_eps") ?? 1e-6,
            RopeTheta = rotary.Theta,
            RopeScaling = rotary.Scaling,
            InitializerRange = json.Number("initializer_range") ?? 0.02,
            TieWordEmbeddings = json.Flag("tie_word_embeddings") ?? false,
            AttentionBias = family is Llama or Qwen3 && (json.Flag("attention_bias") ?? false),
            MlpBias = family is Llama && (json.Flag("mlp_bias") ?? false),
            QkvBias = family is Qwen2,
            QkNorm = family is Qwen3,
            SlidingWindow = family is Llama ? 0 : Window(json, family, layers),
        };
    }

    // A size that follows from others where a file of the family may leave it out: 0 then.
    private static int OptionalSize(ConfigJson json, string key, bool isRequired)
    {
        if (isRequired)
        {
            return json.RequiredInteger(key);
        }

        return json.Integer(key) ?? 0;
    }

    // The window of all layers; 0 for none.
    private static int Window(ConfigJson json, string family, int layers)
    {
        int? window = json.Integer("sliding_window");
        if (window is <= 0)
        {
            throw json.Wrong("sliding_window", $"{window}", "a positive number of tokens, or null for none");
        }

        int windowed = 0;
        if (FirstWindowedLayer(json, family) is int first && window is not null)
        {
            windowed = Math.Max(0, layers - Math.Max(0, first));
        }

        if (json.Texts("layer_types") is IReadOnlyList<string> kinds)
        {
            string other = kinds.FirstOrDefault(kind => kind is not (FullAttention or SlidingAttention)) ?? "";
            int listed = kinds.Count(kind => kind == SlidingAttention);
            if (!(other.Length == 0 && kinds.Count == layers && (listed == 0 || window is not null)))
            {
                throw json.Wrong(
                    "layer_types",
                    other.Length > 0 ? other : $"{kinds.Count} entries",
                    $"{FullAttention} or {SlidingAttention} for each of the {layers} layers, with a sliding_window for the latter"
                );
            }

            windowed = listed;
        }

        if (windowed == 0)
        {
            return 0;
        }

        if (windowed == layers && window is int tokens)
        {
            return tokens;
        }

        throw json.Wrong(
            "sliding_window",
            $"{window} in {windowed} of {layers} layers",
            "a window in all layers or in none; layers of two kinds are not computed"
        );
    }

    // Mistral: sliding_window for all layers, null for none. Qwen: only with use_sliding_window, and then from layer max_window_layers on.
    private static int? FirstWindowedLayer(ConfigJson json, string family)
    {
        if (family is Mistral)
        {
            if (!json.Has("sliding_window"))
            {
                throw json.Missing("sliding_window"); // its absence means 4096 in some versions; null says that there is none
            }

            return 0;
        }

        bool isUsed = json.Flag("use_sliding_window") ?? false;
        int? first = json.Integer("max_window_layers");
        if (!isUsed)
        {
            return null;
        }

        return first ?? throw json.Missing("max_window_layers");
    }
}
