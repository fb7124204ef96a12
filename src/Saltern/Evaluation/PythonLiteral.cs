using System.Globalization;
using System.Text;

namespace Saltern.Evaluation;

/// <summary>Turns Python's spelling of lists, dictionaries, texts and numbers (<c>repr</c>) into JSON: some releases hold that as a text.</summary>
internal static class PythonLiteral
{
    private static readonly (string Python, string Json)[] Words =
    [
        ("None", "null"),
        ("True", "true"),
        ("False", "false"),
    ];

    private static readonly Dictionary<char, char> Escapes = new()
    {
        ['n'] = '\n',
        ['t'] = '\t',
        ['r'] = '\r',
        ['a'] = '\a',
        ['b'] = '\b',
        ['f'] = '\f',
        ['v'] = '\v',
        ['0'] = '\0',
        ['\\'] = '\\',
        ['\''] = '\'',
        ['"'] = '"',
    };

    private static readonly Dictionary<char, int> HexDigits = new()
    {
        ['x'] = 2,
        ['u'] = 4,
        ['U'] = 8,
    };

    /// <summary>The same as JSON; whether it is one shows when it is parsed.</summary>
    /// <exception cref="FormatException">A text has no end, or an escape that Python does not write.</exception>
    public static string ToJson(string text)
    {
        var json = new StringBuilder(text.Length);
        int at = 0;
        while (at < text.Length)
        {
            if (text[at] is '\'' or '"')
            {
                json.Append(System.Text.Json.JsonSerializer.Serialize(Quoted(text, ref at)));
                continue;
            }

            (string? python, string? word) = Array.Find(
                Words,
                pair => string.CompareOrdinal(text, at, pair.Python, 0, pair.Python.Length) == 0
            );
            if (python is not null)
            {
                json.Append(word);
                at += python.Length;
                continue;
            }

            json.Append(text[at]);
            at++;
        }

        return json.ToString();
    }

    // From the quotation mark at a place to its partner; the place goes behind it.
    private static string Quoted(string text, ref int at)
    {
        char quote = text[at++];
        var content = new StringBuilder();
        while (at < text.Length && text[at] != quote)
        {
            if (text[at] != '\\')
            {
                content.Append(text[at++]);
                continue;
            }

            at++;
            content.Append(Escaped(text, ref at));
        }

        if (at >= text.Length)
        {
            throw new FormatException("a text has no end");
        }

        at++;
        return content.ToString();
    }

    private static string Escaped(string text, ref int at)
    {
        char kind = at < text.Length ? text[at++] : ' ';
        if (Escapes.TryGetValue(kind, out char escaped))
        {
            return escaped.ToString();
        }

        if (
            HexDigits.TryGetValue(kind, out int digits)
            && at + digits <= text.Length
            && int.TryParse(
                text.AsSpan(at, digits),
                NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture,
                out int point
            )
            && Rune.IsValid(point)
        )
        {
            at += digits;
            return new Rune(point).ToString();
        }

        throw new FormatException($"it has the escape \\{kind}, which is none of Python's or names no character");
    }
}
