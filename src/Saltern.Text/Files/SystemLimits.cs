using System.Globalization;
using System.Runtime.InteropServices;

namespace Saltern.Files;

/// <summary>What the system allows this process, and errors that come from it in words that name the limit.</summary>
internal static unsafe partial class SystemLimits
{
    private const int FileSize = 1; // sys/resource.h: RLIMIT_FSIZE
    private const int Files = 7; // RLIMIT_NOFILE
    private const int AddressSpace = 9; // RLIMIT_AS
    private const int TooManyFiles = 24; // EMFILE
    private const string GroupFolder = "/sys/fs/cgroup";

    // As the kernel and libtorch say it.
    private static readonly string[] NoMemory = ["can't allocate memory", "Cannot allocate memory", "out of memory"];

    /// <summary>Most bytes of a file; null without a limit.</summary>
    public static long? FileBytes => Of(FileSize);

    /// <summary>The memory that this process may have at most, and what says so.</summary>
    public static (long Bytes, string What) Memory()
    {
        List<(long Bytes, string What)> limits = Groups();
        limits.Add((GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, "the machine"));
        if (Of(AddressSpace) is long space)
        {
            limits.Add((space, "ulimit -v"));
        }

        return limits.MinBy(limit => limit.Bytes);
    }

    /// <summary>Whether an error is the system's refusal: of a disk, a permission, or one of its limits.</summary>
    public static bool Refuses(Exception error) =>
        error is IOException or UnauthorizedAccessException || IsFileTooLarge(error) || IsOutOfMemory(error);

    /// <summary>The reason for a sentence, with the limit and what to do where it is one.</summary>
    /// <param name="error">One for which <see cref="Refuses"/> is true.</param>
    public static string Reason(Exception error)
    {
        if (error is IOException { HResult: TooManyFiles })
        {
            return $"{error.Message} This process may have {Of(Files)} files open at once: raise the limit (ulimit -n).";
        }

        if (IsFileTooLarge(error))
        {
            return FileBytes is long most
                ? $"File too large: a file of this process may have {most:N0} bytes at most. Raise the limit (ulimit -f)."
                : "File too large for the file system.";
        }

        if (!IsOutOfMemory(error))
        {
            return error.Message;
        }

        (long bytes, string what) = Memory();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"Memory, or a thread, was refused: {FirstLine(error.Message)} This process may have "
                + $"{bytes / (double)(1 << 30):0.0} GiB ({what}), "
                + $"all that its threads and mapped files take included. Raise the limit, or make model or batch smaller; "
                + $"'saltern plan' reckons what a run takes."
        );
    }

    // .NET says it of a value, as if the caller had given a wrong one.
    private static bool IsFileTooLarge(Exception error) =>
        error is ArgumentOutOfRangeException { ParamName: "value", Source: "System.Private.CoreLib" }
        && error.StackTrace?.Contains(" System.IO.", StringComparison.Ordinal) == true;

    private static bool IsOutOfMemory(Exception error) =>
        error is OutOfMemoryException
        || (
            error is ExternalException or IOException
            && NoMemory.Any(words => error.Message.Contains(words, StringComparison.OrdinalIgnoreCase))
        );

    private static string FirstLine(string text) => text.Split('\n', 2)[0];

    // A group's limit binds those below it. Both versions of the interface, and inside a container, where the group is the root.
    private static List<(long Bytes, string What)> Groups()
    {
        List<(long, string)> limits = [];
        try
        {
            foreach (string line in File.ReadLines("/proc/self/cgroup"))
            {
                string[] parts = line.Split(':', 3);
                if (parts is not [_, var controllers, var group])
                {
                    continue;
                }

                (string folder, string file) =
                    controllers.Length == 0
                        ? (GroupFolder, "memory.max")
                        : (Path.Combine(GroupFolder, "memory"), "memory.limit_in_bytes");
                if (controllers.Length > 0 && !controllers.Split(',').Contains("memory"))
                {
                    continue;
                }

                for (string? at = group; at is not null; at = Path.GetDirectoryName(at))
                {
                    string path = Path.Join(folder, at, file);
                    if (
                        File.Exists(path)
                        && long.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out long bytes)
                    )
                    {
                        limits.Add((bytes, path));
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No groups here, or none that may be looked at: then the kernel alone knows.
        }

        return limits;
    }

    private static long? Of(int resource)
    {
        ulong* limit = stackalloc ulong[2]; // soft, hard
        return GetLimit(resource, limit) == 0 && limit[0] <= long.MaxValue ? (long)limit[0] : null;
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, ulong* limit);
}
