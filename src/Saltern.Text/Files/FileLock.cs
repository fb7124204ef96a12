namespace Saltern.Files;

/// <summary>A file held open while a folder is written to, so that a second process finds out.</summary>
internal static class FileLock
{
    // EWOULDBLOCK, which is what .NET reports as a sharing violation on Linux; any other error, such as a read-only disk, is itself.
    private const int HeldByAnother = 11;

    /// <summary>Takes the file; null where another process holds it.</summary>
    /// <exception cref="IOException">It cannot be opened for another reason.</exception>
    public static FileStream? TryTake(
        string path,
        FileMode mode = FileMode.OpenOrCreate,
        FileOptions options = FileOptions.None
    )
    {
        try
        {
            return new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None, 1, options);
        }
        catch (IOException e) when (e.HResult == HeldByAnother)
        {
            return null;
        }
    }
}
