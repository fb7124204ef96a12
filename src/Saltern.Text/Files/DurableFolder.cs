using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Saltern.Files;

/// <summary>Makes folders appear whole or not at all, also when the power fails.</summary>
public static partial class DurableFolder
{
    private const int ReadOnly = 0;
    private const int Directory = 0x10000;

    /// <summary>Marks folders that are still being written; a reader passes them over.</summary>
    public const string TemporaryPrefix = ".writing-";

    /// <summary>Writes a folder under a temporary name, flushes it and renames it; the caller flushes its files.</summary>
    /// <param name="path">Final path, where nothing may be yet: replacing a folder could not be done in one step.</param>
    /// <param name="write">Fills the temporary folder whose path it is given.</param>
    public static void Write(string path, Action<string> write)
    {
        string parent = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!System.IO.Directory.Exists(parent))
        {
            System.IO.Directory.CreateDirectory(parent);
            Flush(Path.GetDirectoryName(parent)!);
        }

        string temporary = Path.Combine(parent, TemporaryPrefix + Path.GetFileName(path));
        RemoveIfPresent(temporary);
        System.IO.Directory.CreateDirectory(temporary);
        try
        {
            write(temporary);
            Flush(temporary);
            System.IO.Directory.Move(temporary, path);
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
        string[] leftovers = System.IO.Directory.Exists(parent)
            ? System.IO.Directory.GetDirectories(parent, TemporaryPrefix + "*")
            : [];
        Array.ForEach(leftovers, RemoveIfPresent);
        return leftovers;
    }

    /// <summary>Writes a text file under a temporary name, flushes it and renames it.</summary>
    public static void WriteText(string path, string text) =>
        WriteFile(path, file => file.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    /// <summary>Writes a file under a temporary name, flushes it and renames it.</summary>
    /// <param name="path">Final path; a file that is there is replaced.</param>
    /// <param name="write">Fills the file.</param>
    public static void WriteFile(string path, Action<Stream> write)
    {
        string temporary = path + ".writing";
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    private static void RemoveIfPresent(string path)
    {
        if (System.IO.Directory.Exists(path))
        {
            System.IO.Directory.Delete(path, recursive: true);
        }
    }

    // .NET does not open folders; without this the rename itself may be lost.
    private static void Flush(string folder)
    {
        using SafeFileHandle handle = Open(folder, ReadOnly | Directory);
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
