namespace Saltern.Tokenization;

/// <summary>How text is cut into pre-tokens before merging; no merge crosses a cut. The names are the models that made each rule known.</summary>
public enum SplitPattern
{
    /// <summary>GPT-2: words and numbers take one blank in front; digits stay together; English contractions in lower case.</summary>
    Gpt2,

    /// <summary>Llama 3 (also cl100k): numbers in groups of up to three digits, line breaks apart, contractions in any case.</summary>
    Llama3,

    /// <summary>Qwen 2: as <see cref="Llama3"/>, with every digit on its own.</summary>
    Qwen2,
}

/// <summary>The regular expressions behind <see cref="SplitPattern"/>, as tokenizer.json files spell them.</summary>
internal static class SplitPatterns
{
    private const string Gpt2 = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const string Gpt2Original = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Qwen2 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The regular expression written into files.</summary>
    public static string Regex(SplitPattern pattern) =>
        pattern switch
        {
            SplitPattern.Gpt2 => Gpt2,
            SplitPattern.Llama3 => Llama3,
            SplitPattern.Qwen2 => Qwen2,
            _ => throw new ArgumentOutOfRangeException(nameof(pattern), pattern, "Use Gpt2, Llama3 or Qwen2."),
        };

    /// <summary>The pattern that a file's regular expression stands for, or null where it is none of the known ones.</summary>
    public static SplitPattern? Recognize(string regex) =>
        regex switch
        {
            Gpt2 or Gpt2Original => SplitPattern.Gpt2,
            Llama3 => SplitPattern.Llama3,
            Qwen2 => SplitPattern.Qwen2,
            _ => null,
        };
}
