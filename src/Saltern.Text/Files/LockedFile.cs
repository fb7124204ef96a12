using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Saltern.Files;

/// <summary>Opens files for one writer at a time, and makes sure that the file that was opened is still the one of that name.</summary>
internal static partial class LockedFile
{
    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000; // fcntl.h: O_CLOEXEC
    private const int ExclusiveNow = 2 | 4; // sys/file.h: LOCK_EX | LOCK_NB
    private const int SharedNow = 1 | 4; // LOCK_SH | LOCK_NB

    // EWOULDBLOCK, which is what .NET reports as a sharing violation on Linux; any other error, such as a read-only disk, is itself.
    private const int HeldByAnother = 11;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Opens a file, made where it is missing, under an exclusive lock; it is empty then.</summary>
    /// <returns>The file, held until it is closed; null where another one holds it.</returns>
    /// <exception cref="IOException">It cannot be opened for another reason.</exception>
    public static FileStream? TryOpen(string path, int bufferBytes)
    {
        while (true)
        {
            FileStream file;
            try
            {
                file = Disk.Current.Open(
                    path,
                    FileMode.OpenOrCreate,
                    FileAccess.ReadWrite,
                    FileShare.None,
                    bufferBytes
                );
            }
            catch (IOException e) when (e.HResult == HeldByAnother)
            {
                return null;
            }

            // .NET can be told to lock nothing; this asks itself.
            if (Lock(file.SafeFileHandle, ExclusiveNow) != 0 && Marshal.GetLastPInvokeError() == HeldByAnother)
            {
                file.Dispose();
                return null;
            }

            if (HasItsName(file, path))
            {
                file.SetLength(0); // not before it is ours: until then it may be the whole file of another one
                return file;
            }

            // Its holder removed or renamed it between our opening and our lock.
            file.Dispose();
        }
    }

    /// <summary>As <see cref="TryOpen"/>; waits a while for the other one.</summary>
    /// <exception cref="IOException">Another one still holds it, or it cannot be opened.</exception>
    public static FileStream Open(string path, int bufferBytes, TimeSpan patience)
    {
        for (DateTime end = DateTime.UtcNow + patience; ; Thread.Sleep(Pause))
        {
            if (TryOpen(path, bufferBytes) is FileStream file)
            {
                return file;
            }

            if (DateTime.UtcNow > end)
            {
                throw new IOException($"Another process is writing '{path}'.");
            }
        }
    }

    /// <summary>Keeps other writers out, and lets readers in: those of .NET ask for a lock too.</summary>
    /// <exception cref="IOException">Another writer has slipped in; the kernel gives up one kind of lock before it takes the other.</exception>
    public static void AdmitReaders(FileStream file)
    {
        if (Lock(file.SafeFileHandle, SharedNow) != 0 && Marshal.GetLastPInvokeError() == HeldByAnother)
        {
            throw new IOException($"Another process is writing '{file.Name}'.");
        }
    }

    /// <summary>Whether an open file is really locked: some network file systems have no locks.</summary>
    public static bool Holds(SafeFileHandle file) => Lock(file, ExclusiveNow) == 0;

    /// <summary>Opens a file to read whoever holds it; null where that cannot be done.</summary>
    public static SafeFileHandle? TryOpenUnlocked(string path)
    {
        SafeFileHandle handle = Open(path, ReadOnly | CloseOnExec);
        if (!handle.IsInvalid)
        {
            return handle;
        }

        handle.Dispose();
        return null;
    }

    // The kernel's own word for it: a removed file's name ends in " (deleted)". True where there is no /proc to ask.
    private static bool HasItsName(FileStream file, string path)
    {
        string? target = new FileInfo($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}").LinkTarget;
        return target is null || Path.GetFileName(target) == Path.GetFileName(path);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle file, int operation);
}
