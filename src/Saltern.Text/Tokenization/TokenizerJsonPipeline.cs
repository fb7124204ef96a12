namespace Saltern.Tokenization;

/// <summary>Reads the parts of tokenizer.json around the model: normaliser, pre-tokenizer, decoder.</summary>
internal static class TokenizerJsonPipeline
{
    /// <summary>Whether text is composed (NFC) before all else; nothing but NFC is honoured.</summary>
    public static bool ReadNormalizer(JsonPlace? place)
    {
        if (place is not { } normalizer)
        {
            return false;
        }

        var composes = false;
        foreach (var item in Flatten(normalizer, "normalizers"))
        {
            var type = item.Required("type");
            composes |= type.Text() == "NFC" || type.Fail<bool>("\"NFC\", or no normalizer");
        }

        return composes;
    }

    /// <summary>Only the byte-level decoder turns ids back into the bytes they came from.</summary>
    public static void CheckDecoder(JsonPlace? place, JsonPlace root)
    {
        var type = (place ?? root.Required("decoder")).Required("type");
        if (type.Text() != "ByteLevel")
        {
            type.Fail("\"ByteLevel\"");
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

    /// <summary>Reads a ByteLevel, or a Sequence of Split and Digits that ends in one.</summary>
    public static PreTokenizer ReadPreTokenizer(JsonPlace place)
    {
        var rules = new List<SplitRule>();
        var isByteLevel = false;
        foreach (var item in Flatten(place, "pretokenizers"))
        {
            var type = item.Required("type");
            if (isByteLevel)
            {
                type.Fail("nothing after \"ByteLevel\"");
            }

            switch (type.Text())
            {
                case "Split":
                    rules.Add(ReadSplit(item));
                    break;
                case "Digits":
                    rules.Add(SplitRule.Of(item.Required("individual_digits").Boolean() ? @"\p{N}" : @"\p{N}+"));
                    break;
                case "ByteLevel":
                    isByteLevel = true;
                    ReadByteLevel(item, rules);
                    break;
                default:
                    type.Fail("\"Split\", \"Digits\" or \"ByteLevel\"");
                    break;
            }
        }

        if (isByteLevel)
        {
            return new PreTokenizer(rules);
        }

        return place.Fail<PreTokenizer>("one that ends in \"ByteLevel\"");
    }

    private static IEnumerable<JsonPlace> Flatten(JsonPlace place, string listName)
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
        var pattern = item.Required("pattern");
        var regex = pattern.Optional("Regex");
        if ((regex ?? pattern.Optional("String")) is not { } text)
        {
            return pattern.Fail<SplitRule>("a \"Regex\" or a \"String\"");
        }

        var behavior = item.Required("behavior");
        if (!Enum.TryParse(behavior.Text(), out SplitBehavior known) || known.ToString() != behavior.Text())
        {
            behavior.Fail(string.Join(", ", Enum.GetNames<SplitBehavior>().Select(name => $"\"{name}\"")));
        }

        try
        {
            return SplitRule.Of(
                text.Text(),
                known,
                item.Optional("invert")?.Boolean() ?? false,
                isLiteral: regex is null
            );
        }
        catch (ArgumentException error)
        {
            return text.Fail<SplitRule>($"a regular expression of .NET ({error.Message})");
        }
    }
}
