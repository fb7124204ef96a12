using System.Text;

namespace Saltern.Cli.Demo;

/// <summary>Keeps every sentence of a corpus at its first occurrence only.</summary>
internal sealed class RepeatedSentences
{
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    /// <summary>The part's text without the sentences seen before; empty where none is new.</summary>
    public string Remove(DocumentationPart part) =>
        string.Join(part.IsCode ? "\n" : " ", part.Sentences.Where(sentence => _seen.Add(Key(sentence))));

    /// <summary>What makes two sentences the same: their letters and digits, whatever the case, blanks and punctuation.</summary>
    internal static string Key(string sentence)
    {
        StringBuilder key = new(sentence.Length);
        foreach (char c in sentence)
        {
            if (char.IsLetterOrDigit(c))
            {
                key.Append(char.ToLowerInvariant(c));
            }
        }

        // A sentence of symbols alone (an operator, a pattern) is itself.
        return key.Length > 0 ? key.ToString() : sentence;
    }
}
