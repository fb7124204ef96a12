namespace Saltern.Tests;

/// <summary>The repository that the tests run in: files that ship beside the code are tested as they are.</summary>
internal static class RepositoryFolder
{
    /// <summary>Its root.</summary>
    public static string Path { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Saltern.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException("The tests do not run inside the repository.");
    }
}
