using System.Runtime.InteropServices;

namespace Saltern.Cli.Terminal;

/// <summary>Limits under which the program cannot run at all, found before anything is loaded that they would break.</summary>
/// <remarks>Under them the runtime ends with a stack trace or a signal: each library that is loaded takes an open file. So this asks the system directly, and writes without .NET's console.</remarks>
internal static unsafe partial class StartLimits
{
    private const int FileSize = 1; // sys/resource.h: RLIMIT_FSIZE
    private const int Processes = 6; // RLIMIT_NPROC
    private const int Files = 7; // RLIMIT_NOFILE
    private const int FileSizeExceeded = 25; // signal.h: SIGXFSZ
    private const int Ignore = 1; // SIG_IGN

    // A training takes about 120, a page of 'watch' some more.
    private const ulong FewestFiles = 256;

    // The runtime's own and ours; 16 were enough for a training on two threads.
    private const ulong FewestProcesses = 32;

    // The runtime keeps compiled code in a file without a name, unless it is told not to.
    private const ulong SmallestFile = 64 << 20;

    /// <summary>Says which limit is too low.</summary>
    /// <returns>Whether one is.</returns>
    public static bool Refuse()
    {
        // A file that grows too large is then an error of its write, not a signal that ends the program.
        _ = Handle(FileSizeExceeded, Ignore);
        return Refuse(Files, FewestFiles, "open files", "(ulimit -n)")
            || (GetUser() != 0 && Refuse(Processes, FewestProcesses, "processes and threads", "(ulimit -u)"))
            || (
                Environment.GetEnvironmentVariable("DOTNET_EnableWriteXorExecute") != "0"
                && Refuse(
                    FileSize,
                    SmallestFile,
                    "bytes of a file",
                    "(ulimit -f), which .NET needs for its code, or set DOTNET_EnableWriteXorExecute=0"
                )
            );
    }

    private static bool Refuse(int resource, ulong fewest, string what, string how)
    {
        ulong* limit = stackalloc ulong[2]; // soft, hard
        if (GetLimit(resource, limit) != 0 || limit[0] >= fewest)
        {
            return false;
        }

        string text = string.Concat(
            "The limit of ",
            what,
            string.Concat(" is ", limit[0].ToString(), "; saltern needs at least "),
            string.Concat(fewest.ToString(), ". Raise it ", how, ".\n")
        );
        byte* bytes = stackalloc byte[text.Length];
        for (int i = 0; i < text.Length; i++)
        {
            bytes[i] = (byte)text[i]; // ASCII alone
        }

        _ = Write(2, bytes, (nuint)text.Length);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, ulong* limit);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetUser();

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Handle(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint Write(int descriptor, byte* bytes, nuint count);
}
