using System.Runtime.CompilerServices;

namespace Saltern.Tests;

/// <summary>Where the tests of all projects, and the programs that they start, keep temporary files: in memory.</summary>
/// <remarks>
/// Tests make thousands of small files, and the code flushes most of them: waiting for a disk was four fifths of some classes. What a flush is worth is tried on the simulated disk, which
/// loses power; a process that is killed loses nothing that the kernel has, whatever lies below. A TMPDIR of the caller's is left alone.
/// </remarks>
internal static class TestDisk
{
    private const string Memory = "/dev/shm";
    private const string Variable = "TMPDIR";
    private const long Wanted = 4L << 30;

    /// <summary>What outlives the tests, such as packages of npm, stays on the disk.</summary>
    public static string Lasting { get; private set; } = "";

    [ModuleInitializer]
    internal static void Choose()
    {
        Lasting = Path.GetTempPath();
        if (
            string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Variable))
            && Directory.Exists(Memory)
            && new DriveInfo(Memory).AvailableFreeSpace >= Wanted
        )
        {
            Environment.SetEnvironmentVariable(Variable, Memory);
        }
    }
}
