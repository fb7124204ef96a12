namespace Saltern.Tokenization;

/// <summary>Reads the parts of tokenizer.json around the model: pre-tokenizer, post-processor, decoder.</summary>
internal static class TokenizerJsonPipeline
{
    /// <summary>Reads the way back of a model that is spelled as text.</summary>
    public static TokenDecoder ReadDecoder(JsonPlace place)
    {
        var replacements = new List<(string, string)>();
        var decoder = TokenDecoder.Plain;
        var isFused = false;
        foreach (var item in Flatten(place, "decoders"))
        {
            var type = item.Required("type");
            switch (type.Text())
            {
                case "Replace":
                    var (text, isRegex) = ReadPattern(item.Required("pattern"));
                    if (isRegex || text.Text().Length == 0)
                    {
                        text.Fail("a \"String\" that is not empty");
                    }

                    replacements.Add((text.Text(), item.Required("content").Text()));
                    break;
                case "Metaspace":
                    var metaspace = ReadMetaspace(item);
                    replacements.Add((metaspace.Replacement, " "));
                    if (metaspace.Scheme != PrependScheme.Never)
                    {
                        decoder = decoder with { FirstTokenSign = metaspace.Replacement };
                    }

                    break;
                case "ByteFallback": // entries of bytes are read as such wherever the model uses them
                    break;
                case "Fuse":
                    isFused = true;
                    break;
                case "Strip":
                    if (!isFused)
                    {
                        type.Fail("\"Strip\" behind \"Fuse\": each token would lose its ends");
                    }

                    item.Required("stop").Index(1);
                    decoder = decoder with
                    {
                        Strip = (item.Required("content").Text(), item.Required("start").Index(int.MaxValue)),
                    };
                    break;
                default:
                    type.Fail("\"Replace\", \"Metaspace\", \"ByteFallback\", \"Fuse\" or \"Strip\"");
                    break;
            }
        }

        return decoder with
        {
            Replacements = replacements,
        };
    }

    /// <summary>Only the byte-level decoder turns the ids of a byte-level vocabulary back into the bytes they came from.</summary>
    public static void CheckByteLevelDecoder(JsonPlace place)
    {
        foreach (var item in Flatten(place, "decoders"))
        {
            var type = item.Required("type");
            if (type.Text() is not ("ByteLevel" or "Fuse"))
            {
                type.Fail("\"ByteLevel\"");
            }
        }
    }

    /// <summary>Reads what is put before and behind each text: by a template, or by the two fixed forms of BERT and RoBERTa.</summary>
    public static (List<int> Before, List<int> Behind) ReadPostProcessor(JsonPlace? place, int vocabularySize)
    {
        List<int> before = [];
        List<int> behind = [];
        foreach (var item in place is { } processor ? Flatten(processor, "processors") : [])
        {
            var type = item.Required("type");
            switch (type.Text())
            {
                case "ByteLevel": // about offsets alone
                    break;
                case "TemplateProcessing":
                    ReadTemplate(item, vocabularySize, before, behind);
                    break;
                case "RobertaProcessing" or "BertProcessing":
                    before.Add(PairId(item.Required("cls"), vocabularySize));
                    behind.Add(PairId(item.Required("sep"), vocabularySize));
                    break;
                default:
                    type.Fail("\"ByteLevel\", \"TemplateProcessing\", \"RobertaProcessing\" or \"BertProcessing\"");
                    break;
            }
        }

        return (before, behind);
    }

    private static void ReadTemplate(JsonPlace item, int vocabularySize, List<int> before, List<int> behind)
    {
        var ids = item.Required("special_tokens")
            .Properties()
            .ToDictionary(token => token.Name, token => token.Value.Required("ids"));
        var isBehind = false;
        foreach (var piece in item.Required("single").Items())
        {
            if (piece.Optional("SpecialToken") is { } special)
            {
                var name = special.Required("id");
                if (!ids.TryGetValue(name.Text(), out var list))
                {
                    name.Fail("a name of \"special_tokens\"");
                }

                (isBehind ? behind : before).AddRange(list.Items().Select(id => id.Index(vocabularySize)));
            }
            else
            {
                piece.Required("Sequence");
                isBehind = !isBehind || piece.Fail<bool>("a template with one \"Sequence\"");
            }
        }

        if (!isBehind)
        {
            item.Required("single").Fail("a template with a \"Sequence\", the text itself");
        }
    }

    // ["</s>", 2]
    private static int PairId(JsonPlace place, int vocabularySize)
    {
        JsonPlace[] pair = [.. place.Items()];
        if (pair.Length == 2)
        {
            return pair[1].Index(vocabularySize);
        }

        return place.Fail<int>("a token and its id");
    }

    /// <summary>Whether text is spelled in the byte alphabet before the model sees it.</summary>
    public static bool IsByteLevel(JsonPlace? place) =>
        place is { } preTokenizer
        && Flatten(preTokenizer, "pretokenizers").Any(item => item.Required("type").Text() == "ByteLevel");

    /// <summary>Reads how text is cut; no rule where the file has no pre_tokenizer.</summary>
    public static PreTokenizer ReadPreTokenizer(JsonPlace? place)
    {
        var rules = new List<SplitRule>();
        if (place is not { } preTokenizer)
        {
            return new PreTokenizer(rules);
        }

        var isSpelled = false;
        foreach (var item in Flatten(preTokenizer, "pretokenizers"))
        {
            // What stands behind a ByteLevel cuts its spelling (Falcon).
            if (isSpelled && !rules.Contains(SplitRule.SpellBytes))
            {
                rules.Add(SplitRule.SpellBytes);
            }

            var type = item.Required("type");
            if (type.Text() == "ByteLevel")
            {
                if (isSpelled)
                {
                    type.Fail("one \"ByteLevel\"");
                }

                isSpelled = true;
                ReadByteLevel(item, rules);
            }
            else
            {
                rules.Add(ReadRule(item, type));
            }
        }

        return new PreTokenizer(rules);
    }

    private static SplitRule ReadRule(JsonPlace item, JsonPlace type)
    {
        switch (type.Text())
        {
            case "Split":
                return ReadSplit(item);
            case "Digits":
                return SplitRule.Of(item.Required("individual_digits").Boolean() ? @"\p{N}" : @"\p{N}+");
            case "Punctuation":
                // ASCII's symbols count as punctuation there.
                return SplitRule.Of(@"[\p{P}$+<=>^`|~]", ReadBehavior(item.Optional("behavior")));
            case "Whitespace":
                return SplitRule.Of(@"[\w\u200C\u200D]+|[^\w\s\u200C\u200D]+", SplitBehavior.Removed, isInverted: true);
            case "WhitespaceSplit":
                return SplitRule.Of(@"\s", SplitBehavior.Removed);
            case "CharDelimiterSplit":
                return SplitRule.Of(item.Required("delimiter").Text(), SplitBehavior.Removed, isLiteral: true);
            case "Metaspace":
                return SplitRule.Of(ReadMetaspace(item));
            default:
                return type.Fail<SplitRule>(
                    "\"ByteLevel\", \"Metaspace\", \"Split\", \"Digits\", \"Punctuation\", \"Whitespace\", "
                        + "\"WhitespaceSplit\" or \"CharDelimiterSplit\""
                );
        }
    }

    private static MetaspaceRule ReadMetaspace(JsonPlace item)
    {
        var replacement = item.Required("replacement");
        if (replacement.Text().EnumerateRunes().Count() != 1)
        {
            replacement.Fail("one character");
        }

        var scheme = PrependScheme.Always;
        if (item.Optional("prepend_scheme") is { } place)
        {
            scheme = place.Text() switch
            {
                "first" => PrependScheme.First,
                "always" => PrependScheme.Always,
                "never" => PrependScheme.Never,
                _ => place.Fail<PrependScheme>("\"first\", \"always\" or \"never\""),
            };
        }

        // The older word for it, which files of today still say.
        if (item.Optional("add_prefix_space") is { } prefix && !prefix.Boolean())
        {
            if (scheme == PrependScheme.First)
            {
                prefix.Fail("true where \"prepend_scheme\" is \"first\"");
            }

            scheme = PrependScheme.Never;
        }

        return new MetaspaceRule(replacement.Text(), scheme, item.Optional("split")?.Boolean() ?? true);
    }

    /// <summary>The parts of a "Sequence", however deep, or the place itself.</summary>
    public static IEnumerable<JsonPlace> Flatten(JsonPlace place, string listName)
    {
        if (place.Required("type").Text() == "Sequence")
        {
            return place.Required(listName).Items().SelectMany(item => Flatten(item, listName));
        }

        return [place];
    }

    private static void ReadByteLevel(JsonPlace item, List<SplitRule> rules)
    {
        // Readers disagree on what its absence means, and it decides ids.
        if (item.Required("add_prefix_space").Boolean())
        {
            rules.Add(SplitRule.PrefixBlank);
        }

        if (item.Optional("use_regex")?.Boolean() ?? true)
        {
            rules.Add(SplitRule.Of(SplitPattern.Gpt2));
        }
    }

    private static SplitRule ReadSplit(JsonPlace item)
    {
        var (text, isRegex) = ReadPattern(item.Required("pattern"));
        var behavior = ReadBehavior(item.Required("behavior"));
        var isInverted = item.Optional("invert")?.Boolean() ?? false;
        return Understood(text, () => SplitRule.Of(text.Text(), behavior, isInverted, isLiteral: !isRegex));
    }

    private static SplitBehavior ReadBehavior(JsonPlace? place)
    {
        if (place is not { } behavior)
        {
            return SplitBehavior.Isolated;
        }

        if (Enum.TryParse(behavior.Text(), out SplitBehavior known) && known.ToString() == behavior.Text())
        {
            return known;
        }

        return behavior.Fail<SplitBehavior>(
            string.Join(", ", Enum.GetNames<SplitBehavior>().Select(name => $"\"{name}\""))
        );
    }

    /// <summary>The text of a pattern, and whether it is a regular expression.</summary>
    public static (JsonPlace Text, bool IsRegex) ReadPattern(JsonPlace pattern)
    {
        if (pattern.Optional("Regex") is { } regex)
        {
            return (regex, true);
        }

        if (pattern.Optional("String") is { } text)
        {
            return (text, false);
        }

        return pattern.Fail<(JsonPlace, bool)>("a \"Regex\" or a \"String\"");
    }

    /// <summary>What is built from a regular expression; complains at its place where it is not understood.</summary>
    public static T Understood<T>(JsonPlace text, Func<T> build)
    {
        try
        {
            return build();
        }
        catch (ArgumentException error)
        {
            return text.Fail<T>($"a regular expression that .NET has too ({error.Message})");
        }
    }
}
