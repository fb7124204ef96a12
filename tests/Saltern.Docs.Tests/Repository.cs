namespace Saltern.Docs.Tests;

/// <summary>The repository that the tests run in: its pages and files are tested as they are.</summary>
internal static class Repository
{
    /// <summary>Its root.</summary>
    public static string Root { get; } = Find();

    /// <summary>A file or folder in it.</summary>
    public static string At(string relative) => Path.Combine(Root, relative);

    /// <summary>The pages that people read: README, CONTRIBUTING, docs and the read-me files of other folders, by their path from the root.</summary>
    public static IReadOnlyList<string> Pages { get; } =
    [
        .. new[] { "README.md", "CONTRIBUTING.md" }
            .Concat(
                new[] { "docs", "deploy", "samples", "benchmarks" }
                    .Select(At)
                    .Where(Directory.Exists)
                    .SelectMany(folder => Directory.EnumerateFiles(folder, "*.md", SearchOption.AllDirectories))
                    .Select(path => Path.GetRelativePath(Root, path))
            )
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or "node_modules" or "results"))
            .Order(StringComparer.Ordinal),
    ];

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Saltern.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("The tests do not run inside the repository.");
    }
}
