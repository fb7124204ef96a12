namespace Saltern.Files;

/// <summary>The calls by which files that must last are written and read back: those of the system, or of a test that lets them fail.</summary>
/// <remarks>
/// Whatever a later run relies on goes through <see cref="Current"/>: a test puts a disk in its place that fills up, returns errors, loses power or ends the process at any of these calls
/// (<c>tests/Saltern.Tests/Simulation</c>). In the program there is one implementation, and a write to an open file is the stream's own.
/// </remarks>
internal class Disk
{
    private static readonly AsyncLocal<Disk?> Replacement = new();
    private static readonly Disk System = new();

    /// <summary>The disk of this flow of control.</summary>
    public static Disk Current => Replacement.Value ?? System;

    /// <summary>Puts another disk in its place, for this flow of control and what it starts, until the result is disposed.</summary>
    public static IDisposable Use(Disk disk)
    {
        var before = new Restored(Replacement.Value);
        Replacement.Value = disk;
        return before;
    }

    /// <summary>The clock whose seconds stand in files.</summary>
    public virtual TimeProvider Clock => TimeProvider.System;

    /// <summary>Opens a file; what its stream is told to flush to the disk is there when the call returns.</summary>
    /// <param name="bufferBytes">Size of the stream's buffer; 0 or 1 for none.</param>
    public virtual FileStream Open(
        string path,
        FileMode mode,
        FileAccess access,
        FileShare share,
        int bufferBytes = 4096,
        FileOptions options = FileOptions.None
    ) => new(path, mode, access, share, bufferBytes, options);

    /// <summary>Opens a file for reading.</summary>
    public FileStream OpenRead(string path) => Open(path, FileMode.Open, FileAccess.Read, FileShare.Read);

    /// <summary>All bytes of a file.</summary>
    public virtual byte[] ReadAllBytes(string path) => File.ReadAllBytes(path);

    /// <summary>The text of a file, in the encoding that its mark says, else UTF-8.</summary>
    public virtual string ReadAllText(string path) => File.ReadAllText(path);

    /// <summary>Renames a file within its file system, in one step.</summary>
    /// <param name="replaces">Whether a file that has the new name is replaced; otherwise it is an error.</param>
    public virtual void Rename(string from, string to, bool replaces = true) => File.Move(from, to, replaces);

    /// <summary>Renames a folder to a name that nothing has.</summary>
    public virtual void RenameFolder(string from, string to) => Directory.Move(from, to);

    /// <summary>Removes a file; one that is not there is not missed.</summary>
    public virtual void Delete(string path) => File.Delete(path);

    /// <summary>Removes a folder with all that is in it.</summary>
    public virtual void DeleteFolder(string path) => Directory.Delete(path, recursive: true);

    /// <summary>Removes a folder that nothing is in.</summary>
    /// <exception cref="IOException">Something is in it.</exception>
    public virtual void DeleteEmptyFolder(string path) => Directory.Delete(path);

    /// <summary>Creates one folder in a folder that is there.</summary>
    public virtual void CreateFolder(string path) => Directory.CreateDirectory(path);

    /// <summary>Brings the names in a folder to the disk.</summary>
    /// <exception cref="IOException">It cannot be done.</exception>
    public virtual void FlushFolder(string folder) => DurableFolder.Synchronize(folder);

    private sealed class Restored(Disk? before) : IDisposable
    {
        public void Dispose() => Replacement.Value = before;
    }
}
