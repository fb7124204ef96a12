namespace Saltern.Tokenization;

/// <summary>One rule of a <see cref="PreTokenizer"/>: a known pattern, or a regular expression of a foreign file.</summary>
/// <param name="Known">The pattern with a hand-written scanner, or null.</param>
/// <param name="Foreign">The regular expression where <paramref name="Known"/> is null.</param>
internal sealed record SplitRule(SplitPattern? Known, RegexSplitter? Foreign)
{
    /// <summary>The regular expression, in the one spelling that stands for all equal ones.</summary>
    public string Regex => Known is { } pattern ? SplitPatterns.Regex(pattern) : Foreign!.Pattern;

    /// <summary>The rule of a regular expression.</summary>
    /// <exception cref="ArgumentException">.NET does not understand the expression.</exception>
    public static SplitRule FromRegex(string regex) =>
        SplitPatterns.Recognize(regex) is { } pattern ? new(pattern, null) : new(null, new RegexSplitter(regex));
}

/// <summary>Cuts text into pre-tokens: each rule cuts the pieces that the one before it left.</summary>
internal sealed class PreTokenizer(IReadOnlyList<SplitRule> rules)
{
    /// <summary>What becomes of one pre-token.</summary>
    public delegate void Receiver<in TState>(ReadOnlySpan<byte> word, TState state);

    /// <summary>The rules in their order; none leaves the text whole.</summary>
    public IReadOnlyList<SplitRule> Rules { get; } = rules;

    /// <summary>Hands each pre-token of the text to the receiver, in order.</summary>
    /// <param name="text">UTF-8, valid or not; the pieces joined are the text.</param>
    /// <param name="receive">Called once for each pre-token.</param>
    /// <param name="state">Passed on, so that the receiver need not capture anything.</param>
    public void Split<TState>(ReadOnlySpan<byte> text, Receiver<TState> receive, TState state) => Split(text, 0, receive, state);

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
        else
        {
            var ends = new List<int>();
            Rules[rule].Foreign!.Split(text, ends);
            var start = 0;
            foreach (var end in ends)
            {
                Split(text[start..end], rule + 1, receive, state);
                start = end;
            }
        }
    }

    private void SplitKnown<TState>(ReadOnlySpan<byte> text, SplitPattern pattern, int rule, Receiver<TState> receive, TState state)
    {
        var isLast = rule + 1 == Rules.Count;
        for (var start = 0; start < text.Length;)
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
