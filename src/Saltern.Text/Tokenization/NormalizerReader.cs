namespace Saltern.Tokenization;

/// <summary>Reads the "normalizer" of tokenizer.json.</summary>
internal static class NormalizerReader
{
    private const string Known =
        "\"NFC\", \"NFD\", \"NFKC\", \"NFKD\", \"Lowercase\", \"StripAccents\", "
        + "\"Strip\", \"Prepend\", \"Replace\", \"Nmt\" or \"Precompiled\"";

    /// <summary>The steps, in order; none where the file has no normalizer.</summary>
    public static List<TextNormalizer> Read(JsonPlace? place)
    {
        if (place is not { } normalizer)
        {
            return [];
        }

        return [.. TokenizerJsonPipeline.Flatten(normalizer, "normalizers").Select(ReadStep)];
    }

    private static TextNormalizer ReadStep(JsonPlace item)
    {
        var type = item.Required("type");
        switch (type.Text())
        {
            case "NFC" or "NFD" or "NFKC" or "NFKD":
                return new UnicodeFormNormalizer(Enum.Parse<UnicodeForm>(type.Text()));
            case "Lowercase":
                return new LowercaseNormalizer();
            case "StripAccents":
                return new StripAccentsNormalizer();
            case "Nmt":
                return new NmtNormalizer();
            case "Strip":
                return new StripNormalizer(
                    item.Required("strip_left").Boolean(),
                    item.Required("strip_right").Boolean()
                );
            case "Prepend":
                return new PrependNormalizer(item.Required("prepend").Text());
            case "Replace":
                return ReadReplace(item);
            case "Precompiled":
                return ReadPrecompiled(item.Required("precompiled_charsmap"));
            default:
                return type.Fail<TextNormalizer>(Known);
        }
    }

    private static TextNormalizer ReadReplace(JsonPlace item)
    {
        var content = item.Required("content").Text();
        var (text, isRegex) = TokenizerJsonPipeline.ReadPattern(item.Required("pattern"));
        if (text.Text().Length == 0)
        {
            text.Fail("a pattern that is not empty");
        }

        if (!isRegex)
        {
            return new ReplaceNormalizer(text.Text(), content);
        }

        return new RegexReplaceNormalizer(
            TokenizerJsonPipeline.Understood(text, () => new RegexSplitter(text.Text())),
            content
        );
    }

    private static PrecompiledNormalizer ReadPrecompiled(JsonPlace place)
    {
        try
        {
            return new PrecompiledNormalizer(Convert.FromBase64String(place.Text()));
        }
        catch (Exception error) when (error is FormatException or ArgumentException)
        {
            return place.Fail<PrecompiledNormalizer>($"a table of SentencePiece's in Base64 ({error.Message})");
        }
    }
}
