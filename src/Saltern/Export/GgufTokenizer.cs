using Saltern.Tokenization;

namespace Saltern.Export;

/// <summary>A tokenizer in GGUF's words: <c>gpt2</c>, byte-level BPE, or <c>llama</c>, SentencePiece's BPE.</summary>
internal static class GgufTokenizer
{
    private const string Prefix = "tokenizer.ggml.";

    // Numbers of the format.
    private enum TokenType
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <summary>Adds the keys that describe the tokenizer.</summary>
    /// <param name="endTokens">Ids at which the model stops writing; the first ends a document.</param>
    /// <param name="rows">Rows of the embedding; ids from the tokenizer's last one up to here are marked as unused.</param>
    /// <returns>What the file cannot say, one sentence each.</returns>
    /// <exception cref="DataFormatException">No name of llama.cpp's cuts text as the tokenizer does, or it puts more before a text than one token.</exception>
    public static IReadOnlyList<string> Describe(
        BpeTokenizer tokenizer,
        IReadOnlyList<int> endTokens,
        int rows,
        GgufMetadata metadata
    )
    {
        TokenizerDefinition definition = tokenizer.Definition;
        if (definition.BeforeText.Count > 1)
        {
            throw new DataFormatException(
                $"The tokenizer puts {definition.BeforeText.Count} tokens before each text; a GGUF file can say one at most. Export as hf."
            );
        }

        IEnumerable<string> notes = definition.Model switch
        {
            TokenModel.ByteLevelBpe => DescribeByteLevel(definition, rows, metadata),
            TokenModel.CharacterBpe => DescribePieces(definition, rows, metadata),
            _ => throw new DataFormatException(
                "The tokenizer is a Unigram. llama.cpp has the form only with SentencePiece's own normalisation, "
                    + "which is not the one of tokenizer.json: its token ids would differ. Export as hf."
            ),
        };

        // Named even where nothing is put before a text: its readers would otherwise assume GPT-2's number.
        int begin = definition.BeforeText.FirstOrDefault(tokenizer.EndOfTextId);
        metadata.Add(Prefix + "bos_token_id", (uint)begin);
        metadata.Add(Prefix + "eos_token_id", (uint)tokenizer.EndOfTextId);
        if (endTokens.Count > 1)
        {
            // One more is all that the form has a place for; llama.cpp finds the usual names by itself.
            metadata.Add(Prefix + "eot_token_id", (uint)endTokens[1]);
        }

        metadata.Add(Prefix + "add_bos_token", definition.BeforeText.Count == 1);
        metadata.Add(Prefix + "add_eos_token", definition.BehindText.Count > 0);
        metadata.Add(Prefix + "add_space_prefix", tokenizer.PutsBlankInFront);
        return
        [
            .. notes,
            .. Warnings(definition),
            .. endTokens
                .Skip(2)
                .Select(id =>
                    $"the end token {id} has no place in the file: llama.cpp goes on behind it unless it knows its name"
                ),
        ];
    }

    private static List<string> DescribeByteLevel(TokenizerDefinition definition, int rows, GgufMetadata metadata)
    {
        GgufCut cut = CutOf(definition);
        (string[] names, int[] types) = Tokens(definition, rows);
        metadata.Add(Prefix + "model", "gpt2");
        metadata.Add(Prefix + "pre", cut.Name);
        metadata.Add(Prefix + "tokens", names);
        metadata.Add(Prefix + "token_type", types);
        metadata.Add(Prefix + "merges", Merges(definition, names));

        List<string> notes = [];
        if (cut.Note is not null)
        {
            notes.Add(cut.Note);
        }

        int missing = definition.SingleByteIds().Count(id => id < 0);
        if (missing > 0)
        {
            notes.Add($"The vocabulary lacks {missing} bytes; what llama.cpp does with text that has them is its own.");
        }

        if (definition.Normalizers is [UnicodeFormNormalizer { Form: UnicodeForm.NFC }])
        {
            notes.Add(
                "The tokenizer composes text (NFC) first and GGUF cannot say so: "
                    + "decomposed characters will get other token ids; compose text before you give it to a GGUF program."
            );
        }
        else if (definition.Normalizers.Count > 0)
        {
            IEnumerable<string> steps = definition.Normalizers.Select(step => step.Identity.Split('\n')[0]);
            notes.Add(
                "The tokenizer rewrites text first and GGUF cannot say so: "
                    + $"text that {string.Join(", then ", steps)} changes will get other token ids."
            );
        }

        return notes;
    }

    private static GgufCut CutOf(TokenizerDefinition definition)
    {
        IReadOnlyList<SplitRule> rules = definition.PreTokenizer.Rules;
        bool? takesWholeWords = definition.IgnoresMergesOfWholeWords;
        GgufCut? cut = GgufCut.Find(rules, takesWholeWords);
        if (cut is null && WholeWords.AreMerged(definition))
        {
            cut = GgufCut.Find(rules, null);
        }

        if (cut is not null)
        {
            return cut;
        }

        string found = "nothing";
        if (rules.Count > 0)
        {
            found = string.Join(", then ", rules.Select(rule => $"'{rule.Identity}'"));
        }

        throw new DataFormatException(
            $"The tokenizer cuts text by {found}{(takesWholeWords == true ? " with ignore_merges" : "")}, "
                + "for which llama.cpp has no name: its token ids would differ. Export as hf. "
                + "GGUF can have the patterns of Llama 3, Qwen 2 and 3.5, GPT-2, SmolLM (digits, then GPT-2), GPT-4o, Mistral Nemo, "
                + "DeepSeek V3 and Coder, Bloom, Seed-Coder and Ling."
        );
    }

    private static List<string> DescribePieces(TokenizerDefinition definition, int rows, GgufMetadata metadata)
    {
        const string Sign = "▁";
        if (definition.FallbackIds() is not int[] bytes || bytes.Contains(-1))
        {
            throw new DataFormatException(
                "llama.cpp spells characters that a vocabulary lacks in tokens of bytes, "
                    + "and the tokenizer lacks some of the 256. Export as hf."
            );
        }

        if (definition.IgnoresMergesOfWholeWords && !WholeWords.AreMerged(definition))
        {
            throw new DataFormatException(
                "The tokenizer takes whole texts without merging (ignore_merges), which llama.cpp does not. Export as hf."
            );
        }

        MetaspaceRule? metaspace = definition.PreTokenizer.Rules is [{ } first, ..] ? first.Metaspace : null;
        bool signs =
            metaspace?.Replacement == Sign
            || definition.Normalizers.Any(step => step is ReplaceNormalizer { Pattern: " ", Content: Sign });
        bool onlySigns = definition.Normalizers.All(step =>
            step is ReplaceNormalizer { Pattern: " ", Content: Sign } or PrependNormalizer { Content: Sign }
        );

        // Gemma 3 cuts at blanks that its normalizer has taken away: nowhere.
        bool cutsNowhere = definition.PreTokenizer.Rules.All(rule =>
            rule.Metaspace is not null || (metaspace is null && rule.Foreign is { IsLiteral: true, Pattern: " " })
        );
        bool cutsBetweenPieces =
            metaspace is not { Splits: true }
            || definition.Tokens.All(token => token?.Spelling.LastIndexOf(Sign, StringComparison.Ordinal) is not > 0);
        if (!signs || !onlySigns || !cutsNowhere || !cutsBetweenPieces)
        {
            throw new DataFormatException(
                "llama.cpp rewrites and cuts text for such a vocabulary in one way: a ▁ for each blank, one in front, no cut. "
                    + "The tokenizer does more, so that its token ids would differ. Export as hf."
            );
        }

        float[] scores = GgufPieces.Scores(definition);
        (string[] names, int[] types) = Pieces(definition, rows, bytes);
        metadata.Add(Prefix + "model", "llama");
        metadata.Add(Prefix + "pre", "default");
        metadata.Add(Prefix + "tokens", names);
        metadata.Add(Prefix + "scores", [.. scores, .. new float[rows - Math.Min(rows, scores.Length)]]);
        metadata.Add(Prefix + "token_type", types);
        if (definition.Unknown.Id is int unknown)
        {
            metadata.Add(Prefix + "unknown_token_id", (uint)unknown);
        }

        return metaspace switch
        {
            { Scheme: PrependScheme.First } =>
            [
                "llama.cpp puts a blank in front of text behind special tokens too, and of text that begins with one; "
                    + "the tokenizer does not: there token ids will differ.",
            ],
            { Scheme: PrependScheme.Always } =>
            [
                "llama.cpp puts a blank also in front of text that begins with one; "
                    + "the tokenizer does not: there token ids will differ.",
            ],
            _ => [],
        };
    }

    private static (string[] Names, int[] Types) Pieces(TokenizerDefinition definition, int rows, int[] bytes)
    {
        (string[] names, int[] types) = Tokens(definition, rows);
        HashSet<int> made = [.. definition.Merges.Select(merge => merge.Result)];
        for (int id = 0; id < Math.Min(rows, definition.Tokens.Count); id++)
        {
            // Runs of ▁ that Gemma adds as tokens come of merging blanks; as added ones they would not be written as blanks.
            if (
                types[id] == (int)TokenType.UserDefined
                && made.Contains(id)
                && names[id].Contains('▁', StringComparison.Ordinal)
            )
            {
                types[id] = (int)TokenType.Normal;
            }
            else if (id == definition.Unknown.Id)
            {
                types[id] = (int)TokenType.Unknown;
            }
        }

        foreach (int id in bytes)
        {
            types[id] = (int)TokenType.Byte;
        }

        return (names, types);
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
