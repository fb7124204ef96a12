using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Files;

namespace Saltern.Tokenization;

/// <summary>Which tokens end a text, as the files say that lie beside a <c>tokenizer.json</c>: it has no place for that itself.</summary>
/// <param name="folder">Folder of the files; whichever are there are read.</param>
internal sealed class EndTokenFiles(string folder)
{
    /// <summary>Says with which ids generation begins and ends.</summary>
    public const string GenerationConfigFile = "generation_config.json";

    /// <summary>Names the special tokens.</summary>
    public const string TokenizerConfigFile = "tokenizer_config.json";

    private const string SpecialTokensFile = "special_tokens_map.json";
    private const string ModelConfigFile = "config.json";
    private const string IdKey = "eos_token_id";
    private const string NameKey = "eos_token";
    private const int LargestFile = 64 << 20; // bytes; tokenizer_config.json lists all added tokens

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Every id that one of the files calls the end of a text, each once: those of generation, those of the model, the tokenizer's.</summary>
    /// <param name="added">The tokenizer's added tokens, by which names become ids.</param>
    /// <exception cref="DataFormatException">One of the files is damaged.</exception>
    public IReadOnlyList<int> Ids(IReadOnlyList<AddedToken> added)
    {
        JsonObject? tokens = Read(TokenizerConfigFile);
        return
        [
            .. IdsOf(Read(GenerationConfigFile))
                .Concat(IdsOf(Read(ModelConfigFile)))
                .Concat(IdsNamed(NameOf(tokens), added, tokens))
                .Concat(IdsNamed(NameOf(Read(SpecialTokensFile)), added, tokens))
                .Distinct(),
        ];
    }

    /// <summary>The id that ends a document: the tokenizer's where a file names it, else the first of the others; null where none does.</summary>
    /// <param name="added">The tokenizer's added tokens, by which names become ids.</param>
    /// <exception cref="DataFormatException">One of the files is damaged.</exception>
    public int? EndOfText(IReadOnlyList<AddedToken> added)
    {
        JsonObject? tokens = Read(TokenizerConfigFile);
        int[] named =
        [
            .. IdsNamed(NameOf(tokens), added, tokens).Concat(IdsNamed(NameOf(Read(SpecialTokensFile)), added, tokens)),
        ];
        return named.Concat(Ids(added)).Cast<int?>().FirstOrDefault();
    }

    /// <summary>Writes <c>generation_config.json</c>.</summary>
    /// <param name="ids">Ids that end a text.</param>
    public void WriteGeneration(IReadOnlyList<int> ids)
    {
        var json = new JsonObject { [IdKey] = Node(ids) };
        WholeFile.WriteText(Path.Combine(folder, GenerationConfigFile), json.ToJsonString(Indented) + "\n");
    }

    /// <summary>The value of <c>eos_token_id</c>: a number, or a list where there are several.</summary>
    public static JsonNode Node(IReadOnlyList<int> ids)
    {
        if (ids.Count == 1)
        {
            return JsonValue.Create(ids[0]);
        }

        return new JsonArray([.. ids.Select(id => (JsonNode)JsonValue.Create(id))]);
    }

    private JsonObject? Read(string name)
    {
        if (!FolderFile.Exists(folder, name))
        {
            return null;
        }

        string path = FolderFile.Find(folder, name);
        try
        {
            byte[] content = FolderFile.ReadSmall(path, LargestFile);
            var options = new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = false };
            return JsonNode.Parse(JsonText.WithoutMark(content).Span, documentOptions: options) as JsonObject
                ?? throw new JsonException("it is no JSON object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new DataFormatException($"{path} is damaged: {e.Message}", e);
        }
    }

    // A number, or a list of numbers.
    private static IEnumerable<int> IdsOf(JsonObject? json)
    {
        JsonNode? node = json?[IdKey];
        JsonNode?[] entries = node is JsonArray list ? [.. list] : [node];
        foreach (JsonNode? entry in entries)
        {
            if (entry is JsonValue value && value.TryGetValue(out int id))
            {
                yield return id;
            }
        }
    }

    // A text, or an AddedToken as an object.
    private static string? NameOf(JsonObject? json) =>
        json?[NameKey] is JsonObject token ? Text(token["content"]) : Text(json?[NameKey]);

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    // The tokenizer's own table first, then that of tokenizer_config.json.
    private static IEnumerable<int> IdsNamed(string? name, IReadOnlyList<AddedToken> added, JsonObject? tokens)
    {
        if (name is null)
        {
            yield break;
        }

        foreach (AddedToken token in added.Where(token => token.Content == name))
        {
            yield return token.Id;
        }

        foreach ((string key, JsonNode? entry) in tokens?["added_tokens_decoder"] as JsonObject ?? [])
        {
            if (entry is JsonObject token && Text(token["content"]) == name && int.TryParse(key, out int id))
            {
                yield return id;
            }
        }
    }
}
