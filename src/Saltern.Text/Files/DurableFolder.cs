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
        Create(parent);
        string temporary = Path.Combine(parent, TemporaryPrefix + Path.GetFileName(path));
        RemoveIfPresent(temporary);
        Disk.Current.CreateFolder(temporary);
        try
        {
            write(temporary);
            Disk.Current.FlushFolder(temporary);
            Disk.Current.RenameFolder(temporary, path);
            Disk.Current.FlushFolder(parent);
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

    /// <summary>Makes sure that a folder is there and stays there: each level is flushed with the folder that it is in.</summary>
    /// <remarks>The level that was there already too: who made it may have been killed before its name was on the disk.</remarks>
    public static void Create(string path)
    {
        string full = Path.GetFullPath(path);
        string parent = ParentOf(full);
        if (!Directory.Exists(full))
        {
            Create(parent);
            Disk.Current.CreateFolder(full);
            Disk.Current.FlushFolder(parent);
            return;
        }

        try
        {
            Disk.Current.FlushFolder(parent);
        }
        catch (IOException) when (!IsOpenable(parent))
        {
            // A folder that may be passed through but not read, such as another user's home: what is in it is not this program's.
        }
    }

    /// <summary>Removes a folder that looks whole, in one step: killed on the way, the program leaves none of which a part is missing.</summary>
    public static void Remove(string path)
    {
        string aside = Path.Combine(ParentOf(path), TemporaryPrefix + Path.GetFileName(path));
        RemoveIfPresent(aside);
        Disk.Current.RenameFolder(path, aside);
        FlushParent(path);
        Disk.Current.DeleteFolder(aside);
    }

    /// <summary>Brings the names in a path's folder to the disk: .NET does not open folders, and without this a rename may be lost.</summary>
    internal static void FlushParent(string path) => Disk.Current.FlushFolder(ParentOf(path));

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
            Disk.Current.DeleteFolder(path);
        }
    }

    private static bool IsOpenable(string folder)
    {
        using SafeFileHandle handle = Open(folder, ReadOnly | OnlyFolders);
        return !handle.IsInvalid;
    }

    /// <summary>What <see cref="Disk.FlushFolder"/> is on this system.</summary>
    internal static void Synchronize(string folder)
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
