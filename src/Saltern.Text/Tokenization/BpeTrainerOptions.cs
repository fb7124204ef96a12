namespace Saltern.Tokenization;

/// <summary>What a new tokenizer is to be.</summary>
public sealed record BpeTrainerOptions
{
    /// <summary>Ids wanted, special tokens included.</summary>
    /// <value>At least 256 (one for each byte) and one for each special token. Too little text gives fewer ids; see <see cref="BpeTokenizer.VocabularySize"/>.</value>
    public required int VocabularySize { get; init; }

    /// <summary>How often two neighbours must occur in the text to be merged.</summary>
    /// <value>Default 2; at least 1.</value>
    public long MinimumFrequency { get; init; } = 2;

    /// <summary>Tokens that no text becomes by itself; they get the last ids, in this order.</summary>
    /// <value>Default "&lt;|endoftext|&gt;". One of them must mark the end of a text, by a name that <see cref="BpeTokenizer.EndOfTextId"/> knows.</value>
    public IReadOnlyList<string> SpecialTokens { get; init; } = ["<|endoftext|>"];

    /// <summary>How text is cut before merging.</summary>
    /// <value>Default <see cref="SplitPattern.Llama3"/>: numbers in groups of up to three digits.</value>
    public SplitPattern Pattern { get; init; } = SplitPattern.Llama3;

    /// <summary>Distinct words held while counting; beyond it the rarest are forgotten, which the progress shows as pruned.</summary>
    /// <value>Default 8 million, which takes about 1 GB in counting and 2 to 3 GB in merging; at least 1,000.</value>
    public int MaximumDistinctWords { get; init; } = 8_000_000;

    /// <summary>Checks every setting.</summary>
    /// <exception cref="ArgumentException">A setting is out of range; the message names it, what was found and what is allowed.</exception>
    internal void Validate()
    {
        if (SpecialTokens.Any(string.IsNullOrEmpty) || SpecialTokens.Distinct().Count() != SpecialTokens.Count)
        {
            throw new ArgumentException(
                $"{nameof(SpecialTokens)} = [{string.Join(", ", SpecialTokens)}] must be distinct texts, none of them empty."
            );
        }

        if (!SpecialTokens.Any(BpeTokenizer.EndOfTextNames.Contains))
        {
            throw new ArgumentException(
                $"{nameof(SpecialTokens)} = [{string.Join(", ", SpecialTokens)}] has none that ends a text. "
                    + $"Add one of {string.Join(", ", BpeTokenizer.EndOfTextNames)}."
            );
        }

        // A single character of the byte alphabet is what the file calls a byte.
        if (SpecialTokens.FirstOrDefault(token => ByteAlphabet.Read(token) is { Length: 1 }) is { } single)
        {
            throw new ArgumentException(
                $"{nameof(SpecialTokens)} has \"{single}\", which is the name of a byte in a tokenizer.json. Use a longer one."
            );
        }

        var smallest = 256 + SpecialTokens.Count;
        Require(
            VocabularySize >= smallest && VocabularySize <= TokenizerJsonReader.MaximumVocabularySize,
            nameof(VocabularySize),
            VocabularySize,
            $"{smallest} (256 bytes and {SpecialTokens.Count} special) to {TokenizerJsonReader.MaximumVocabularySize}"
        );
        Require(MinimumFrequency >= 1, nameof(MinimumFrequency), MinimumFrequency, "1 or more");
        Require(MaximumDistinctWords >= 1000, nameof(MaximumDistinctWords), MaximumDistinctWords, "1,000 or more");
        Require(
            Enum.IsDefined(Pattern),
            nameof(Pattern),
            (long)Pattern,
            string.Join(", ", Enum.GetNames<SplitPattern>())
        );
    }

    private static void Require(bool isAllowed, string name, long found, string allowed)
    {
        if (!isAllowed)
        {
            throw new ArgumentException($"{name} = {found} is not allowed; use {allowed}.");
        }
    }
}
