// llama.cpp knows regular expressions for cutting text by name only. A tokenizer leaves in a file only under a name that cuts as it does.
using Saltern.Tokenization;

namespace Saltern.Export;

/// <summary>A byte-level BPE in GGUF's words.</summary>
internal static class GgufTokenizer
{
    private const string Prefix = "tokenizer.ggml.";

    // Numbers of the format.
    private enum TokenType
    {
        Normal = 1,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
    }

    /// <summary>Adds the keys that describe the tokenizer.</summary>
    /// <param name="rows">Rows of the embedding; ids from the tokenizer's last one up to here are marked as unused.</param>
    /// <returns>What the file cannot say, one sentence each.</returns>
    /// <exception cref="DataFormatException">No name of llama.cpp's cuts text as the tokenizer does, or it puts more before a text than one token.</exception>
    public static IReadOnlyList<string> Describe(BpeTokenizer tokenizer, int rows, GgufMetadata metadata)
    {
        TokenizerDefinition definition = tokenizer.Definition;
        if (definition.Model != TokenModel.ByteLevelBpe)
        {
            throw new DataFormatException("Only byte-level tokenizers are written to GGUF files. Export as hf.");
        }

        if (definition.BeforeText.Count > 1)
        {
            throw new DataFormatException(
                $"The tokenizer puts {definition.BeforeText.Count} tokens before each text; a GGUF file can say one at most. Export as hf."
            );
        }

        int begin = definition.BeforeText.FirstOrDefault(tokenizer.EndOfTextId);
        (string[] names, int[] types) = Tokens(definition, rows);
        metadata.Add(Prefix + "model", "gpt2");
        metadata.Add(Prefix + "pre", NameOfCut(definition));
        metadata.Add(Prefix + "tokens", names);
        metadata.Add(Prefix + "token_type", types);
        metadata.Add(Prefix + "merges", Merges(definition, names));

        // Named even where nothing is put before a text: its readers would otherwise assume GPT-2's number.
        metadata.Add(Prefix + "bos_token_id", (uint)begin);
        metadata.Add(Prefix + "eos_token_id", (uint)tokenizer.EndOfTextId);
        metadata.Add(Prefix + "add_bos_token", definition.BeforeText.Count == 1);
        metadata.Add(Prefix + "add_eos_token", definition.BehindText.Count > 0);
        metadata.Add(Prefix + "add_space_prefix", false);
        return [.. Warnings(definition)];
    }

    private static string NameOfCut(TokenizerDefinition definition)
    {
        IReadOnlyList<SplitRule> rules = definition.PreTokenizer.Rules;
        bool takesWholeWords = definition.IgnoresMergesOfWholeWords;
        string? name = rules switch
        {
            [{ Known: SplitPattern.Llama3 }] => takesWholeWords ? "llama-bpe" : "smaug-bpe",
            [{ Known: SplitPattern.Qwen2 }] when !takesWholeWords => "qwen2",
            [{ Known: SplitPattern.Gpt2 }] when !takesWholeWords => "gpt-2",
            [{ Foreign.Identity: @"\p{N}" }, { Known: SplitPattern.Gpt2 }] when !takesWholeWords => "smollm",
            _ => null,
        };
        if (name is not null)
        {
            return name;
        }

        string cut = "nothing";
        if (rules.Count > 0)
        {
            cut = string.Join(", then ", rules.Select(rule => $"'{rule.Identity}'"));
        }

        throw new DataFormatException(
            $"The tokenizer cuts text by {cut}{(takesWholeWords ? " with ignore_merges" : "")}, "
                + "for which llama.cpp has no name: its token ids would differ. Export as hf. "
                + "GGUF can have the patterns of Llama 3, Qwen 2 (without ignore_merges), "
                + "GPT-2 and SmolLM (digits, then GPT-2)."
        );
    }

    private static (string[] Names, int[] Types) Tokens(TokenizerDefinition definition, int rows)
    {
        string[] names = new string[rows];
        int[] types = new int[rows];
        var added = definition.AddedTokens.ToDictionary(token => token.Id);
        HashSet<string> used = [.. definition.Tokens.OfType<VocabularyEntry>().Select(token => token.Spelling)];
        for (int id = 0; id < rows; id++)
        {
            VocabularyEntry? token = id < definition.Tokens.Count ? definition.Tokens[id] : null;
            (names[id], TokenType type) = (token, added.GetValueOrDefault(id)) switch
            {
                (null, _) => (Unused(id, used), TokenType.Unused),
                (_, AddedToken special) => (
                    special.Content,
                    special.IsSpecial ? TokenType.Control : TokenType.UserDefined
                ),

                // An entry that is neither bytes nor an added token: no text ever gets it.
                (VocabularyEntry ordinary, null) => (
                    ordinary.Spelling,
                    ordinary.IsLiteral ? TokenType.Unused : TokenType.Normal
                ),
            };
            types[id] = (int)type;
        }

        return (names, types);
    }

    // Names must differ, also of rows that no id uses.
    private static string Unused(int id, HashSet<string> used)
    {
        string name = $"[PAD{id}]";
        while (!used.Add(name))
        {
            name = $"[{name}]";
        }

        return name;
    }

    // Of a pair that occurs twice the later rule holds here, and the earlier one in llama.cpp.
    private static List<string> Merges(TokenizerDefinition definition, string[] names)
    {
        var seen = new HashSet<(int, int)>();
        List<string> merges =
        [
            .. definition
                .Merges.Reverse()
                .Where(merge => seen.Add((merge.Left, merge.Right)))
                .Select(merge => $"{names[merge.Left]} {names[merge.Right]}"),
        ];
        merges.Reverse();
        return merges;
    }

    private static IEnumerable<string> Warnings(TokenizerDefinition definition)
    {
        if (definition.Normalizers is [UnicodeFormNormalizer { Form: UnicodeForm.NFC }])
        {
            yield return "The tokenizer composes text (NFC) first and GGUF cannot say so: "
                + "decomposed characters will get other token ids; compose text before you give it to a GGUF program.";
        }
        else if (definition.Normalizers.Count > 0)
        {
            IEnumerable<string> steps = definition.Normalizers.Select(step => step.Identity.Split('\n')[0]);
            yield return "The tokenizer rewrites text first and GGUF cannot say so: "
                + $"text that {string.Join(", then ", steps)} changes will get other token ids.";
        }

        string[] particular =
        [
            .. definition.AddedTokens.Where(token => !token.IsPlain).Select(token => $"'{token.Content}'"),
        ];
        if (particular.Length > 0)
        {
            yield return "GGUF cannot say that added tokens take white space beside them or stand alone as words: "
                + $"{string.Join(", ", particular)} will be found just as they are spelled.";
        }
    }
}
