namespace Saltern.Tokenization;

/// <summary>One rule of a <see cref="PreTokenizer"/>: a known pattern, a regular expression of a foreign file, or a blank put in front.</summary>
internal sealed record SplitRule
{
    private SplitRule() { }

    /// <summary>Puts a blank in front of a piece that does not begin with one ("add_prefix_space").</summary>
    public static SplitRule PrefixBlank { get; } = new();

    /// <summary>The pattern with a hand-written scanner, or null.</summary>
    public SplitPattern? Known { get; private init; }

    /// <summary>The regular expression of a foreign file, or null.</summary>
    public RegexSplitter? Foreign { get; private init; }

    /// <summary>Whether this is <see cref="PrefixBlank"/>.</summary>
    public bool IsPrefixBlank => Known is null && Foreign is null;

    /// <summary>A text that two rules share exactly if they cut alike.</summary>
    public string Identity
    {
        get
        {
            if (Known is { } pattern)
            {
                return SplitPatterns.Regex(pattern);
            }

            return Foreign?.Identity ?? "add_prefix_space";
        }
    }

    /// <summary>The rule of a known pattern.</summary>
    public static SplitRule Of(SplitPattern pattern) => new() { Known = pattern };

    /// <summary>The rule of a regular expression.</summary>
    /// <exception cref="ArgumentException">.NET does not understand the expression.</exception>
    public static SplitRule Of(
        string regex,
        SplitBehavior behavior = SplitBehavior.Isolated,
        bool isInverted = false,
        bool isLiteral = false
    )
    {
        // The known patterns match every character: nothing lies between their matches
        // that inverting could turn over or removing could drop.
        var isIsolated = behavior == SplitBehavior.Isolated || (behavior == SplitBehavior.Removed && isInverted);
        if (!isLiteral && isIsolated && SplitPatterns.Recognize(regex) is { } pattern)
        {
            return Of(pattern);
        }

        return new() { Foreign = new RegexSplitter(regex, behavior, isInverted, isLiteral) };
    }
}

/// <summary>Cuts text into pre-tokens: each rule cuts the pieces that the one before it left.</summary>
internal sealed class PreTokenizer(IReadOnlyList<SplitRule> rules)
{
    /// <summary>What becomes of one pre-token.</summary>
    public delegate void Receiver<in TState>(ReadOnlySpan<byte> word, TState state);

    /// <summary>The rules in their order; none leaves the text whole.</summary>
    public IReadOnlyList<SplitRule> Rules { get; } = rules;

    /// <summary>Hands each pre-token of the text to the receiver, in order.</summary>
    /// <param name="text">UTF-8, valid or not; the pieces joined are the text, unless a rule removes matches or puts a blank in front.</param>
    /// <param name="receive">Called once for each pre-token.</param>
    /// <param name="state">Passed on, so that the receiver need not capture anything.</param>
    public void Split<TState>(ReadOnlySpan<byte> text, Receiver<TState> receive, TState state) =>
        Split(text, 0, receive, state);

    private void Split<TState>(ReadOnlySpan<byte> text, int rule, Receiver<TState> receive, TState state)
    {
        if (text.IsEmpty)
        {
            return;
        }

        if (rule == Rules.Count)
        {
            receive(text, state);
        }
        else if (Rules[rule].Known is { } pattern)
        {
            SplitKnown(text, pattern, rule, receive, state);
        }
        else if (Rules[rule].Foreign is { } foreign)
        {
            var pieces = new List<(int Start, int End)>();
            foreign.Split(text, pieces);
            foreach (var (start, end) in pieces)
            {
                Split(text[start..end], rule + 1, receive, state);
            }
        }
        else
        {
            Split(text[0] == ' ' ? text : [(byte)' ', .. text], rule + 1, receive, state);
        }
    }

    private void SplitKnown<TState>(
        ReadOnlySpan<byte> text,
        SplitPattern pattern,
        int rule,
        Receiver<TState> receive,
        TState state
    )
    {
        var isLast = rule + 1 == Rules.Count;
        var start = 0;
        while (start < text.Length)
        {
            var length = PatternScanner.Next(pattern, text, start);
            var piece = text.Slice(start, length);
            if (isLast)
            {
                receive(piece, state);
            }
            else
            {
                Split(piece, rule + 1, receive, state);
            }

            start += length;
        }
    }
}
