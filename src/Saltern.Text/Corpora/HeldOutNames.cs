using System.Text.RegularExpressions;

namespace Saltern.Corpora;

/// <summary>Tells by their names files that are meant for measuring, not for training: <c>wiki.valid.jsonl</c>, <c>test-00000-of-00002.parquet</c>, <c>dev/a.txt</c>.</summary>
/// <remarks>
/// A word counts that is a folder's whole name, or the first or last word of a part of the file's name between its dots, without a shard's number. Names of Markdown pages are titles
/// (<c>how-to-test.md</c>): there only folders count.
/// </remarks>
internal static partial class HeldOutNames
{
    private const string Words = "valid|validation|val|test|dev|eval|evaluation|heldout|held[-_]out|holdout";

    /// <summary>Whether a name says so.</summary>
    /// <param name="relative">The path below the folder that the user named, whose own name does not count.</param>
    public static bool Says(string relative)
    {
        string[] parts = relative.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        if (parts.SkipLast(1).Any(folder => Whole().IsMatch(folder)))
        {
            return true;
        }

        string[] name = parts[^1].Split('.', StringSplitOptions.RemoveEmptyEntries);
        bool isTitle = name.Skip(1).Contains("md", StringComparer.OrdinalIgnoreCase);
        int stem = Math.Max(name.Length - 1, 1);
        return !isTitle && name.Take(stem).Any(part => Edge().IsMatch(part));
    }

    [GeneratedRegex($"^({Words})$", RegexOptions.IgnoreCase)]
    private static partial Regex Whole();

    // A shard's number may follow: valid_00, test-00000-of-00002, validation-00000-of-00001-3d8f0a1b.
    [GeneratedRegex($@"^({Words})([-_]|$)|[-_]({Words})([-_]?\d[-_\da-f]*(of[-_\da-f]+)?)?$", RegexOptions.IgnoreCase)]
    private static partial Regex Edge();
}
