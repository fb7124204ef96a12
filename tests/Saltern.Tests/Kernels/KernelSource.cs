namespace Saltern.Tests.Kernels;

/// <summary>The kernels as one translation unit, in the order in which build/kernels.sh puts them.</summary>
internal static class KernelSource
{
    public static string Folder { get; } = Path.Combine(RepositoryFolder.Path, "src", "Saltern", "Kernels");

    /// <summary>common.cl, then the others by name.</summary>
    public static string[] Files { get; } =
    [
        Path.Combine(Folder, "common.cl"),
        .. Directory
            .GetFiles(Folder, "*.cl")
            .Where(file => Path.GetFileName(file) != "common.cl")
            .Order(StringComparer.Ordinal),
    ];

    public static string Text { get; } = string.Join('\n', Files.Select(File.ReadAllText));
}
