namespace Saltern.Configuration;

/// <summary>One <c>--set key.path=value</c>; the value is YAML, and <c>null</c> takes the key back to its default.</summary>
public sealed class RecipeOverride
{
    /// <summary>More parts than this are no key path, and following them would exhaust the stack.</summary>
    private const int MaxKeys = 16;

    private readonly string[] _keys;
    private readonly string _value;

    private RecipeOverride(string text, string[] keys, string value)
    {
        Text = text;
        _keys = keys;
        _value = value;
    }

    /// <summary>The text as given, without <c>--set</c>.</summary>
    internal string Text { get; }

    /// <summary>The part before the first equals sign, such as <c>distillation.weight</c>.</summary>
    internal string KeyPath => string.Join('.', _keys);

    /// <summary>Splits an override.</summary>
    /// <param name="text">Such as <c>distillation.weight=0.3</c>.</param>
    /// <exception cref="ConfigurationException">There is no equals sign or value, or the key path is not one.</exception>
    public static RecipeOverride Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string place = $"--set {MessageText.OfText(text)}";
        RecipeFile.RefuseLongerThanLimit(text.Length, place);
        if (text.StartsWith("--", StringComparison.Ordinal))
        {
            // The command line takes what it does not know, behind --set, for one more setting.
            throw new ConfigurationException(
                $"{MessageText.OfText(text)} is no option of this command; --help lists them. "
                    + "A setting is written key.path=value, without dashes."
            );
        }

        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            throw new ConfigurationException(
                $"{place}: there is no '='. Write --set key.path=value, such as --set training.steps=100."
            );
        }

        string[] keys = [.. text[..equals].Split('.').Select(key => key.Trim())];
        if (keys.Length > MaxKeys || keys.Any(key => key.Length == 0 || key.Any(char.IsWhiteSpace)))
        {
            throw new ConfigurationException(
                $"{place}: '{MessageText.OfText(text[..equals])}' is not a key path. "
                    + "Write words with dots between them, such as training.steps."
            );
        }

        return new RecipeOverride(text, keys, text[(equals + 1)..]);
    }

    /// <summary>Whether it sets that key, or a section that holds it.</summary>
    /// <param name="keyPath">Such as <c>distillation.weight</c>, or <c>data.mixture[1].share</c>.</param>
    internal bool Covers(string keyPath)
    {
        ArgumentNullException.ThrowIfNull(keyPath);
        return keyPath.StartsWith(KeyPath, StringComparison.Ordinal)
            && (keyPath.Length == KeyPath.Length || keyPath[KeyPath.Length] is '.' or '[');
    }

    /// <summary>The root with this override laid over it.</summary>
    /// <param name="root">What the recipe and the overrides before this one gave.</param>
    /// <param name="order">Position among the overrides, from 1.</param>
    /// <param name="problems">Receives tags and doubled keys in the value.</param>
    /// <exception cref="ConfigurationException">The value is not YAML, or the path leads through something that is not a map.</exception>
    internal RecipeMap ApplyTo(RecipeMap root, int order, ProblemList problems)
    {
        var place = new RecipePlace($"--set {MessageText.OfText(Text)}", 0, 0, order);
        RecipeNode value =
            RecipeParser.Parse(_value, _ => place, problems)
            ?? throw new ConfigurationException(
                $"{place}: there is no value. Use {MessageText.OfText(KeyPath)}=null to go back to the default."
            );
        if (value is RecipeScalar scalar && ScalarText.IsNull(scalar))
        {
            value = new RemovedNode(place);
        }

        return Replace(root, 0, value, place);
    }

    private RecipeMap Replace(RecipeMap map, int index, RecipeNode value, RecipePlace place)
    {
        string key = _keys[index];
        RecipeEntry? old = map.Entries.GetValueOrDefault(key);
        if (index == _keys.Length - 1)
        {
            return map.With(key, new RecipeEntry(place, value));
        }

        RecipeMap below = old?.Value switch
        {
            RecipeMap oldMap => oldMap,
            null or RemovedNode => new RecipeMap(place, []),
            RecipeScalar scalar when ScalarText.IsNull(scalar) || ScalarText.IsEmpty(scalar) => new RecipeMap(
                place,
                []
            ),
            RecipeNode other => throw new ConfigurationException(
                $"{place}: {MessageText.OfText(string.Join('.', _keys[..(index + 1)]))} is {other.Kind} "
                    + $"({other.Place}), so it has no key {MessageText.OfText(_keys[index + 1])}. Set it as a whole."
            ),
        };
        return map.With(key, new RecipeEntry(old?.KeyPlace ?? place, Replace(below, index + 1, value, place)));
    }
}
