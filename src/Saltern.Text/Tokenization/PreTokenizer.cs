namespace Saltern.Tokenization;

/// <summary>One rule of a <see cref="PreTokenizer"/>: a known pattern, a regular expression of a foreign file, or what changes the text on the way.</summary>
internal sealed record SplitRule
{
    private SplitRule() { }

    /// <summary>Puts a blank in front of a piece that does not begin with one ("add_prefix_space").</summary>
    public static SplitRule PrefixBlank { get; } = new() { Name = "add_prefix_space" };

    /// <summary>Spells bytes in the byte alphabet, for rules that stand behind a file's ByteLevel (Falcon) and see its spelling.</summary>
    public static SplitRule SpellBytes { get; } = new() { Name = "ByteLevel" };

    /// <summary>The pattern with a hand-written scanner, or null.</summary>
    public SplitPattern? Known { get; private init; }

    /// <summary>The regular expression of a foreign file, or null.</summary>
    public RegexSplitter? Foreign { get; private init; }

    /// <summary>SentencePiece's signs for blanks, or null.</summary>
    public MetaspaceRule? Metaspace { get; private init; }

    /// <summary>Whether this is <see cref="PrefixBlank"/>.</summary>
    public bool IsPrefixBlank => ReferenceEquals(this, PrefixBlank);

    /// <summary>Whether this is <see cref="SpellBytes"/>.</summary>
    public bool IsSpellBytes => ReferenceEquals(this, SpellBytes);

    private string Name { get; init; } = "";

    /// <summary>A text that two rules share exactly if they cut alike.</summary>
    public string Identity
    {
        get
        {
            if (Known is { } pattern)
            {
                return SplitPatterns.Regex(pattern);
            }

            return Foreign?.Identity ?? Metaspace?.Identity ?? Name;
        }
    }

    /// <summary>The rule of a known pattern.</summary>
    public static SplitRule Of(SplitPattern pattern) => new() { Known = pattern };

    /// <summary>SentencePiece's rule.</summary>
    public static SplitRule Of(MetaspaceRule metaspace) => new() { Metaspace = metaspace };

    /// <summary>The rule of a regular expression.</summary>
    /// <exception cref="ArgumentException">The expression is not understood.</exception>
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
    private readonly bool _spellsBytes = rules.Contains(SplitRule.SpellBytes);

    /// <summary>What becomes of one pre-token.</summary>
    public delegate void Receiver<in TState>(ReadOnlySpan<byte> word, TState state);

    /// <summary>The rules in their order; none leaves the text whole.</summary>
    public IReadOnlyList<SplitRule> Rules { get; } = rules;

    /// <summary>Hands each pre-token of the text to the receiver, in order.</summary>
    /// <param name="text">UTF-8, valid or not; the pieces joined are the text, unless a rule removes matches or changes blanks.</param>
    /// <param name="position">Where the text stands.</param>
    /// <param name="receive">Called once for each pre-token.</param>
    /// <param name="state">Passed on, so that the receiver need not capture anything.</param>
    public void Split<TState>(
        ReadOnlySpan<byte> text,
        PiecePosition position,
        Receiver<TState> receive,
        TState state
    ) => Split(text, position, 0, receive, state);

    private void Split<TState>(
        ReadOnlySpan<byte> text,
        PiecePosition position,
        int rule,
        Receiver<TState> receive,
        TState state
    )
    {
        if (text.IsEmpty)
        {
            return;
        }

        if (rule == Rules.Count)
        {
            receive(_spellsBytes ? ByteAlphabet.ReadUtf8(text) : text, state);
        }
        else if (Rules[rule].Known is { } pattern)
        {
            SplitKnown(text, position, pattern, rule, receive, state);
        }
        else if (Rules[rule].Foreign is { } foreign)
        {
            var pieces = new List<(int Start, int End)>();
            foreign.Split(text, pieces);
            foreach (var (start, end) in pieces)
            {
                Split(text[start..end], Behind(position, start), rule + 1, receive, state);
            }
        }
        else if (Rules[rule].Metaspace is { } metaspace)
        {
            SplitMetaspace(metaspace.Apply(text, position), position, metaspace, rule, receive, state);
        }
        else if (Rules[rule].IsSpellBytes)
        {
            Split(ByteAlphabet.SpellUtf8(text), position, rule + 1, receive, state);
        }
        else
        {
            var stays = text[0] == ' ' || position == PiecePosition.Continuation;
            Split(stays ? text : [(byte)' ', .. text], position, rule + 1, receive, state);
        }
    }

    private static PiecePosition Behind(PiecePosition position, int start) =>
        start == 0 ? position : PiecePosition.Inside;

    private void SplitKnown<TState>(
        ReadOnlySpan<byte> text,
        PiecePosition position,
        SplitPattern pattern,
        int rule,
        Receiver<TState> receive,
        TState state
    )
    {
        var isLast = rule + 1 == Rules.Count && !_spellsBytes;
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
                Split(piece, Behind(position, start), rule + 1, receive, state);
            }

            start += length;
        }
    }

    private void SplitMetaspace<TState>(
        ReadOnlySpan<byte> text,
        PiecePosition position,
        MetaspaceRule metaspace,
        int rule,
        Receiver<TState> receive,
        TState state
    )
    {
        var start = 0;
        while (start < text.Length)
        {
            var length = metaspace.Next(text[start..]);
            Split(text.Slice(start, length), Behind(position, start), rule + 1, receive, state);
            start += length;
        }
    }
}
