using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Saltern.Files;

/// <summary>A piece of work that one process at a time may do: a small file, locked while the work lasts, whose line says who holds it.</summary>
/// <remarks>
/// What the work depends on is looked at after the lock is held, never before. The file goes when the work is over, while the lock is still held; one that a kill left behind is no lock and is taken
/// over. The kernel's lock (flock) ends with its process, whatever ended that.
/// </remarks>
internal sealed class FileLock : IDisposable
{
    /// <summary>What is added to the name of a file or folder that is made beside others, for its lock.</summary>
    public const string Ending = ".lock";

    private const int MostAttempts = 1000;
    private const int LongestLine = 1000; // characters of a holder's line that are shown

    // A holder writes its line right after it has the lock.
    private static readonly TimeSpan LineAppears = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly FileStream _file;
    private readonly IReadOnlyList<string> _madeFolders;

    private FileLock(FileStream file, IReadOnlyList<string> madeFolders) => (_file, _madeFolders) = (file, madeFolders);

    /// <summary>What a log should say of the lock: that the file system has none. Null where it holds.</summary>
    public string? Remark { get; private init; }

    /// <summary>Takes the lock, and makes the folders that its file needs.</summary>
    /// <param name="path">The file; not one that has another use.</param>
    /// <param name="work">What another one would be doing, as the beginning of a sentence: "Another run is writing into …".</param>
    /// <param name="remedy">What to do then, as sentences.</param>
    /// <exception cref="ConfigurationException">Another process, or another part of this one, holds it; the message says who.</exception>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static FileLock Take(string path, string work, string remedy) =>
        TryTake(path, out string holder)
        ?? throw new ConfigurationException($"{work}: {path} is held by {holder}. {remedy}") { IsHeldByAnother = true };

    /// <summary>As <see cref="Take"/>; null where another one holds it.</summary>
    /// <param name="holder">Who that is, for a sentence.</param>
    public static FileLock? TryTake(string path, out string holder)
    {
        string full = Path.GetFullPath(path);
        List<string> made = [];
        for (int attempt = 1; ; attempt++)
        {
            made.AddRange(MakeFolders(Path.GetDirectoryName(full)!));
            try
            {
                FileStream? file = LockedFile.TryOpen(full, bufferBytes: 0);
                if (file is null)
                {
                    holder = Holder(full);
                    return null;
                }

                holder = "";
                return new FileLock(file, [.. made.Distinct().OrderByDescending(folder => folder.Length)])
                {
                    Remark = Describe(file),
                };
            }
            catch (IOException e)
                when (e is DirectoryNotFoundException or FileNotFoundException && attempt < MostAttempts)
            {
                // The one before removed the folder that it had made: made again.
            }
        }
    }

    /// <summary>Ends it: the file goes, and the folders that were made for it where nothing else has come into them.</summary>
    public void Dispose()
    {
        if (!_file.CanWrite)
        {
            return;
        }

        try
        {
            // Removed while still held: afterwards it could be the next one's.
            Disk.Current.Delete(_file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A file without a holder is no lock.
        }

        _file.Dispose();
        foreach (string folder in _madeFolders)
        {
            try
            {
                Disk.Current.DeleteEmptyFolder(folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                break; // in use by now
            }
        }
    }

    // The deepest first.
    private static List<string> MakeFolders(string folder)
    {
        List<string> missing = [];
        for (string? at = folder; at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            missing.Add(at);
        }

        if (missing.Count > 0)
        {
            DurableFolder.Create(folder);
        }

        return missing;
    }

    private static string? Describe(FileStream file)
    {
        string command = string.Join(
            ' ',
            Environment.GetCommandLineArgs().Select((word, i) => i == 0 ? Path.GetFileNameWithoutExtension(word) : word)
        );
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"process {Environment.ProcessId} on {Environment.MachineName} since {DateTime.UtcNow:yyyy-MM-dd HH:mm:ss} UTC ({command})"
        );
        try
        {
            file.Write(Encoding.UTF8.GetBytes(Shown(line) + "\n"));
        }
        catch (IOException)
        {
            // A full disk: the lock holds, but cannot say whose it is.
        }

        return LockedFile.Holds(file.SafeFileHandle)
            ? null
            : $"The file system of {file.Name} has no locks, so nothing keeps a second process from writing there too.";
    }

    private static string Holder(string path)
    {
        for (DateTime end = DateTime.UtcNow + LineAppears; DateTime.UtcNow < end; Thread.Sleep(Pause))
        {
            // Past .NET's own open, which would ask for a lock.
            using SafeFileHandle? file = LockedFile.TryOpenUnlocked(path);
            byte[] bytes = new byte[LongestLine * 4];
            int length = file is null ? 0 : RandomAccess.Read(file, bytes, 0);
            string line = Encoding.UTF8.GetString(bytes, 0, length);
            if (line.EndsWith('\n') || length == bytes.Length)
            {
                return Shown(line.TrimEnd('\n'));
            }
        }

        return "another process, which has not said its number";
    }

    private static string Shown(string line)
    {
        string plain = string.Concat(line.Select(c => char.IsControl(c) ? ' ' : c));
        return plain.Length <= LongestLine ? plain : plain[..LongestLine] + "…";
    }
}
