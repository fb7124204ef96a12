using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Saltern.Studies;

/// <summary>A finished run's recipe as it is kept under version control: without the paths of the machine that ran it.</summary>
/// <remarks>What an input holds is in the run's result, as a fingerprint; where it lay says nothing to anybody else.</remarks>
internal static class KeptRecipe
{
    /// <summary>Writes paths below the working folder relative to it, and leaves of other absolute paths the last part.</summary>
    /// <returns>The same recipe; a text without absolute paths comes back as it was.</returns>
    public static string Of(string recipe, string workingFolder)
    {
        if (!recipe.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            return recipe;
        }

        var text = new StringWriter { NewLine = "\n" };
        var emitter = new Emitter(
            text,
            new EmitterSettings().WithBestWidth(int.MaxValue).WithNewLine("\n").WithIndentedSequences()
        );
        var parser = new Parser(new StringReader(recipe));
        bool changed = false;
        while (parser.MoveNext())
        {
            ParsingEvent part = parser.Current!;
            if (part is Scalar { Value: string path, Style: var style } && Path.IsPathFullyQualified(path))
            {
                part = new Scalar(
                    AnchorName.Empty,
                    TagName.Empty,
                    Shortened(path, workingFolder),
                    style,
                    isPlainImplicit: true,
                    isQuotedImplicit: true
                );
                changed = true;
            }

            emitter.Emit(part);
        }

        return changed ? text.ToString() : recipe;
    }

    private static string Shortened(string path, string workingFolder)
    {
        string relative = Path.GetRelativePath(workingFolder, path);
        if (relative.StartsWith("..", StringComparison.Ordinal) || Path.IsPathFullyQualified(relative))
        {
            return Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        }

        return relative.Replace(Path.DirectorySeparatorChar, '/');
    }
}
