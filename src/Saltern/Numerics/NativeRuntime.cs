using System.Runtime.InteropServices;

namespace Saltern.Numerics;

/// <summary>Settings of the C runtime that decide how fast libtorch runs; to be made before its first call.</summary>
/// <remarks>
/// libtorch's CPU allocator keeps no cache: with glibc's defaults every large tensor is mapped, page-faulted and unmapped again,
/// which costs a vocabulary-sized product 30–54 % of its speed. And OpenMP's busy waiting makes two threads slower than one
/// as soon as another process wants a core.
/// </remarks>
internal static partial class NativeRuntime
{
    // malloc.h
    private const int TrimThreshold = -1;
    private const int TopPad = -2;
    private const int MapMaximum = -4;
    private const int ArenaMaximum = -8;
    private const int TopPadBytes = 64 << 20;

    /// <summary>Variables by which a user tunes glibc's allocator; where one is set, ours are left out.</summary>
    public static IReadOnlyList<string> AllocatorVariables { get; } =
    [
        "GLIBC_TUNABLES",
        "MALLOC_ARENA_MAX",
        "MALLOC_MMAP_MAX_",
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TOP_PAD_",
        "MALLOC_TRIM_THRESHOLD_",
    ];

    /// <summary>Keeps freed memory for the next tensor and lets waiting threads sleep.</summary>
    /// <param name="tuneAllocator">False leaves glibc's allocator as it is. True keeps freed memory with the process, so resident
    /// memory stays at its high-water mark, except for what Saltern maps by itself (<see cref="MappedMemory"/>).</param>
    /// <returns>One line that says what was set, for the start of a log.</returns>
    public static string Configure(bool tuneAllocator)
    {
        var set = new List<string>();
        if (tuneAllocator)
        {
            // One arena: a second thread's arena could not hold tensors above 64 MiB without mapping them one by one.
            bool accepted =
                MallocOption(MapMaximum, 0) != 0
                && MallocOption(TrimThreshold, int.MaxValue) != 0
                && MallocOption(TopPad, TopPadBytes) != 0
                && MallocOption(ArenaMaximum, 1) != 0;
            set.Add(accepted ? "malloc: no mmap, no trim, 64 MiB top pad, one arena" : "malloc: not tunable here");
        }
        else
        {
            set.Add("malloc: as the environment says");
        }

        // Through libc: .NET's own SetEnvironmentVariable does not reach the C environment that libgomp reads when it loads.
        // overwrite = 0: what the user has set wins.
        SetEnvironment("GOMP_SPINCOUNT", "0", 0);
        set.Add("GOMP_SPINCOUNT=" + Marshal.PtrToStringUTF8(GetEnvironment("GOMP_SPINCOUNT")));
        return string.Join("; ", set);
    }

    /// <summary>Sets a variable of the C environment, which native libraries read when they start; .NET's own setting does not reach them.</summary>
    public static void SetVariable(string name, string value) => SetEnvironment(name, value, 1);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int MallocOption(int parameter, int value);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetEnvironment(string name);
}
