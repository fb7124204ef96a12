using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Models;

namespace Saltern.Cli.Commands;

/// <summary>The named shapes of models, as a table.</summary>
internal static class PresetTable
{
    // Parameters depend on the vocabulary: a small one and a usual one.
    private static readonly int[] Vocabularies = [4_096, 32_768];

    /// <summary>Prints all of them.</summary>
    public static void Print(Output console)
    {
        console.Line(
            $"{Column.Left("preset", 12)}{Column.Right("layers", 7)}{Column.Right("width", 7)}{Column.Right("heads", 7)}"
                + $"{Column.Right("kv", 4)}{Column.Right("of", 5)}{Column.Right("inner", 7)}"
                + string.Concat(Vocabularies.Select(size => Column.Right(Text($"at {size:N0}"), 11)))
        );
        foreach (string name in ModelPresets.Names)
        {
            TransformerConfig[] shapes = [.. Vocabularies.Select(size => ModelPresets.Get(name).Resolve(size, 512))];
            TransformerConfig shape = shapes[0];
            console.Line(
                Column.Left(name, 12)
                    + Column.Right(shape.NumHiddenLayers, 7)
                    + Column.Right(shape.HiddenSize, 7)
                    + Column.Right(shape.NumAttentionHeads, 7)
                    + Column.Right(shape.NumKeyValueHeads, 4)
                    + Column.Right(shape.HeadDim, 5)
                    + Column.Right(shape.IntermediateSize, 7)
                    + string.Concat(shapes.Select(each => Column.Right(Millions(ModelFlops.Parameters(each)), 11)))
            );
        }

        console.Line(
            "\nThe last columns are parameters with vocabularies of that size. 'model: { preset: NAME }' takes one; "
                + "'saltern recipe make --size N' makes a shape for any number of parameters."
        );
    }

    private static string Millions(long parameters) => Text($"{parameters / 1e6:#,0.0#}M");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
