using System.Globalization;
using System.Text;

namespace Saltern.Configuration;

/// <summary>Shows text from a file inside a one-line message: short, and without anything that could steer a terminal.</summary>
internal static class MessageText
{
    private const int MaxLength = 80;

    /// <summary>The value of a scalar as its author wrote it: plain where it is plain, else in quotes.</summary>
    public static string OfScalar(RecipeScalar scalar)
    {
        if (scalar.IsPlain && scalar.Text.Length > 0)
        {
            return OfText(scalar.Text);
        }

        return $"\"{OfText(scalar.Text)}\"";
    }

    /// <summary>At most 80 characters, control and format characters as \u0000.</summary>
    public static string OfText(string text)
    {
        var shown = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (shown.Length >= MaxLength)
            {
                return shown.Append('…').ToString();
            }

            if (IsUnsafe(rune))
            {
                shown.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}");
            }
            else
            {
                shown.Append(rune.ToString());
            }
        }

        return shown.ToString();
    }

    /// <summary>"a, b, c", cut after a dozen.</summary>
    public static string OfNames(IEnumerable<string> names)
    {
        const int Most = 12;
        List<string> all = [.. names];
        return string.Join(", ", all.Take(Most)) + (all.Count > Most ? ", …" : "");
    }

    /// <summary>"a.b" from "a" and "b"; "b" at the root.</summary>
    public static string JoinPath(string path, string key)
    {
        string shown = OfText(key);
        return path.Length == 0 ? shown : $"{path}.{shown}";
    }

    private static bool IsUnsafe(Rune rune) =>
        Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator;
}
