namespace Saltern.Configuration;

/// <summary>What to do about a key that does not exist: the likely spelling, the section it belongs to, or the keys there are.</summary>
internal static class UnknownKeyAdvice
{
    /// <summary>Sections in sections; more would only follow a record that holds its own kind.</summary>
    private const int MaxDepth = 4;

    public static string For(string name, RecordShape here, RecordShape root)
    {
        // First: the nearest spelling of another program's word is often a key of another meaning.
        if (KeySynonyms.AdviceFor(name[(name.LastIndexOf('.') + 1)..], Paths(root, "", 1)) is { } foreign)
        {
            return " " + foreign;
        }

        if (WordSuggestion.For(name, here.Keys.Keys) is { } meant)
        {
            return $" Did you mean {meant}?";
        }

        string[] elsewhere =
        [
            .. Paths(root, "", 1).Where(path => path == name || path.EndsWith("." + name, StringComparison.Ordinal)),
        ];
        if (elsewhere.Contains(name))
        {
            int lastDot = name.LastIndexOf('.');
            if (lastDot < 0)
            {
                return " It belongs at the top level.";
            }

            return $" Write {name[(lastDot + 1)..]} inside the section {name[..lastDot]}.";
        }

        if (elsewhere.Length > 0)
        {
            return $" Did you mean {string.Join(" or ", elsewhere.Take(3))}?";
        }

        return $" Known here: {MessageText.OfNames(here.Keys.Keys)}.";
    }

    private static IEnumerable<string> Paths(RecordShape record, string prefix, int depth)
    {
        foreach ((string name, KeyShape key) in record.Keys)
        {
            string keyPath = prefix + name;
            yield return keyPath;
            if (depth < MaxDepth && key.Shape is RecordShape below)
            {
                foreach (string inner in Paths(below, keyPath + ".", depth + 1))
                {
                    yield return inner;
                }
            }
        }
    }
}
