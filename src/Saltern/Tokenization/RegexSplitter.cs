using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Saltern.Tokenization;

/// <summary>Cuts text by a regular expression that <see cref="SplitPattern"/> does not know: the slow, general way.</summary>
/// <remarks>
/// Matches and the stretches between them are the pieces ("Isolated"). Regex reads UTF-16; it is given one char for each code
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
    /// <exception cref="ArgumentException">The expression is too long, or .NET does not understand it.</exception>
    public RegexSplitter(string pattern)
    {
        if (pattern.Length > LongestPattern)
        {
            throw new ArgumentException($"it has {pattern.Length} characters, more than {LongestPattern}", nameof(pattern));
        }

        Pattern = pattern;
        _regex = new Regex(pattern, RegexOptions.Compiled | RegexOptions.CultureInvariant, LongestSearch);
    }

    /// <summary>The expression as the file spells it.</summary>
    public string Pattern { get; }

    /// <summary>Appends the end, in bytes, of each piece of the text.</summary>
    /// <exception cref="DataFormatException">The expression takes too long to find its next match.</exception>
    public void Split(ReadOnlySpan<byte> text, List<int> ends)
    {
        var units = ArrayPool<char>.Shared.Rent(text.Length);
        var offsets = ArrayPool<int>.Shared.Rent(text.Length + 1);
        try
        {
            var count = Decode(text, units, offsets);
            var end = 0;
            foreach (var match in _regex.EnumerateMatches(units.AsSpan(0, count)))
            {
                if (match.Index > end)
                {
                    ends.Add(offsets[match.Index]);
                }

                if (match.Length > 0)
                {
                    ends.Add(offsets[match.Index + match.Length]);
                }

                end = match.Index + match.Length;
            }

            if (end < count)
            {
                ends.Add(text.Length);
            }
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new DataFormatException(
                $"The tokenizer's regular expression \"{Pattern}\" found no end within {LongestSearch.TotalSeconds} s in a text of {text.Length} bytes; use another tokenizer.", error);
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
            var isValid = Rune.DecodeFromUtf8(text[position..], out var rune, out var length) == OperationStatus.Done;
            units[count++] = !isValid ? '\uFFFD'
                : rune.IsBmp ? (char)rune.Value
                : StandIns[(int)CharUnicodeInfo.GetUnicodeCategory(rune.Value)];
            position += isValid ? length : 1;
        }

        offsets[count] = position;
        return count;
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
}
