using System.Text.Encodings.Web;
using System.Text.Json;

namespace Saltern.Tokenization;

/// <summary>Writes tokenizer.json as Hugging Face's library reads it.</summary>
internal static class TokenizerJsonWriter
{
    private static readonly JsonWriterOptions Options = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // the file is no web page; "Ġ" should read as itself
    };

    public static void Write(BpeDefinition definition, Stream stream)
    {
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            Write(definition, json);
        }

        stream.WriteByte((byte)'\n');
    }

    private static void Write(BpeDefinition definition, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(definition, json);
        json.WritePropertyName("normalizer");
        if (definition.ComposesText)
        {
            json.WriteStartObject();
            json.WriteString("type", "NFC");
            json.WriteEndObject();
        }
        else
        {
            json.WriteNullValue();
        }

        json.WritePropertyName("pre_tokenizer");
        WritePreTokenizer(definition.PreTokenizer, json);
        json.WritePropertyName("post_processor");
        if (definition.PostProcessor is { } postProcessor)
        {
            postProcessor.WriteTo(json);
        }
        else
        {
            json.WriteNullValue();
        }

        json.WritePropertyName("decoder");
        WriteByteLevel(json, prefixesBlank: false, usesPattern: true);
        WriteModel(definition, json);
        json.WriteEndObject();
    }

    private static void WriteAddedTokens(BpeDefinition definition, Utf8JsonWriter json)
    {
        json.WriteStartArray("added_tokens");
        foreach (var token in definition.AddedTokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.IsSingleWord);
            json.WriteBoolean("lstrip", token.TakesBlanksBefore);
            json.WriteBoolean("rstrip", token.TakesBlanksAfter);
            json.WriteBoolean("normalized", token.IsNormalized);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePreTokenizer(PreTokenizer preTokenizer, Utf8JsonWriter json)
    {
        // The file's ByteLevel stands for the last rules: a blank put in front, GPT-2's pattern, both or neither.
        List<SplitRule> splits = [.. preTokenizer.Rules];
        var isPatternAlone = splits is [{ Known: SplitPattern.Gpt2 }];
        var prefixesBlank = splits.Exists(rule => rule.IsPrefixBlank);
        var usesPattern = isPatternAlone || (prefixesBlank && splits[^1].Known == SplitPattern.Gpt2);
        var ofByteLevel = Convert.ToInt32(prefixesBlank) + Convert.ToInt32(usesPattern);
        splits.RemoveRange(splits.Count - ofByteLevel, ofByteLevel);
        if (splits.Count == 0)
        {
            WriteByteLevel(json, prefixesBlank, usesPattern);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (var rule in splits)
        {
            json.WriteStartObject();
            json.WriteString("type", "Split");
            json.WriteStartObject("pattern");
            json.WriteString(
                rule.Foreign is { IsLiteral: true } ? "String" : "Regex",
                rule.Foreign?.Pattern ?? SplitPatterns.Regex(rule.Known!.Value)
            );
            json.WriteEndObject();
            json.WriteString("behavior", (rule.Foreign?.Behavior ?? SplitBehavior.Isolated).ToString());
            json.WriteBoolean("invert", rule.Foreign?.IsInverted ?? false);
            json.WriteEndObject();
        }

        WriteByteLevel(json, prefixesBlank, usesPattern);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, bool prefixesBlank, bool usesPattern)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", prefixesBlank);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", usesPattern);
        json.WriteEndObject();
    }

    private static void WriteModel(BpeDefinition definition, Utf8JsonWriter json)
    {
        var spellings = definition.Tokens.Select(token => token?.Spelling).ToArray();
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        if (definition.Unknown.Id is { } unknown)
        {
            json.WriteString("unk_token", spellings[unknown]);
        }
        else
        {
            json.WriteNull("unk_token");
        }

        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", definition.Unknown.Fuses);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", definition.IgnoresMergesOfWholeWords);

        // Added tokens stand here too: their ids then do not depend on the order in which a reader appends them.
        json.WriteStartObject("vocab");
        for (var id = 0; id < spellings.Length; id++)
        {
            if (spellings[id] is { } spelling)
            {
                json.WriteNumber(spelling, id);
            }
        }

        json.WriteEndObject();

        // "a b" is the spelling that every version of the library reads; spelled tokens hold no blanks.
        json.WriteStartArray("merges");
        foreach (var merge in definition.Merges)
        {
            json.WriteStringValue($"{spellings[merge.Left]} {spellings[merge.Right]}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
