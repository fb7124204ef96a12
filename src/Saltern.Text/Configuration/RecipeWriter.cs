using System.Collections;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Saltern.Configuration;

/// <summary>Configuration → recipe: every key with its value, defaults included, so that a run can be repeated from its folder.</summary>
public static class RecipeWriter
{
    /// <summary>Writes the configuration as YAML that <see cref="RecipeReader"/> reads back as the same one.</summary>
    /// <typeparam name="T">The root record.</typeparam>
    /// <param name="config">The configuration; it is not checked.</param>
    /// <returns>Sections one key a line, lists of single values in one line; nulls are left out; '\n' ends each line.</returns>
    /// <exception cref="ArgumentException">A number is infinite or NaN, which no recipe can say.</exception>
    /// <exception cref="InvalidOperationException"><typeparamref name="T"/> is no record that a recipe can hold.</exception>
    public static string Write<T>(T config)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(config);
        var text = new StringWriter { NewLine = "\n" };
        EmitterSettings settings = new EmitterSettings()
            .WithBestWidth(int.MaxValue)
            .WithNewLine("\n")
            .WithIndentedSequences();
        var emitter = new Emitter(text, settings);
        emitter.Emit(new StreamStart());
        emitter.Emit(new DocumentStart(null, null, isImplicit: true));
        Emit(emitter, config, ValueShape.Of(config.GetType()));
        emitter.Emit(new DocumentEnd(isImplicit: true));
        emitter.Emit(new StreamEnd());
        return text.ToString();
    }

    /// <summary>A single value as it stands in a recipe, without quotes.</summary>
    internal static string SingleText(object value, ValueShape shape)
    {
        if (shape is EnumShape words)
        {
            return words.WordOf(value);
        }

        return ScalarText.Write(value);
    }

    private static void Emit(IEmitter emitter, object value, ValueShape shape)
    {
        switch (shape)
        {
            case RecordShape record:
                EmitMap(
                    emitter,
                    record
                        .Keys.Select(key => (key.Key, Value: key.Value.Get(value), key.Value.Shape))
                        .Where(entry => entry.Value is not null)
                );
                break;
            case DictionaryShape dictionary:
                EmitMap(emitter, Entries(value).Select(entry => (entry.Key, (object?)entry.Value, dictionary.Element)));
                break;
            case ListShape list:
                EmitList(emitter, (IEnumerable)value, list.Element);
                break;
            default:
                EmitText(emitter, SingleText(value, shape), isText: value is string);
                break;
        }
    }

    /// <summary>The entries of any dictionary by string, whatever its values are.</summary>
    internal static IEnumerable<(string Key, object Value)> Entries(object dictionary)
    {
        foreach (object entry in (IEnumerable)dictionary)
        {
            Type type = entry.GetType();
            yield return (
                (string)type.GetProperty("Key")!.GetValue(entry)!,
                type.GetProperty("Value")!.GetValue(entry)!
            );
        }
    }

    private static void EmitMap(IEmitter emitter, IEnumerable<(string Key, object? Value, ValueShape Shape)> entries)
    {
        emitter.Emit(new MappingStart(AnchorName.Empty, TagName.Empty, isImplicit: true, MappingStyle.Block));
        foreach ((string key, object? value, ValueShape shape) in entries)
        {
            EmitText(emitter, key, isText: true);
            Emit(emitter, value!, shape);
        }

        emitter.Emit(new MappingEnd());
    }

    private static void EmitList(IEmitter emitter, IEnumerable values, ValueShape element)
    {
        SequenceStyle style = element is ScalarShape or EnumShape ? SequenceStyle.Flow : SequenceStyle.Block;
        emitter.Emit(new SequenceStart(AnchorName.Empty, TagName.Empty, isImplicit: true, style));
        foreach (object value in values)
        {
            Emit(emitter, value, element);
        }

        emitter.Emit(new SequenceEnd());
    }

    private static void EmitText(IEmitter emitter, string text, bool isText)
    {
        ScalarStyle style = isText && ScalarText.NeedsQuotes(text) ? ScalarStyle.DoubleQuoted : ScalarStyle.Plain;
        emitter.Emit(
            new Scalar(AnchorName.Empty, TagName.Empty, text, style, isPlainImplicit: true, isQuotedImplicit: true)
        );
    }
}
