using System.Globalization;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>Turns a regular expression of tokenizer.json, which is Oniguruma's (Ruby's syntax), into one of .NET that matches the same.</summary>
/// <remarks>
/// They differ in possessive quantifiers, sets within sets, line anchors, <c>\w</c>, <c>\h</c>, <c>{,n}</c> and the flag <c>m</c>. What has no
/// counterpart is refused: read by .NET's own rules it would cut differently, without a word.
/// </remarks>
internal static class OnigurumaPattern
{
    // Oniguruma's \w: letters, marks, decimal and letter numbers, connectors, and circled letters, which are alphabetic.
    private const string WordSet = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";

    private const string HexSet = "0-9a-fA-F";

    /// <summary>Translates an expression; lines begin and end at line feeds, so it wants RegexOptions.Multiline.</summary>
    /// <exception cref="ArgumentException">It uses what .NET does not have.</exception>
    public static string Translate(string pattern)
    {
        foreach (var unit in pattern)
        {
            if (char.IsSurrogate(unit))
            {
                throw new ArgumentException("characters beyond U+FFFF in it are not supported", nameof(pattern));
            }
        }

        return new Reader(pattern).Read();
    }

    private sealed class Reader(string pattern)
    {
        private readonly StringBuilder _output = new();
        private readonly Stack<int> _groups = new();
        private int _at;

        // Where the last atom, which a quantifier would repeat, begins in the output; −1 where there is none.
        private int _atom = -1;

        public string Read()
        {
            while (_at < pattern.Length)
            {
                ReadNext();
            }

            return _output.ToString();
        }

        private void ReadNext()
        {
            var c = pattern[_at];
            if (c is '*' or '+' or '?' || (c == '{' && BoundsLength() > 0))
            {
                ReadQuantifier();
                return;
            }

            var start = _output.Length;
            _at++;
            switch (c)
            {
                case '\\':
                    ReadEscape();
                    break;
                case '[':
                    var (isNegated, items) = ReadSet();
                    _output.Append(isNegated ? "[^" : "[").Append(items).Append(']');
                    break;
                case '(':
                    ReadGroup();
                    return;
                case ')':
                    _output.Append(')');
                    start = _groups.Count > 0 ? _groups.Pop() : start;
                    break;
                case '{':
                    _output.Append(@"\{");
                    break;
                case '|' or '^' or '$':
                    _output.Append(c);
                    _atom = -1;
                    return;
                default:
                    _output.Append(c);
                    break;
            }

            _atom = start;
        }

        private void ReadGroup()
        {
            _groups.Push(_output.Length);
            _output.Append('(');
            _atom = -1;
            if (Peek() != '?')
            {
                return;
            }

            var rest = pattern.AsSpan(_at);
            foreach (var opening in (string[])["?:", "?=", "?!", "?>", "?<=", "?<!"])
            {
                if (rest.StartsWith(opening, StringComparison.Ordinal))
                {
                    _output.Append(opening);
                    _at += opening.Length;
                    return;
                }
            }

            var end = _at + 1;
            while (end < pattern.Length && pattern[end] is 'i' or 'm' or 'x' or '-')
            {
                end++;
            }

            if (end == _at + 1 || end == pattern.Length || pattern[end] is not (':' or ')'))
            {
                throw Unsupported($"({pattern[_at..Math.Min(pattern.Length, _at + 3)]}");
            }

            // Ruby's m is everybody's s; its lines are always several.
            _output.Append(pattern[_at..end].Replace('m', 's')).Append(pattern[end]);
            _at = end + 1;
            if (pattern[end] == ')')
            {
                _groups.Pop();
            }
        }

        private void ReadQuantifier()
        {
            if (_atom < 0)
            {
                throw Unsupported($"{pattern[_at]} with nothing before it");
            }

            var isBraced = pattern[_at] == '{';
            var length = isBraced ? BoundsLength() : 1;
            var quantifier = pattern.Substring(_at, length);
            if (quantifier.StartsWith("{,", StringComparison.Ordinal))
            {
                quantifier = "{0" + quantifier[1..];
            }

            _at += length;
            _output.Append(quantifier);
            switch (Peek())
            {
                case '?' when !isBraced || quantifier.Contains(',', StringComparison.Ordinal):
                    _at++;
                    _output.Append('?');
                    Wrap("(?:");
                    break;
                case '+' when !isBraced:
                    _at++;
                    Wrap("(?>");
                    break;
                case '*' or '+' or '?' or '{':
                    Wrap("(?:");
                    break;
                default:
                    break;
            }
        }

        // So that what follows can repeat the whole.
        private void Wrap(string opening) => _output.Insert(_atom, opening).Append(')');

        private void ReadEscape()
        {
            var c = Next();
            switch (c)
            {
                case 'w':
                    _output.Append('[').Append(WordSet).Append(']');
                    break;
                case 'W':
                    _output.Append("[^").Append(WordSet).Append(']');
                    break;
                case 'h':
                    _output.Append('[').Append(HexSet).Append(']');
                    break;
                case 'H':
                    _output.Append("[^").Append(HexSet).Append(']');
                    break;
                case 'b' or 'B':
                    var (before, after) = c == 'b' ? ("(?!", "(?=") : ("(?=", "(?!");
                    _output.Append(
                        CultureInfo.InvariantCulture,
                        $"(?:(?<=[{WordSet}]){before}[{WordSet}])|(?<![{WordSet}]){after}[{WordSet}]))"
                    );
                    break;
                case 'A' or 'z' or 'Z' or 'G':
                    _output.Append('\\').Append(c);
                    break;
                case >= '1' and <= '9':
                    _output.Append('\\').Append(c);
                    break;
                default:
                    _output.Append(CharacterEscape(c, out _));
                    break;
            }
        }

        // An escape that means the same inside a set and outside.
        private string CharacterEscape(char c, out bool isOneCharacter)
        {
            isOneCharacter = true;
            switch (c)
            {
                case 'd' or 'D' or 's' or 'S':
                    isOneCharacter = false;
                    return $"\\{c}";
                case 'p' or 'P':
                    isOneCharacter = false;
                    return Property(c);
                case 't' or 'n' or 'r' or 'f' or 'v' or 'a' or 'e':
                    return $"\\{c}";
                case 'u':
                    return $"\\u{Hexadecimal(Take(4)):X4}";
                case 'x':
                    return Hexadecimal();
                default:
                    if (char.IsAsciiLetterOrDigit(c))
                    {
                        throw Unsupported($"\\{c}");
                    }

                    return char.IsAscii(c) ? $"\\{c}" : $"{c}";
            }
        }

        private string Hexadecimal()
        {
            string digits;
            if (Peek() == '{')
            {
                var end = pattern.IndexOf('}', _at);
                digits = end < 0 ? "" : pattern[(_at + 1)..end];
                _at = end + 1;
                var value = Hexadecimal(digits);
                if (value <= char.MaxValue)
                {
                    return $"\\u{value:X4}";
                }

                throw Unsupported($"\\x{{{digits}}}");
            }

            digits = Take(2);
            var single = Hexadecimal(digits);

            // Beyond ASCII it would be a byte of UTF-8, no character.
            if (single < 0x80)
            {
                return $"\\u{single:X4}";
            }

            throw Unsupported($"\\x{digits}");
        }

        private static int Hexadecimal(string digits)
        {
            if (
                int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
                && value >= 0
            )
            {
                return value;
            }

            throw Unsupported($"the number \"{digits}\"");
        }

        private string Property(char c)
        {
            var end = pattern.IndexOf('}', _at);
            if (Peek() != '{' || end < 0)
            {
                throw Unsupported($"\\{c} without a name");
            }

            var name = pattern[(_at + 1)..end];
            _at = end + 1;
            if (name is ['^', ..])
            {
                (c, name) = (c == 'p' ? 'P' : 'p', name[1..]);
            }

            // .NET knows blocks under names of its own; general categories are called alike.
            if (name.Length is 0 or > 2)
            {
                throw Unsupported($"\\{c}{{{name}}}");
            }

            return $"\\{c}{{{name}}}";
        }

        // What stands in a set, sets within it joined; the reader is behind the opening bracket.
        private (bool IsNegated, string Items) ReadSet()
        {
            var isNegated = Peek() == '^';
            _at += Convert.ToInt32(isNegated);
            var items = new StringBuilder();
            var (canBeginRange, endsRange) = (false, false);
            for (var isFirst = true; ; isFirst = false)
            {
                var c = Next();
                if (c == ']' && !isFirst)
                {
                    break;
                }

                var wasOneCharacter = true;
                switch (c)
                {
                    case '[' when Peek() == ':':
                        throw Unsupported("[: :]");
                    case '[':
                        var (isInnerNegated, inner) = ReadSet();
                        if (isInnerNegated)
                        {
                            throw Unsupported("a negated set within a set");
                        }

                        items.Append(inner);
                        wasOneCharacter = false;
                        break;
                    case '&' when Peek() == '&':
                        throw Unsupported("&&");
                    case '-' when canBeginRange && Peek() is not (']' or '['):
                        items.Append('-');
                        (canBeginRange, endsRange) = (false, true);
                        continue;
                    case '\\':
                        items.Append(SetEscape(Next(), out wasOneCharacter));
                        break;
                    default:
                        items.Append(c is '[' or ']' or '^' or '-' ? $"\\{c}" : $"{c}");
                        break;
                }

                // What ends a range begins none.
                (canBeginRange, endsRange) = (wasOneCharacter && !endsRange, false);
            }

            return (isNegated, items.ToString());
        }

        private string SetEscape(char c, out bool isOneCharacter)
        {
            isOneCharacter = false;
            switch (c)
            {
                case 'w':
                    return WordSet;
                case 'h':
                    return HexSet;
                case 'W' or 'H':
                    throw Unsupported($"\\{c} in a set");
                case 'b':
                    isOneCharacter = true;
                    return "\\b";
                default:
                    return CharacterEscape(c, out isOneCharacter);
            }
        }

        // {n}, {n,}, {,n} or {n,m} at the reader's place: its length; 0 for anything else, which is text.
        private int BoundsLength()
        {
            var end = _at + 1;
            var commas = 0;
            while (end < pattern.Length && (char.IsAsciiDigit(pattern[end]) || pattern[end] == ','))
            {
                commas += Convert.ToInt32(pattern[end] == ',');
                end++;
            }

            var isBounds = end < pattern.Length && pattern[end] == '}' && commas < 2 && end - _at - 1 > commas;
            return isBounds ? end - _at + 1 : 0;
        }

        private char Peek() => _at < pattern.Length ? pattern[_at] : '\0';

        private char Next()
        {
            if (_at < pattern.Length)
            {
                return pattern[_at++];
            }

            throw Unsupported("an end in the middle");
        }

        private string Take(int count)
        {
            var taken = pattern[_at..Math.Min(pattern.Length, _at + count)];
            _at += taken.Length;
            return taken;
        }

        private static ArgumentException Unsupported(string what) => new($"{what} is not supported");
    }
}
