using System.Text.Json;
using Saltern.Files;
using Saltern.Tokenization;

namespace Saltern.ModelFiles;

/// <summary>The chat template beside a model: Jinja, how a conversation becomes text. It is carried, never run.</summary>
internal static class ChatTemplateFile
{
    /// <summary>Where Hugging Face's libraries look first.</summary>
    public const string Name = "chat_template.jinja";

    /// <summary>Key of <c>tokenizer_config.json</c>, where older ones look.</summary>
    public const string Key = "chat_template";

    // A template is a page of text; of what is larger nobody knows what it is.
    private const long LargestFile = 1 << 20;

    /// <summary>The template of a model folder; null where there is none.</summary>
    /// <remarks>Of several templates under names in <c>tokenizer_config.json</c> it is the one called <c>default</c>.</remarks>
    /// <exception cref="DataFormatException">A file of it is damaged.</exception>
    public static string? Read(string folder)
    {
        string path = Path.Combine(folder, Name);
        if (File.Exists(path))
        {
            if (new FileInfo(path).Length > LargestFile)
            {
                throw new DataFormatException($"{path} is larger than {LargestFile} bytes, so it is no chat template.");
            }

            return File.ReadAllText(path);
        }

        string config = Path.Combine(folder, EndTokenFiles.TokenizerConfigFile);
        if (!File.Exists(config))
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(config));
            if (
                json.RootElement.ValueKind != JsonValueKind.Object
                || !json.RootElement.TryGetProperty(Key, out JsonElement template)
            )
            {
                return null;
            }

            return Text(template);
        }
        catch (JsonException e)
        {
            throw new DataFormatException($"{config} is no JSON: {e.Message}", e);
        }
    }

    /// <summary>Writes it beside a model; null writes nothing.</summary>
    public static void Write(string folder, string? template)
    {
        if (template is not null)
        {
            WholeFile.WriteText(Path.Combine(folder, Name), template);
        }
    }

    private static string? Text(JsonElement template)
    {
        if (template.ValueKind == JsonValueKind.String)
        {
            return template.GetString();
        }

        if (template.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        foreach (JsonElement named in template.EnumerateArray())
        {
            if (
                named.ValueKind == JsonValueKind.Object
                && named.TryGetProperty("name", out JsonElement name)
                && name.ValueKind == JsonValueKind.String
                && name.ValueEquals("default")
                && named.TryGetProperty("template", out JsonElement text)
                && text.ValueKind == JsonValueKind.String
            )
            {
                return text.GetString();
            }
        }

        return null;
    }
}
