using System.Text.RegularExpressions;

namespace Saltern.Evaluation;

/// <summary>A small change to a field's text, such as the harness's task files make in Python.</summary>
internal sealed partial record TextFilter(string Name, string Argument)
{
    private static readonly Dictionary<string, Func<string, string, string>> Known = new(StringComparer.Ordinal)
    {
        ["trim"] = (text, _) => text.Trim(),
        ["lower_first"] = (text, _) => text.Length == 0 ? text : char.ToLowerInvariant(text[0]) + text[1..],
        ["capitalize"] = (text, _) =>
            text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant(),
        ["drop_last"] = (text, _) => text.Length == 0 ? text : text[..^1],
        ["last_word"] = (text, _) => text[(text.LastIndexOf(' ') + 1)..],
        ["but_last_word"] = (text, _) => text[..Math.Max(0, text.LastIndexOf(' '))],
        ["before"] = (text, mark) =>
            text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and int at ? text[..at] : text,
        ["after"] = (text, mark) =>
            text.IndexOf(mark, StringComparison.Ordinal) is >= 0 and int at ? text[(at + mark.Length)..] : text,
        ["without_brackets"] = (text, _) =>
            Brackets()
                .Replace(text.Trim().Replace(" [title]", ". ", StringComparison.Ordinal), "")
                .Replace("  ", " ", StringComparison.Ordinal),
        ["say"] = Say,
    };

    /// <summary>Reads <c>name</c> or <c>name:argument</c>.</summary>
    /// <exception cref="FormatException">There is no such filter.</exception>
    public static TextFilter Parse(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = (colon < 0 ? text : text[..colon]).Trim();
        if (Known.ContainsKey(name))
        {
            return new TextFilter(name, colon < 0 ? "" : text[(colon + 1)..]);
        }

        throw new FormatException($"has the unknown filter '{name}'. Use one of {string.Join(", ", Known.Keys)}.");
    }

    public string Apply(string text) => Known[Name](text, Argument);

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

    [GeneratedRegex(@"\[.*?\]")]
    private static partial Regex Brackets();
}
