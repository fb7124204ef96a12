// Hugging Face's config.json, for the families that are one decoder with options: which keys say what, and which say nothing. The table is docs/models.md.
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Files;
using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Reads and writes the <c>config.json</c> of all families, each of which has a file of its own.</summary>
internal static class HuggingFaceConfig
{
    private const int LargestFile = 4 << 20; // bytes; those in use have a few kilobytes
    private const string MobileLlm = "mobilellm";

    // Words of model_type, and the family that each is read as.
    private static readonly Dictionary<string, ModelFamily> Families = new()
    {
        ["llama"] = ModelFamily.Llama,
        ["mistral"] = ModelFamily.Mistral,
        ["qwen2"] = ModelFamily.Qwen2,
        ["qwen3"] = ModelFamily.Qwen3,
        ["gpt_neox"] = ModelFamily.GptNeox,
        ["gpt2"] = ModelFamily.Gpt2,
        ["olmo2"] = ModelFamily.Olmo2,
        ["smollm3"] = ModelFamily.SmolLm3,
        ["granite"] = ModelFamily.Granite,
        [MobileLlm] = ModelFamily.Llama,
        ["gemma"] = ModelFamily.Gemma,
        ["gemma2"] = ModelFamily.Gemma2,
        ["gemma3_text"] = ModelFamily.Gemma3,
        ["phi"] = ModelFamily.Phi,
        ["opt"] = ModelFamily.Opt,
        ["gpt_neo"] = ModelFamily.GptNeo,
    };

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
        ModelFamilies.Of(c) switch
        {
            ModelFamily.Gpt2 => Gpt2Config.Write(c),
            ModelFamily.GptNeox => GptNeoxConfig.Write(c),
            ModelFamily.Olmo2 => Olmo2Config.Write(c),
            ModelFamily.SmolLm3 => SmolLm3Config.Write(c),
            ModelFamily.Granite => GraniteConfig.Write(c),
            ModelFamily.Phi => PhiConfig.Write(c),
            ModelFamily.Opt => OptConfig.Write(c),
            ModelFamily.GptNeo => GptNeoConfig.Write(c),
            ModelFamily.Gemma or ModelFamily.Gemma2 or ModelFamily.Gemma3 => GemmaConfig.Write(c, ModelFamilies.Of(c)),
            ModelFamily family => LlamaKinConfig.Write(c, family),
        };

    /// <summary>The word of <c>model_type</c> for the family whose mathematics a shape is.</summary>
    public static string FamilyOf(TransformerConfig c)
    {
        ModelFamily family = ModelFamilies.Of(c);
        return Families.First(pair => pair.Value == family).Key;
    }

    /// <summary>The words of <c>model_type</c> that are read as a family.</summary>
    public static IReadOnlyList<string> WordsOf(ModelFamily family) =>
        [.. Families.Where(pair => pair.Value == family).Select(pair => pair.Key)];

    private static TransformerConfig Read(ConfigJson json)
    {
        string word = json.Text("model_type") ?? "";
        if (!Families.TryGetValue(word, out ModelFamily family))
        {
            throw json.Wrong("model_type", word, string.Join(", ", Families.Keys));
        }

        TransformerConfig config = family switch
        {
            ModelFamily.Gpt2 => Gpt2Config.Read(json),
            ModelFamily.GptNeox => GptNeoxConfig.Read(json),
            ModelFamily.Olmo2 => Olmo2Config.Read(json),
            ModelFamily.SmolLm3 => SmolLm3Config.Read(json),
            ModelFamily.Granite => GraniteConfig.Read(json),
            ModelFamily.Phi => PhiConfig.Read(json),
            ModelFamily.Opt => OptConfig.Read(json),
            ModelFamily.GptNeo => GptNeoConfig.Read(json),
            ModelFamily.Gemma or ModelFamily.Gemma2 or ModelFamily.Gemma3 => GemmaConfig.Read(json, family),
            _ when word == MobileLlm => MobileLlmConfig.Read(json),
            _ => LlamaKinConfig.Read(json, family),
        };
        return config;
    }
}
