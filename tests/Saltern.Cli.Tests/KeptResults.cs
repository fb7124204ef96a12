using System.IO.Compression;
using System.Text.Json;

namespace Saltern.Cli.Tests;

/// <summary>The results of committed experiments, out of their archives.</summary>
internal static class KeptResults
{
    private const string Archive = "results.zip";
    private const string Result = "/result.json";

    /// <summary>All runs of an experiment by their place in its archive, such as <c>SALT/seed-1</c>.</summary>
    public static IReadOnlyDictionary<string, JsonElement> Of(string experiment)
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(RecipeTests.Root(), "experiments", experiment, Archive));
        return zip
            .Entries.Where(entry => entry.FullName.EndsWith(Result, StringComparison.Ordinal))
            .ToDictionary(entry => entry.FullName[..^Result.Length], Read);
    }

    /// <summary>The run that a path names, such as <c>experiments/NAME/results.zip/SALT/seed-1</c>; null where there is none.</summary>
    public static JsonElement? At(string path)
    {
        string[] parts = path.Split($"/{Archive}/");
        if (parts.Length == 2 && Of(Path.GetFileName(parts[0])).TryGetValue(parts[1], out JsonElement result))
        {
            return result;
        }

        return null;
    }

    private static JsonElement Read(ZipArchiveEntry entry)
    {
        using Stream stream = entry.Open();
        using var document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }
}
