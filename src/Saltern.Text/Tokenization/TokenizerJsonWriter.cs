using System.Text.Encodings.Web;
using System.Text.Json;

namespace Saltern.Tokenization;

/// <summary>Writes the tokenizer.json of a trained tokenizer, as Hugging Face's library reads it; one that was read is written as it was.</summary>
internal static class TokenizerJsonWriter
{
    private static readonly JsonWriterOptions Options = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // the file is no web page; "Ġ" should read as itself
    };

    public static void Write(TokenizerDefinition definition, Stream stream)
    {
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            Write(definition, json);
        }

        stream.WriteByte((byte)'\n');
    }

    private static void Write(TokenizerDefinition definition, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(definition, json);
        json.WriteNull("normalizer");
        json.WritePropertyName("pre_tokenizer");
        WritePreTokenizer(definition.PreTokenizer, json);
        json.WriteNull("post_processor");
        json.WritePropertyName("decoder");
        WriteByteLevel(json, usesPattern: true);
        WriteModel(definition, json);
        json.WriteEndObject();
    }

    private static void WriteAddedTokens(TokenizerDefinition definition, Utf8JsonWriter json)
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

    // A trained tokenizer cuts by one known pattern; GPT-2's is the one of a ByteLevel itself.
    private static void WritePreTokenizer(PreTokenizer preTokenizer, Utf8JsonWriter json)
    {
        var pattern = preTokenizer.Rules.Single().Known!.Value;
        if (pattern == SplitPattern.Gpt2)
        {
            WriteByteLevel(json, usesPattern: true);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", SplitPatterns.Regex(pattern));
        json.WriteEndObject();
        json.WriteString("behavior", nameof(SplitBehavior.Isolated));
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        WriteByteLevel(json, usesPattern: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, bool usesPattern)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", usesPattern);
        json.WriteEndObject();
    }

    private static void WriteModel(TokenizerDefinition definition, Utf8JsonWriter json)
    {
        var spellings = definition.Tokens.Select(token => token?.Spelling).ToArray();
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);

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
