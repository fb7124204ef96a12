// llama.cpp knows regular expressions for cutting text by name only (llama-vocab.cpp). A tokenizer leaves in a file only under a name that cuts as it does, or nearly so with a note.
using Saltern.Tokenization;

namespace Saltern.Export;

/// <summary>A way of cutting text that llama.cpp has a name for.</summary>
/// <param name="Name">The name, <c>tokenizer.ggml.pre</c>.</param>
/// <param name="TakesWholeWords">Whether a piece that is a token as a whole becomes it without merging.</param>
/// <param name="Patterns">The expressions, each cutting what the one before it left.</param>
internal sealed record GgufCut(string Name, bool TakesWholeWords, params string[] Patterns)
{
    private const string Digit = @"\p{N}";
    private const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Front = @"[^\r\n\p{L}\p{N}]?";
    private const string Tail = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Chinese = "[一-龥ࠀ-一가-\uD7FF]+";
    private const string Approximation =
        "llama.cpp cuts by an approximation of the tokenizer's expression, which knows no upper case beyond A to Z and no marks: "
        + "words with other capitals inside, or with combining marks, can get other token ids there.";

    private static readonly string Gpt2 = SplitPatterns.Regex(SplitPattern.Gpt2);
    private static readonly string Llama3 = SplitPatterns.Regex(SplitPattern.Llama3);
    private static readonly string Qwen2 = SplitPatterns.Regex(SplitPattern.Qwen2);

    private static readonly GgufCut[] Known =
    [
        new("llama-bpe", true, Llama3),
        new("smaug-bpe", false, Llama3),
        new("qwen2", false, Qwen2),
        new("gpt-2", false, Gpt2),
        new("smollm", false, Digit, Gpt2),
        new("bloom", false, " ?[^(\\s|[.,!?…。，、।۔،])]+"),
        new(
            "deepseek-v3",
            false,
            @"\p{N}{1,3}",
            "[一-龥\u3040-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        ),
        new("deepseek-coder", false, @"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", Chinese, Digit),
        new(
            "qwen35",
            false,
            Contraction
                + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        new(
            "seed-coder",
            false,
            Contraction + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        new(
            "bailingmoe",
            false,
            @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
        ),
        new(
            "gpt-4o",
            false,
            $"{Front}{Upper}*{Lower}+{Contraction}?|{Front}{Upper}+{Lower}*{Contraction}?|\\p{{N}}{{1,3}}|{Tail}"
        )
        {
            Note = Approximation,
        },
        new("tekken", true, $"{Front}{Upper}*{Lower}+|{Front}{Upper}+{Lower}*|\\p{{N}}|{Tail}")
        {
            Note = Approximation,
        },
    ];

    /// <summary>What llama.cpp does differently under the name; null for nothing.</summary>
    public string? Note { get; private init; }

    /// <summary>The name for a tokenizer's cuts; null where there is none.</summary>
    /// <param name="takesWholeWords">Whether its ids depend on taking whole words without merging; null where they are the same either way.</param>
    public static GgufCut? Find(IReadOnlyList<SplitRule> rules, bool? takesWholeWords)
    {
        string?[] patterns = [.. rules.Select(Pattern)];
        return Known.FirstOrDefault(cut =>
            cut.Patterns.SequenceEqual(patterns) && (takesWholeWords is null || takesWholeWords == cut.TakesWholeWords)
        );
    }

    // Null for what no expression of theirs can be.
    private static string? Pattern(SplitRule rule)
    {
        if (rule.Known is SplitPattern known)
        {
            return SplitPatterns.Regex(known);
        }

        // An expression that leaves nothing between its matches cuts alike whether they are kept apart or alone.
        bool keepsApart = rule.Foreign is { IsLiteral: false, Behavior: SplitBehavior.Isolated };
        bool keepsAlone =
            rule.Foreign is { IsLiteral: false, Behavior: SplitBehavior.Removed, IsInverted: true } foreign
            && foreign.Pattern.EndsWith(@"|\s+(?!\S)|\s+", StringComparison.Ordinal);
        if (!keepsApart && !keepsAlone)
        {
            return null;
        }

        return rule.Foreign!.Pattern.Replace("\r", "\\r", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
    }
}
