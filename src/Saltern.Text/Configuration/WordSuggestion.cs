namespace Saltern.Configuration;

/// <summary>Finds the word that was probably meant.</summary>
internal static class WordSuggestion
{
    /// <summary>Longer words are no slips of the pen, and comparing them costs the product of the lengths.</summary>
    private const int MaxLength = 40;

    /// <summary>The nearest word, or null when none is near: at most a third of the letters wrong, left out or swapped.</summary>
    public static string? For(string word, IEnumerable<string> known)
    {
        if (word.Length is 0 or > MaxLength)
        {
            return null;
        }

        string plain = Simplify(word);
        (string? Word, int Distance) best = known
            .Where(candidate => Math.Abs(candidate.Length - word.Length) <= 3)
            .Select(candidate => ((string?)candidate, Distance(plain, Simplify(candidate))))
            .DefaultIfEmpty((null, int.MaxValue))
            .MinBy(pair => pair.Item2);
        if (best.Distance <= Math.Min(3, Math.Max(1, word.Length / 3)))
        {
            return best.Word;
        }

        return null;
    }

    /// <summary>" Did you mean x?", or nothing.</summary>
    public static string Sentence(string word, IEnumerable<string> known) =>
        For(word, known) is { } meant ? $" Did you mean {meant}?" : "";

    private static string Simplify(string word) =>
        word.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>Letters to insert, delete, replace or swap with their neighbour (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }

                int replace = cost[i - 1, j - 1];
                if (a[i - 1] != b[j - 1])
                {
                    replace++;
                }

                cost[i, j] = Math.Min(replace, 1 + Math.Min(cost[i - 1, j], cost[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], 1 + cost[i - 2, j - 2]);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
