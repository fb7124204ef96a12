namespace Saltern.Configuration;

/// <summary>Nodes → records. Goes on after a mistake, so that all of them are found in one reading.</summary>
internal sealed class RecipeBinder
{
    private readonly ProblemList _problems;
    private readonly RecordShape _root;

    public RecipeBinder(RecordShape root, ProblemList problems)
    {
        _root = root;
        _problems = problems;
    }

    /// <summary>The whole configuration, or null when there were problems.</summary>
    public object? Bind(RecipeMap root) => BindRecord(_root, root, "", start: null);

    /// <summary>Reads a map into a record.</summary>
    /// <param name="map">What the recipe says.</param>
    /// <param name="path">Key path of the record, empty at the root.</param>
    /// <param name="start">The record that holds where the recipe is silent; null for the type's own defaults.</param>
    private object? BindRecord(RecordShape shape, RecipeMap map, string path, object? start)
    {
        object record = start is null ? shape.Create() : shape.CopyOf(start);
        bool isGood = RefuseUnknownKeys(shape, map, path);
        foreach ((string name, KeyShape key) in shape.Keys)
        {
            string keyPath = MessageText.JoinPath(path, name);
            RecipeEntry? entry = map.Entries.GetValueOrDefault(name);
            if (entry is null || entry.Value.IsRemoval)
            {
                isGood &= MayBeSilent(key, entry?.KeyPlace ?? map.Place, keyPath, start);
                isGood &= entry is null || RefuseUnknownBelow(key.Shape, entry.Value, keyPath);
            }
            else if (entry.Value is RecipeScalar scalar && ScalarText.IsNull(scalar) && key.IsNullable)
            {
                key.Set(record, null);
            }
            else if (BindKey(key, entry.Value, keyPath, key.Get(record)) is { } value)
            {
                key.Set(record, value);
            }
            else
            {
                isGood = false;
            }
        }

        if (!isGood)
        {
            return null;
        }

        AddContradictions(record, map, path);
        return record;
    }

    private object? BindKey(KeyShape key, RecipeNode node, string path, object? start)
    {
        object? value = BindValue(key, key.Shape, node, path, start);
        if (value is not null && ValueChecks.RefusalOfWhole(key, value) is { } refusal)
        {
            Refuse(node, $"{path} {refusal}", key);
            return null;
        }

        return value;
    }

    private object? BindValue(KeyShape key, ValueShape shape, RecipeNode node, string path, object? start)
    {
        switch (shape, node)
        {
            case (RecordShape record, RecipeMap map):
                return BindRecord(record, map, path, start);
            case (RecordShape { ShortForm: string only } record, RecipeScalar scalar)
                when !ScalarText.IsEmpty(scalar) && !ScalarText.IsNull(scalar):
                return BindRecord(record, OfOneKey(only, scalar), path, start: null);
            case (DictionaryShape dictionary, RecipeMap map):
                return BindDictionary(key, dictionary, map, path);
            case (ListShape list, RecipeList items):
                return BindList(key, list, items, path);
            case (_, RecipeScalar scalar) when ScalarText.IsEmpty(scalar) || ScalarText.IsNull(scalar):
                Refuse(node, $"{path} {EmptyOrNull(scalar)}. Expected: {shape.Expected}", key);
                return null;
            case (ScalarShape or EnumShape, RecipeScalar scalar):
                return BindScalar(key, shape, scalar, path);
            case (_, RecipeScalar scalar):
                Refuse(node, $"{path} = {MessageText.OfScalar(scalar)} is not {shape.Expected}", key);
                return null;
            default:
                Refuse(node, $"{path} is {node.Kind}, not {shape.Expected}", key);
                return null;
        }
    }

    private static RecipeMap OfOneKey(string key, RecipeScalar value) =>
        new(value.Place, new OrderedDictionary<string, RecipeEntry> { [key] = new(value.Place, value) });

    private object? BindScalar(KeyShape key, ValueShape shape, RecipeScalar scalar, string path)
    {
        string shown = $"{path} = {MessageText.OfScalar(scalar)}";
        if (shape is ScalarShape && !scalar.IsPlain && shape.Type != typeof(string))
        {
            Refuse(scalar, $"{shown} is text, not {shape.Expected}. Remove the quotes", key);
            return null;
        }

        object? value = ReadSingle(shape, scalar.Text, out string unread);
        string? refusal = unread;
        if (value is not null)
        {
            refusal = ValueChecks.RefusalOfSingle(key, value);
        }

        if (refusal is null)
        {
            return value;
        }

        Refuse(scalar, $"{shown} {refusal}", key);
        return null;
    }

    // Why there is no value is said as the end of a sentence; it means nothing where there is one.
    private static object? ReadSingle(ValueShape shape, string text, out string refusal)
    {
        if (shape is not EnumShape words)
        {
            return ScalarText.Read(shape.Type, text, out refusal);
        }

        refusal = $"is not {shape.Expected}";
        if (WordSuggestion.For(text, words.Values.Keys) is { } meant)
        {
            refusal += $". Did you mean {meant}?";
        }

        return words.Values.GetValueOrDefault(text);
    }

    private static string EmptyOrNull(RecipeScalar scalar)
    {
        if (ScalarText.IsEmpty(scalar))
        {
            return "has no value";
        }

        return "= null is not allowed";
    }

    private Array? BindList(KeyShape key, ListShape shape, RecipeList list, string path)
    {
        var values = Array.CreateInstance(shape.ElementType, list.Items.Count);
        bool isGood = true;
        for (int index = 0; index < list.Items.Count; index++)
        {
            object? value = BindValue(key, shape.Element, list.Items[index], $"{path}[{index}]", start: null);
            values.SetValue(value, index);
            isGood &= value is not null;
        }

        if (isGood)
        {
            return values;
        }

        return null;
    }

    private object? BindDictionary(KeyShape key, DictionaryShape shape, RecipeMap map, string path)
    {
        var values = (System.Collections.IDictionary)
            Activator.CreateInstance(typeof(OrderedDictionary<,>).MakeGenericType(typeof(string), shape.ElementType))!;
        bool isGood = true;
        foreach ((string name, RecipeEntry entry) in map.Entries.Where(entry => !entry.Value.Value.IsRemoval))
        {
            object? value = BindValue(key, shape.Element, entry.Value, MessageText.JoinPath(path, name), start: null);
            if (value is null)
            {
                isGood = false;
                continue;
            }

            values[name] = value;
        }

        if (isGood)
        {
            return values;
        }

        return null;
    }

    private bool MayBeSilent(KeyShape key, RecipePlace place, string path, object? start)
    {
        if (!key.IsRequired || start is not null)
        {
            return true;
        }

        _problems.Add(place, $"{path} is missing. Expected: {key.Shape.Expected}.{AdviceOf(key)}");
        return false;
    }

    private bool RefuseUnknownKeys(RecordShape shape, RecipeMap map, string path)
    {
        bool isGood = true;
        foreach ((string name, RecipeEntry entry) in map.Entries.Where(entry => !shape.Keys.ContainsKey(entry.Key)))
        {
            isGood = false;
            string keyPath = MessageText.JoinPath(path, name);
            _problems.Add(entry.KeyPlace, $"{keyPath} is not a known key.{UnknownKeyAdvice.For(name, shape, _root)}");
        }

        return isGood;
    }

    /// <summary>What <c>--set section.key=null</c> names must exist too, even where it leaves nothing behind.</summary>
    private bool RefuseUnknownBelow(ValueShape shape, RecipeNode removal, string path)
    {
        if (removal is not RecipeMap map || shape is not RecordShape record)
        {
            return true;
        }

        bool isGood = RefuseUnknownKeys(record, map, path);
        foreach ((string name, KeyShape key) in record.Keys)
        {
            isGood &=
                !map.Entries.TryGetValue(name, out RecipeEntry? entry)
                || RefuseUnknownBelow(key.Shape, entry.Value, MessageText.JoinPath(path, name));
        }

        return isGood;
    }

    private void AddContradictions(object record, RecipeMap map, string path)
    {
        if (record is not IValidated validated)
        {
            return;
        }

        foreach (ConfigurationProblem problem in validated.Validate())
        {
            string[] parts = [path, problem.Key];
            string keyPath = string.Join('.', parts.Where(part => part.Length > 0));
            _problems.Add(PlaceOf(map, problem.Key), $"{keyPath} {problem.Message}".TrimStart());
        }
    }

    /// <summary>Where the key stands, or the innermost section around it that the recipe gives.</summary>
    private static RecipePlace PlaceOf(RecipeMap map, string key)
    {
        RecipeNode node = map;
        foreach (string name in key.Split('.'))
        {
            if (node is not RecipeMap section || !section.Entries.TryGetValue(name, out RecipeEntry? entry))
            {
                break;
            }

            node = entry.Value;
        }

        return node.Place;
    }

    private void Refuse(RecipeNode node, string sentence, KeyShape key)
    {
        string end = sentence[^1] is '.' or '?' or '!' ? "" : ".";
        _problems.Add(node.Place, sentence + end + AdviceOf(key));
    }

    private static string AdviceOf(KeyShape key) => key.Advice is null ? "" : " " + key.Advice;
}
