using System.Globalization;
using System.Text;
using Saltern.Export;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Docs.Tests;

/// <summary>The table of model families, made from what the readers, the rules of options and the exporters know.</summary>
internal static class FamilyTable
{
    /// <summary>A row for each family.</summary>
    public static string Make()
    {
        var text = new StringBuilder();
        text.Append("| family | `model_type` | options of a recipe's `model` that each has | and may have | GGUF |\n");
        text.Append("| --- | --- | --- | --- | --- |\n");
        foreach (ModelFamily family in Enum.GetValues<ModelFamily>())
        {
            (IReadOnlyList<string> may, IReadOnlyList<string> must) = OptionRules.KeysOf(family);
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {ModelFamilies.NameOf(family)} | {Code(HuggingFaceConfig.WordsOf(family))} | {Code(must)} | {Code(may)} "
                    + $"| {GgufArchitecture.NameOf(family) ?? "refused"} |\n"
            );
        }

        return text.ToString();
    }

    private static string Code(IReadOnlyList<string> words)
    {
        if (words.Count == 0)
        {
            return "–";
        }

        return string.Join(", ", words.Select(word => $"`{word}`"));
    }
}
