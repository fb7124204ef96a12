using System.Text;

namespace Saltern.Files;

/// <summary>Makes files appear whole or not at all, also when the power fails: the one way in which a finished file is written.</summary>
/// <remarks>
/// The content goes to a temporary name beside the file and is flushed to the disk; the rename, which replaces a file that is there, is flushed with the folder.
/// Files that grow (logs, shards that are being made) are streams of their own; those that get a final name get it by <see cref="Publish"/>.
/// </remarks>
internal static class WholeFile
{
    /// <summary>What is added to a name until the file is whole; readers skip such files.</summary>
    public const string TemporaryEnding = ".writing";

    private const int BufferBytes = 1 << 20;

    // Of two that write the same file at once, both get it done, one after the other; a large one takes longer than anybody should wait.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Writes a file.</summary>
    /// <param name="path">Final path; a file that is there is replaced. The folder must exist.</param>
    /// <exception cref="IOException">It cannot be written; a file that is there is then left as it was.</exception>
    public static void Write(string path, Action<Stream> write) => Write(path, write, TemporaryEnding);

    /// <summary>Writes a text file, UTF-8 without a mark.</summary>
    /// <param name="path">Final path; a file that is there is replaced. The folder must exist.</param>
    /// <exception cref="IOException">It cannot be written; a file that is there is then left as it was.</exception>
    public static void WriteText(string path, string text) =>
        Write(path, file => file.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Writes a file that is not there yet, and that nobody else is writing: the lock first, then the look.</summary>
    /// <param name="path">Final path. Missing folders are made.</param>
    /// <param name="beside">Writes what belongs beside it, before it has its name: whoever finds the file finds that too. Null for nothing.</param>
    /// <exception cref="ConfigurationException">There is something, or another process is writing it.</exception>
    public static void WriteNew(string path, Action<Stream> write, Action? beside = null)
    {
        using FileLock held = DurableFolder.TakeNew(path);
        Write(path, write + (_ => beside?.Invoke()));
    }

    /// <summary>Writes a file under a temporary name of the caller's choice.</summary>
    /// <param name="temporaryEnding">What is added to the name meanwhile; where several processes may write the same file at once, with something of the process in it.</param>
    internal static void Write(string path, Action<Stream> write, string temporaryEnding)
    {
        string temporary = path + temporaryEnding;

        // Held until it has its final name: another writer of the same file would empty it before. Readers may have it as soon as it has that name.
        using FileStream file = WriteHeld(temporary, write);
        try
        {
            LockedFile.AdmitReaders(file);
            Publish(temporary, path);
        }
        catch
        {
            Disk.Current.Delete(temporary);
            throw;
        }
    }

    /// <summary>Writes a file and flushes it to the disk, under a name that says it is not finished; removed where that fails.</summary>
    internal static void WriteFlushed(string temporary, Action<Stream> write) => WriteHeld(temporary, write).Dispose();

    private static FileStream WriteHeld(string temporary, Action<Stream> write)
    {
        FileStream file = LockedFile.Open(temporary, BufferBytes, Patience);
        try
        {
            write(file);
            file.Flush(flushToDisk: true);
            return file;
        }
        catch
        {
            Disk.Current.Delete(temporary); // a full disk must not keep half of it
            Abandon(file);
            throw;
        }
    }

    // What is still in its buffer fails again; the first error is the one to tell.
    private static void Abandon(FileStream file)
    {
        try
        {
            file.Dispose();
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            // told by the one above
        }
    }

    /// <summary>Gives a flushed file its final name and flushes the folder.</summary>
    internal static void Publish(string temporary, string path)
    {
        Disk.Current.Rename(temporary, path);
        DurableFolder.FlushParent(path);
    }
}
