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
                    rules.Add(SplitRule.FromRegex(item.Required("individual_digits").Boolean() ? @"\p{N}" : @"\p{N}+"));
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

        return isByteLevel ? new PreTokenizer(rules) : place.Fail<PreTokenizer>("one that ends in \"ByteLevel\"");
    }

    private static IEnumerable<JsonPlace> Flatten(JsonPlace place, string listName) =>
        place.Required("type").Text() == "Sequence" ? place.Required(listName).Items().SelectMany(item => Flatten(item, listName)) : [place];

    private static void ReadByteLevel(JsonPlace item, List<SplitRule> rules)
    {
        // Absent means true in the library that defined the format, for both settings.
        if (item.Optional("add_prefix_space") is not { } prefix)
        {
            item.Fail("one with \"add_prefix_space\": false; a blank put in front would not come back out");
        }
        else if (prefix.Boolean())
        {
            prefix.Fail("false; a blank put in front would not come back out");
        }

        if (item.Optional("use_regex")?.Boolean() ?? true)
        {
            rules.Add(new SplitRule(SplitPattern.Gpt2, null));
        }
    }

    private static SplitRule ReadSplit(JsonPlace item)
    {
        var pattern = item.Required("pattern");
        if (pattern.Optional("Regex") is not { } regex)
        {
            return pattern.Fail<SplitRule>("a \"Regex\"");
        }

        SplitRule rule;
        try
        {
            rule = SplitRule.FromRegex(regex.Text());
        }
        catch (ArgumentException error)
        {
            return regex.Fail<SplitRule>($"a regular expression of .NET ({error.Message})");
        }

        // "Isolated" keeps matches and what lies between them apart, inverted or not. "Removed", inverted, drops what lies
        // between: nothing, as the known patterns match every character.
        var isInverted = item.Optional("invert")?.Boolean() ?? false;
        var behavior = item.Required("behavior").Text();
        var isHonoured = behavior == "Isolated" || (behavior == "Removed" && isInverted && rule.Known is not null);
        return isHonoured ? rule : item.Fail<SplitRule>("a Split with \"behavior\": \"Isolated\"");
    }
}
