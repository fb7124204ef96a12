using System.Collections;

namespace Saltern.Configuration;

/// <summary>What changed between two configurations, for the checks before a run is resumed.</summary>
internal static class RecipeDiff
{
    /// <summary>Compares two configurations key by key, defaults included.</summary>
    /// <param name="before">The one the run began with.</param>
    /// <param name="after">The one it is to be resumed with.</param>
    /// <returns>The keys whose values differ or that are gone, in the order of declaration, then the new ones; none when the two are alike.</returns>
    /// <exception cref="ArgumentException">A number is infinite or NaN, which no recipe can say.</exception>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is no record that a recipe can hold.</exception>
    public static IReadOnlyList<RecipeChange> Compare<T>(T before, T after)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        OrderedDictionary<string, Leaf> old = LeavesOf(before);
        OrderedDictionary<string, Leaf> now = LeavesOf(after);
        var changes = new List<RecipeChange>();
        foreach ((string path, Leaf leaf) in old)
        {
            string? text = now.TryGetValue(path, out Leaf found) ? found.Text : null;
            if (text != leaf.Text)
            {
                changes.Add(new RecipeChange(path, leaf.Text, text, leaf.AltersNumbers, leaf.NamesInput));
            }
        }

        changes.AddRange(
            now.Where(pair => !old.ContainsKey(pair.Key))
                .Select(pair => new RecipeChange(
                    pair.Key,
                    null,
                    pair.Value.Text,
                    pair.Value.AltersNumbers,
                    pair.Value.NamesInput
                ))
        );
        return changes;
    }

    /// <summary>Every key of a configuration that has a value, defaults included, in the order of declaration.</summary>
    /// <param name="config">A record that a recipe can hold.</param>
    /// <returns>Key paths and values, as a recipe writes them.</returns>
    public static IEnumerable<KeyValuePair<string, string>> ValuesOf(object config) =>
        LeavesOf(config).Select(leaf => KeyValuePair.Create(leaf.Key, leaf.Value.Text));

    private static OrderedDictionary<string, Leaf> LeavesOf(object config)
    {
        var leaves = new OrderedDictionary<string, Leaf>();
        Collect(
            leaves,
            config,
            ValueShape.Of(config.GetType()),
            "",
            new Leaf("", AltersNumbers: true, NamesInput: false)
        );
        return leaves;
    }

    private static void Collect(
        OrderedDictionary<string, Leaf> leaves,
        object value,
        ValueShape shape,
        string path,
        Leaf marks
    )
    {
        int before = leaves.Count;
        switch (shape)
        {
            case RecordShape record:
                foreach ((string name, KeyShape key) in record.Keys)
                {
                    if (key.Get(value) is { } inner)
                    {
                        Collect(
                            leaves,
                            inner,
                            key.Shape,
                            Join(path, name),
                            marks with
                            {
                                AltersNumbers = marks.AltersNumbers && key.AltersNumbers,
                                NamesInput = marks.NamesInput || key.NamesInput,
                            }
                        );
                    }
                }

                break;
            case DictionaryShape dictionary:
                foreach ((string name, object inner) in RecipeWriter.Entries(value))
                {
                    Collect(leaves, inner, dictionary.Element, Join(path, NameText(name)), marks);
                }

                break;
            case ListShape { Element: ScalarShape or EnumShape } list:
                leaves.Add(path, marks with { Text = ListText((IEnumerable)value, list.Element) });
                return;
            case ListShape list:
                int index = 0;
                foreach (object inner in (IEnumerable)value)
                {
                    Collect(leaves, inner, list.Element, $"{path}[{index++}]", marks);
                }

                break;
            default:
                leaves.Add(path, marks with { Text = Single(value, shape) });
                return;
        }

        // A section without a single value still differs from one that is not there.
        if (leaves.Count == before && path.Length > 0)
        {
            leaves.Add(path, marks with { Text = shape is ListShape ? "[]" : "{}" });
        }
    }

    private static string ListText(IEnumerable values, ValueShape element) =>
        $"[{string.Join(", ", values.Cast<object>().Select(value => Single(value, element)))}]";

    private static string Single(object value, ValueShape shape)
    {
        string text = RecipeWriter.SingleText(value, shape);
        if (value is string)
        {
            return ScalarText.Quote(text);
        }

        return text;
    }

    /// <summary>A free name with a dot in it must not look like two keys.</summary>
    private static string NameText(string name)
    {
        if (name.Contains('.', StringComparison.Ordinal))
        {
            return $"\"{name}\"";
        }

        return ScalarText.Quote(name);
    }

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    private readonly record struct Leaf(string Text, bool AltersNumbers, bool NamesInput);
}

/// <summary>One key whose value differs between two configurations.</summary>
/// <param name="Path">Key path, such as <c>distillation.weight</c> or <c>data.mixture[1].share</c>.</param>
/// <param name="Before">The value as a recipe writes it, a list of single values in brackets; null where there was none.</param>
/// <param name="AltersNumbers">False where the key or a section around it is marked <see cref="DoesNotAlterNumbersAttribute"/>.</param>
/// <param name="NamesInput">True where the key or a section around it is marked <see cref="NamesInputAttribute"/>.</param>
internal sealed record RecipeChange(
    string Path,
    string? Before,
    string? After,
    bool AltersNumbers,
    bool NamesInput = false
);
