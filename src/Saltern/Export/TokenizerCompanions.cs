using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Export;

/// <summary>What Hugging Face's libraries want to know of a tokenizer beside tokenizer.json: which tokens begin and end a text.</summary>
/// <param name="endTokens">Ids at which the model stops writing; the first ends a document.</param>
/// <param name="maxLength">Longest sequence that the model is meant for, tokens.</param>
internal sealed class TokenizerCompanions(BpeTokenizer tokenizer, IReadOnlyList<int> endTokens, int maxLength)
{
    /// <summary>Id from which a text begins: the one that the tokenizer puts there, else the end of the text before, as in GPT-2.</summary>
    public int BeginId { get; } = tokenizer.BeginOfText.Count > 0 ? tokenizer.BeginOfText[0] : tokenizer.EndOfTextId;

    /// <summary>Content of tokenizer_config.json. The class is the plain one: others would replace parts of tokenizer.json by their own.</summary>
    public JsonObject TokenizerConfig() =>
        new()
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["bos_token"] = tokenizer.Decode([BeginId]),
            ["eos_token"] = tokenizer.Decode([tokenizer.EndOfTextId]),
            ["model_max_length"] = maxLength,
            ["clean_up_tokenization_spaces"] = false,
        };

    /// <summary>Content of generation_config.json.</summary>
    public JsonObject GenerationConfig()
    {
        var json = new JsonObject();
        AddIdsTo(json);
        return json;
    }

    /// <summary>Adds the ids to a configuration, without which its readers assume those of the first Llama.</summary>
    public void AddIdsTo(JsonObject json) =>
        (json["bos_token_id"], json["eos_token_id"]) = (BeginId, EndTokenFiles.Node(endTokens));
}
