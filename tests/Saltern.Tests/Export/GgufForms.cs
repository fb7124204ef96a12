using System.Text.Json.Nodes;
using Saltern.Tests.Tokenization;
using Saltern.Tokenization;

namespace Saltern.Tests.Export;

/// <summary>Tokenizers beyond the trained ones that GGUF can say: SentencePiece's, and byte-level ones with the cuts of other families.</summary>
internal static class GgufForms
{
    private const string Isolated = "\"behavior\":\"Isolated\",\"invert\":false";

    // Pre-tokenizers of published files, by llama.cpp's names for them.
    private static readonly Dictionary<string, string[]> Cuts = new()
    {
        ["smollm"] = [@"\p{N}", @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"],
        ["bloom"] = [@" ?[^(\s|[.,!?…。，、।۔،])]+"],
        ["deepseek-v3"] =
        [
            @"\p{N}{1,3}",
            "[一-龥\u3040-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                + "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
        ],
        ["deepseek-coder"] = ["[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[一-龥ࠀ-一가-\uD7FF]+", @"\p{N}"],
        ["gpt-4o"] =
        [
            @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    };

    /// <summary>All forms.</summary>
    public static IEnumerable<string> Names => ["llama", "llama-metaspace", "gemma", .. Cuts.Keys];

    /// <summary>The tokenizer.json of a form.</summary>
    public static JsonNode Tokenizer(string form)
    {
        switch (form)
        {
            case "llama":
                return SentencePieceFiles.Llama();
            case "llama-metaspace":
                return SentencePieceFiles.LlamaMetaspace();
            case "gemma":
                return SentencePieceFiles.Gemma();
            default:
                using (var stream = new MemoryStream())
                {
                    ExportedModel.Tokenizer(SplitPattern.Gpt2).SaveTo(stream);
                    JsonNode root = JsonNode.Parse(stream.ToArray())!;
                    string[] rules =
                    [
                        .. Cuts[form]
                            .Select(pattern =>
                                $$"""{"type":"Split","pattern":{"Regex":{{JsonValue.Create(pattern)!.ToJsonString()}}},{{Isolated}}}"""
                            ),
                        """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""",
                    ];
                    root["pre_tokenizer"] = JsonNode.Parse(
                        $$"""{"type":"Sequence","pretokenizers":[{{string.Join(',', rules)}}]}"""
                    );
                    return root;
                }
        }
    }

    /// <summary>Whether llama.cpp makes the same ids of a text under the form's name: what docs/gguf.md says of the differences.</summary>
    public static bool IsTheSame(string form, string text) =>
        form switch
        {
            "llama-metaspace" => text is [not ' ', ..] && !text.Contains("</s>", StringComparison.Ordinal),
            "gpt-4o" => text.All(char.IsAscii),
            _ => true,
        };
}
