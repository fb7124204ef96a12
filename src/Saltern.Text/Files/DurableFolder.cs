using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Saltern.Files;

/// <summary>Makes folders appear whole or not at all, also when the power fails.</summary>
internal static partial class DurableFolder
{
    private const int ReadOnly = 0;
    private const int OnlyFolders = 0x10000; // fcntl.h: O_DIRECTORY

    /// <summary>Marks folders that are still being written; a reader skips them.</summary>
    public const string TemporaryPrefix = ".writing-";

    /// <summary>As <see cref="Write"/>, of a path that a user named: the lock first, then the look.</summary>
    /// <exception cref="ConfigurationException">There is something, or another process is writing it.</exception>
    public static void WriteNew(string path, Action<string> write)
    {
        using FileLock held = TakeNew(path);
        Write(path, write);
    }

    /// <summary>Takes the lock beside a file or folder that is to be made, then makes sure that there is nothing yet.</summary>
    /// <exception cref="ConfigurationException">There is something, or another process holds the lock.</exception>
    internal static FileLock TakeNew(string path)
    {
        string plain = Path.TrimEndingDirectorySeparator(path);
        FileLock held = FileLock.Take(
            plain + FileLock.Ending,
            $"Another process is writing {plain}",
            "Wait for it, or name another path with --out."
        );
        if (!Path.Exists(plain))
        {
            return held;
        }

        held.Dispose();
        throw new ConfigurationException($"--out {path}: there is something already. Name a path that does not exist.");
    }

    /// <summary>Writes a folder under a temporary name, flushes it and renames it; the caller flushes its files.</summary>
    /// <param name="path">Final path, where nothing may be yet: replacing a folder could not be done in one step.</param>
    /// <param name="write">Fills the temporary folder whose path it is given.</param>
    public static void Write(string path, Action<string> write)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        string parent = ParentOf(path);
        if (!Directory.Exists(parent))
        {
            Directory.CreateDirectory(parent);
            FlushParent(parent);
        }

        string temporary = Path.Combine(parent, TemporaryPrefix + Path.GetFileName(path));
        RemoveIfPresent(temporary);
        Directory.CreateDirectory(temporary);
        try
        {
            write(temporary);
            Flush(temporary);
            Directory.Move(temporary, path);
            Flush(parent);
        }
        catch
        {
            RemoveIfPresent(temporary);
            throw;
        }
    }

    /// <summary>Removes what an interrupted write left in a folder, and names it.</summary>
    public static IReadOnlyList<string> RemoveLeftovers(string parent)
    {
        if (!Directory.Exists(parent))
        {
            return [];
        }

        string[] leftovers = Directory.GetDirectories(parent, TemporaryPrefix + "*");
        Array.ForEach(leftovers, RemoveIfPresent);
        return leftovers;
    }

    /// <summary>Brings the names in a path's folder to the disk: .NET does not open folders, and without this a rename may be lost.</summary>
    internal static void FlushParent(string path) => Flush(ParentOf(path));

    // The root, which has no parent, is its own.
    private static string ParentOf(string path)
    {
        string full = Path.GetFullPath(path);
        return Path.GetDirectoryName(full) ?? full;
    }

    private static void RemoveIfPresent(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static void Flush(string folder)
    {
        using SafeFileHandle handle = Open(folder, ReadOnly | OnlyFolders);
        if (handle.IsInvalid || Synchronize(handle) != 0)
        {
            throw new IOException(
                $"{folder} cannot be flushed to the disk: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}"
            );
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronize(SafeFileHandle file);
}
