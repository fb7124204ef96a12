namespace Saltern.Configuration;

/// <summary>
/// Recipe → configuration: YAML and overrides to a tree of immutable records, strictly and with every problem listed at once.
/// </summary>
/// <remarks>
/// Keys are snake_case of the property names (<see cref="RecipeKeyAttribute"/> renames one); properties without a setter are no keys.
/// <c>required</c> properties must be given. Where the recipe is silent the value of the property in a new record holds, and a section
/// given in part keeps the rest of that value. Types: string, bool, int, long, double, <see cref="StepPoint"/>, enums, nullable ones,
/// records with a parameterless constructor, <see cref="IReadOnlyList{T}"/> and <see cref="IReadOnlyDictionary{TKey, TValue}"/> by string.
/// Checks: Range, AllowedValues, MinLength, MaxLength, Length and other attributes of System.ComponentModel.DataAnnotations, with
/// <see cref="AdviceAttribute"/> for what to do, and <see cref="IValidated"/> across keys.
/// Precedence: defaults &lt; recipe &lt; overrides, of which a later one wins. Single values follow YAML 1.2: <c>yes</c> is text.
/// </remarks>
public static class RecipeReader
{
    /// <summary>Reads a recipe file.</summary>
    /// <typeparam name="T">The root record.</typeparam>
    /// <param name="path">UTF-8 YAML, at most 1 MiB; messages name it as it is given here.</param>
    /// <param name="overrides">Texts of <c>--set</c>, such as <c>distillation.weight=0.3</c>; later ones win.</param>
    /// <returns>The configuration with all defaults filled in.</returns>
    /// <exception cref="ConfigurationException">
    /// The file cannot be read, or anything in it or the overrides is wrong; lists everything that is, each with file, line, column and key.
    /// </exception>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is no record that a recipe can hold.</exception>
    public static T Read<T>(string path, IReadOnlyList<string> overrides)
        where T : class
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Parse<T>(RecipeFile.Read(path), path, overrides);
    }

    /// <summary>Reads a recipe from text.</summary>
    /// <param name="yaml">YAML, at most 1 Mi characters.</param>
    /// <param name="sourceName">What messages call the text, usually the file's path.</param>
    /// <param name="overrides">Texts of <c>--set</c>, such as <c>distillation.weight=0.3</c>; later ones win.</param>
    /// <returns>The configuration with all defaults filled in.</returns>
    /// <exception cref="ConfigurationException">Anything is wrong; lists everything that is, each with its place and key.</exception>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is no record that a recipe can hold.</exception>
    internal static T Parse<T>(string yaml, string sourceName, IReadOnlyList<string> overrides)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(yaml);
        ArgumentNullException.ThrowIfNull(sourceName);
        ArgumentNullException.ThrowIfNull(overrides);
        if (ValueShape.Of(typeof(T)) is not RecordShape shape)
        {
            throw new InvalidOperationException($"The root of a recipe is a record, not {typeof(T)}.");
        }

        RecipeFile.RefuseLongerThanLimit(yaml.Length, sourceName);
        var problems = new ProblemList();
        RecipeMap root = ReadRoot(yaml, sourceName, problems);
        for (int index = 0; index < overrides.Count; index++)
        {
            root = Override(root, overrides[index], index + 1, problems);
        }

        object? config = new RecipeBinder(shape, problems).Bind(root);
        problems.ThrowIfAny();
        return (T)config!;
    }

    private static RecipeMap ReadRoot(string yaml, string sourceName, ProblemList problems)
    {
        RecipeNode? node = RecipeParser.Parse(
            yaml,
            mark => new RecipePlace(sourceName, (int)mark.Line, (int)mark.Column, 0),
            problems
        );
        var start = new RecipePlace(sourceName, 1, 1, 0);
        return node switch
        {
            RecipeMap map => map,
            null => new RecipeMap(start, []),
            _ => throw new ConfigurationException(
                $"{node.Place}: a recipe is a map of keys to values, and this is {node.Kind}. Write lines such as 'seed: 1'."
            ),
        };
    }

    private static RecipeMap Override(RecipeMap root, string text, int order, ProblemList problems)
    {
        try
        {
            return RecipeOverride.Parse(text).ApplyTo(root, order, problems);
        }
        catch (ConfigurationException error)
        {
            problems.Add(order, error);
            return root;
        }
    }
}
