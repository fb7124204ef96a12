using Saltern.Files;

namespace Saltern.Cli.Demo;

/// <summary>The folder of one demonstration, held as long as it lasts.</summary>
internal sealed class DemoFolder : IDisposable
{
    private const string LockFile = "demo.lock";

    private readonly FileLock _lock;

    private DemoFolder(string path, FileLock held) => (Path, _lock) = (path, held);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Takes a folder that the user named.</summary>
    /// <exception cref="ConfigurationException">Another demonstration writes into it, or it holds something.</exception>
    public static DemoFolder Claim(string path) =>
        TakeEmpty(
            path,
            FileLock.Take(
                System.IO.Path.Combine(path, LockFile),
                $"Another demonstration is writing into {path}",
                "Wait for it, or choose another folder with --out."
            )
        ) ?? throw new ConfigurationException($"--out = {path} already holds something. Choose another folder.");

    /// <summary>Takes the first of PATH, PATH-2, PATH-3 … that is not there, or empty.</summary>
    public static DemoFolder NextFree(string path)
    {
        string candidate = path;
        for (int i = 2; ; i++)
        {
            if (
                FileLock.TryTake(System.IO.Path.Combine(candidate, LockFile), out _) is FileLock held
                && TakeEmpty(candidate, held) is DemoFolder folder
            )
            {
                return folder;
            }

            candidate = $"{path}-{i}";
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    // Null, and the lock is given back, where something is in it.
    private static DemoFolder? TakeEmpty(string path, FileLock held)
    {
        if (Directory.EnumerateFileSystemEntries(path).All(entry => System.IO.Path.GetFileName(entry) == LockFile))
        {
            return new DemoFolder(path, held);
        }

        held.Dispose();
        return null;
    }
}
