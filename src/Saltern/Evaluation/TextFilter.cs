using System.Text.RegularExpressions;

namespace Saltern.Evaluation;

/// <summary>A small change to a field's text, such as the harness's task files make in Python.</summary>
internal sealed partial record TextFilter(string Name, string Argument)
{
    private static readonly Dictionary<string, Func<string, string, string>> Known = new(StringComparer.Ordinal)
    {
        ["trim"] = (text, _) => text.Trim(),
        ["lower_first"] = (text, _) => LowerFirst(text),
        ["capitalize"] = (text, _) => Capitalized(text),
        ["drop_last"] = (text, _) => text[..Math.Max(0, text.Length - 1)],
        ["last_word"] = (text, _) => text[(text.LastIndexOf(' ') + 1)..],
        ["but_last_word"] = (text, _) => text[..Math.Max(0, text.LastIndexOf(' '))],
        ["before"] = Before,
        ["after"] = After,
        ["without_brackets"] = (text, _) =>
            Brackets()
                .Replace(text.Trim().Replace(" [title]", ". ", StringComparison.Ordinal), "")
                .Replace("  ", " ", StringComparison.Ordinal),
        ["say"] = Say,
        ["wikitext"] = (text, _) => WikiText(text),
    };

    /// <summary>Reads <c>name</c> or <c>name:argument</c>.</summary>
    /// <exception cref="FormatException">There is no such filter.</exception>
    public static TextFilter Parse(string text)
    {
        string[] parts = text.Split(':', 2);
        string name = parts[0].Trim();
        if (Known.ContainsKey(name))
        {
            return new TextFilter(name, parts.Length == 1 ? "" : parts[1]);
        }

        throw new FormatException($"has the unknown filter '{name}'. Use one of {string.Join(", ", Known.Keys)}.");
    }

    public string Apply(string text) => Known[Name](text, Argument);

    private static string LowerFirst(string text)
    {
        if (text.Length == 0)
        {
            return text;
        }

        return char.ToLowerInvariant(text[0]) + text[1..];
    }

    private static string Capitalized(string text)
    {
        if (text.Length == 0)
        {
            return text;
        }

        return char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();
    }

    private static string Before(string text, string mark)
    {
        if (text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and int at)
        {
            return text[..at];
        }

        return text;
    }

    private static string After(string text, string mark)
    {
        if (text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and int at)
        {
            return text[(at + mark.Length)..];
        }

        return text;
    }

    // say:cause=because,effect=therefore
    private static string Say(string text, string pairs)
    {
        foreach (string pair in pairs.Split(','))
        {
            if (pair.StartsWith(text + "=", StringComparison.Ordinal))
            {
                return pair[(text.Length + 1)..];
            }
        }

        throw new DataFormatException($"holds '{text}', which is none of {pairs}");
    }

    // As lm_eval/tasks/wikitext/preprocess_wikitext.py puts the tokens together again, its slips included: the pattern with slashes matches nothing.
    private static string WikiText(string text)
    {
        text = text.Replace("s '", "s'", StringComparison.Ordinal);
        (string Old, string New)[] signs =
        [
            (" @-@ ", "-"),
            (" @,@ ", ","),
            (" @.@ ", "."),
            (" : ", ": "),
            (" ; ", "; "),
            (" . ", ". "),
            (" ! ", "! "),
            (" ? ", "? "),
            (" , ", ", "),
        ];
        text = signs.Aggregate(text, (value, sign) => value.Replace(sign.Old, sign.New, StringComparison.Ordinal));
        text = Round().Replace(text, "($1)");
        text = Square().Replace(text, "[$1]");
        text = Curly().Replace(text, "{$1}");
        text = Quoted().Replace(text, "\"$1\"");
        text = SingleQuoted().Replace(text, "'$1'");
        (string Old, string New)[] rest =
        [
            ("= = = =", "===="),
            ("= = =", "==="),
            ("= =", "=="),
            (" \u00B0 ", "\u00B0"),
            (" \n", "\n"),
            ("\n ", "\n"),
            (" N ", " 1 "),
            (" 's", "'s"),
        ];
        return rest.Aggregate(text, (value, sign) => value.Replace(sign.Old, sign.New, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"\(\s*([^\)]*?)\s*\)")]
    private static partial Regex Round();

    [GeneratedRegex(@"\[\s*([^\]]*?)\s*\]")]
    private static partial Regex Square();

    [GeneratedRegex(@"{\s*([^}]*?)\s*}")]
    private static partial Regex Curly();

    [GeneratedRegex("\"\\s*([^\"]*?)\\s*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"'\s*([^']*?)\s*'")]
    private static partial Regex SingleQuoted();

    [GeneratedRegex(@"\[.*?\]")]
    private static partial Regex Brackets();
}
