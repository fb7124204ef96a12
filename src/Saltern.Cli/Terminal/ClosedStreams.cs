using System.Runtime.InteropServices;

namespace Saltern.Cli.Terminal;

/// <summary>Finds standard streams that were closed when the program was started (<c>saltern train … >&amp;-</c>), and puts /dev/null in their place.</summary>
/// <remarks>
/// A closed stream's number is given to the next file that is opened, and the runtime has opened some by now: what is printed would go into one of them. So the program starts itself again, as the same
/// process, with the numbers taken.
/// </remarks>
internal static partial class ClosedStreams
{
    private const string Variable = "SALTERN_CLOSED_STREAMS";
    private const int GetDescriptorFlags = 1; // fcntl.h: F_GETFD
    private const int ClosesOnExec = 1; // FD_CLOEXEC
    private const int ReadWrite = 2; // O_RDWR

    /// <summary>Numbers of the streams that were closed; where there are any, the program begins anew first.</summary>
    public static IReadOnlyCollection<int> Find()
    {
        if (Environment.GetEnvironmentVariable(Variable) is string known)
        {
            return [.. known.Where(char.IsAsciiDigit).Select(digit => digit - '0')];
        }

        int[] closed = [.. Enumerable.Range(0, 3).Where(IsClosed)];
        if (closed.Length > 0)
        {
            BeginAnew(closed);
        }

        return closed;
    }

    // What was inherited has survived an exec, so it is not marked to be closed by one; what the runtime has opened is.
    private static bool IsClosed(int descriptor)
    {
        int flags = Control(descriptor, GetDescriptorFlags);
        return flags < 0 || (flags & ClosesOnExec) != 0;
    }

    // Returns only where the system does not let it; then the guards keep the words away from those numbers.
    private static void BeginAnew(int[] closed)
    {
        byte[] command;
        try
        {
            command = File.ReadAllBytes("/proc/self/cmdline");
        }
        catch (IOException)
        {
            return;
        }

        int none = Open("/dev/null", ReadWrite);
        if (none < 0 || SetEnvironment(Variable, string.Concat(closed), 1) != 0)
        {
            return;
        }

        // Each argument ends in a zero byte, as the kernel wants it again.
        nint text = Marshal.AllocHGlobal(command.Length);
        Marshal.Copy(command, 0, text, command.Length);
        List<nint> arguments = [];
        for (int at = 0; at < command.Length; at = Array.IndexOf(command, (byte)0, at) + 1)
        {
            arguments.Add(text + at);
        }

        arguments.Add(0);
        Array.ForEach(closed, descriptor => _ = Duplicate(none, descriptor));
        _ = Execute("/proc/self/exe", [.. arguments]);
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int descriptor, int command);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2")]
    private static partial int Duplicate(int from, int to);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, nint[] arguments);
}
