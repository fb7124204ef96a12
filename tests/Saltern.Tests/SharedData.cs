namespace Saltern.Tests;

/// <summary>Finds the real text that lies beside a checkout, for tests that want more than they bring along.</summary>
internal static class SharedData
{
    /// <summary>The folder "shared/data" beside the repository; null where there is none (such tests skip and say so).</summary>
    public static string? Folder { get; } = Find();

    private static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Saltern.slnx")))
            {
                var data = Path.GetFullPath(Path.Combine(folder.FullName, "..", "shared", "data"));
                return Directory.Exists(data) ? data : null;
            }
        }

        return null;
    }
}
