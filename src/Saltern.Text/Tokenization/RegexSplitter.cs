using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Saltern.Tokenization;

/// <summary>What becomes of the matches of a Split, under the names of tokenizer.json.</summary>
internal enum SplitBehavior
{
    /// <summary>Each match is a piece, and each stretch between matches.</summary>
    Isolated,

    /// <summary>Matches are dropped.</summary>
    Removed,

    /// <summary>A match ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the piece behind it.</summary>
    MergedWithNext,

    /// <summary>As isolated, but matches that touch are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts text by a regular expression that <see cref="SplitPattern"/> does not know: the slow, general way.</summary>
/// <remarks>
/// Matches and the stretches between them are the pieces, joined as the behaviour says. Expressions are read as Oniguruma, the engine of
/// Hugging Face's library, reads them (<see cref="OnigurumaPattern"/>). Regex reads UTF-16; it is given one char for each code
/// point instead (beyond U+FFFF a stand-in of the same general category, for a stray byte U+FFFD), so that \p{L} means what
/// it means in the file's own library.
/// </remarks>
internal sealed class RegexSplitter
{
    private static readonly char[] StandIns = BuildStandIns();

    /// <summary>An expression from a file can be one that never ends; honest ones take milliseconds.</summary>
    private static readonly TimeSpan LongestSearch = TimeSpan.FromSeconds(30);

    private const int LongestPattern = 10_000;

    private readonly Regex _regex;

    /// <summary>Compiles the expression.</summary>
    /// <exception cref="ArgumentException">The expression is too long, or it is not understood.</exception>
    public RegexSplitter(
        string pattern,
        SplitBehavior behavior = SplitBehavior.Isolated,
        bool isInverted = false,
        bool isLiteral = false
    )
    {
        if (pattern.Length > LongestPattern)
        {
            throw new ArgumentException(
                $"it has {pattern.Length} characters, more than {LongestPattern}",
                nameof(pattern)
            );
        }

        (Pattern, Behavior, IsInverted, IsLiteral) = (pattern, behavior, isInverted, isLiteral);
        _regex = new Regex(
            isLiteral ? Regex.Escape(pattern) : OnigurumaPattern.Translate(pattern),
            RegexOptions.Compiled | RegexOptions.CultureInvariant | RegexOptions.Multiline,
            LongestSearch
        );
    }

    /// <summary>The expression as the file spells it.</summary>
    public string Pattern { get; }

    /// <summary>What becomes of the matches.</summary>
    public SplitBehavior Behavior { get; }

    /// <summary>Whether matches and what lies between them change places.</summary>
    public bool IsInverted { get; }

    /// <summary>Whether the pattern is plain text rather than an expression.</summary>
    public bool IsLiteral { get; }

    /// <summary>A text that two splitters share exactly if they cut alike: the bare pattern for the usual kind.</summary>
    public string Identity
    {
        get
        {
            if (Behavior == SplitBehavior.Isolated && !IsLiteral)
            {
                return Pattern;
            }

            string inverted = IsInverted ? " inverted" : "";
            string literal = IsLiteral ? " literal" : "";
            return $"{Pattern}\n{Behavior}{inverted}{literal}";
        }
    }

    /// <summary>Appends begin and end, in bytes, of each piece of the text.</summary>
    /// <exception cref="DataFormatException">The expression takes too long to find its next match.</exception>
    public void Split(ReadOnlySpan<byte> text, List<(int Start, int End)> pieces)
    {
        var matches = new List<(int Start, int End)>();
        Matches(text, matches);
        var end = 0;
        var joiner = new Joiner(Behavior, pieces);
        foreach (var match in matches)
        {
            joiner.Add(end, match.Start, IsInverted);
            joiner.Add(match.Start, match.End, !IsInverted);
            end = match.End;
        }

        joiner.Add(end, text.Length, IsInverted);
    }

    /// <summary>Appends begin and end, in bytes, of each match in the text.</summary>
    /// <exception cref="DataFormatException">The expression takes too long to find its next match.</exception>
    public void Matches(ReadOnlySpan<byte> text, List<(int Start, int End)> matches)
    {
        var units = ArrayPool<char>.Shared.Rent(text.Length);
        var offsets = ArrayPool<int>.Shared.Rent(text.Length + 1);
        try
        {
            var count = Decode(text, units, offsets);
            foreach (var match in _regex.EnumerateMatches(units.AsSpan(0, count)))
            {
                matches.Add((offsets[match.Index], offsets[match.Index + match.Length]));
            }
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new DataFormatException(
                $"The tokenizer's regular expression \"{Pattern}\" found no end within "
                    + $"{LongestSearch.TotalSeconds} s in a text of {text.Length} bytes; use another tokenizer.",
                error
            );
        }
        finally
        {
            ArrayPool<char>.Shared.Return(units);
            ArrayPool<int>.Shared.Return(offsets);
        }
    }

    private static int Decode(ReadOnlySpan<byte> text, char[] units, int[] offsets)
    {
        var count = 0;
        var position = 0;
        while (position < text.Length)
        {
            offsets[count] = position;
            if (Rune.DecodeFromUtf8(text[position..], out var rune, out var length) != OperationStatus.Done)
            {
                units[count++] = '\uFFFD';
                position++;
                continue;
            }

            units[count++] = UnitOf(rune);
            position += length;
        }

        offsets[count] = position;
        return count;
    }

    private static char UnitOf(Rune rune)
    {
        if (rune.IsBmp)
        {
            return (char)rune.Value;
        }

        return StandIns[(int)CharUnicodeInfo.GetUnicodeCategory(rune.Value)];
    }

    /// <summary>The last char of each general category: late ones are rare, so that no expression names them.</summary>
    private static char[] BuildStandIns()
    {
        var standIns = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        for (var c = 0; c <= char.MaxValue; c++)
        {
            standIns[(int)CharUnicodeInfo.GetUnicodeCategory((char)c)] = (char)c;
        }

        return standIns;
    }

    /// <summary>Joins matches and the stretches between them to pieces.</summary>
    private struct Joiner(SplitBehavior behavior, List<(int Start, int End)> pieces)
    {
        private bool _wasMatch;

        public void Add(int start, int end, bool isMatch)
        {
            if (start == end)
            {
                return;
            }

            // A run of matches is not merged into one: each beyond the first stands alone, as in Hugging Face's library.
            var joins = behavior switch
            {
                SplitBehavior.MergedWithPrevious => isMatch && !_wasMatch && pieces.Count > 0,
                SplitBehavior.MergedWithNext => !isMatch && _wasMatch,
                SplitBehavior.Contiguous => pieces.Count > 0 && isMatch == _wasMatch,
                _ => false,
            };
            if (joins)
            {
                pieces[^1] = (pieces[^1].Start, end);
            }
            else if (!isMatch || behavior != SplitBehavior.Removed)
            {
                pieces.Add((start, end));
            }

            _wasMatch = isMatch;
        }
    }
}
