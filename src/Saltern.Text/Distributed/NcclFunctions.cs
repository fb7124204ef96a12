using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Saltern.Distributed;

/// <summary>What makes the members of one NCCL communicator find each other: 128 bytes that one of them makes and all get.</summary>
[InlineArray(ByteCount)]
internal struct NcclUniqueId
{
    /// <summary>NCCL_UNIQUE_ID_BYTES.</summary>
    public const int ByteCount = 128;

    private byte _first;
}

/// <summary>The functions of NCCL 2 that are used; each gives 0 (ncclSuccess) where it succeeds. Addresses are of GPU memory, work is queued on a stream.</summary>
internal static unsafe partial class NcclFunctions
{
    /// <summary>Name that <see cref="NcclLibrary"/> resolves.</summary>
    public const string Library = "nccl";

    /// <summary>Elements as nccl.h numbers them: ncclUint8, ncclFloat32; and ncclSum.</summary>
    public const int Byte = 1;
    public const int Float = 7;
    public const int Sum = 0;

    /// <summary>Every name that this class imports, for the check when the library is loaded.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "ncclGetVersion",
        "ncclGetErrorString",
        "ncclGetUniqueId",
        "ncclCommInitRank",
        "ncclCommDestroy",
        "ncclCommAbort",
        "ncclCommGetAsyncError",
        "ncclAllReduce",
        "ncclReduceScatter",
        "ncclAllGather",
        "ncclBroadcast",
    ];

    [LibraryImport(Library, EntryPoint = "ncclGetVersion")]
    public static partial int GetVersion(int* version);

    [LibraryImport(Library, EntryPoint = "ncclGetErrorString")]
    public static partial byte* ErrorText(int code);

    [LibraryImport(Library, EntryPoint = "ncclGetUniqueId")]
    public static partial int GetUniqueId(NcclUniqueId* id);

    [LibraryImport(Library, EntryPoint = "ncclCommInitRank")]
    public static partial int Initialize(nint* communicator, int size, NcclUniqueId id, int rank);

    [LibraryImport(Library, EntryPoint = "ncclCommDestroy")]
    public static partial int Destroy(nint communicator);

    [LibraryImport(Library, EntryPoint = "ncclCommAbort")]
    public static partial int Abort(nint communicator);

    [LibraryImport(Library, EntryPoint = "ncclCommGetAsyncError")]
    public static partial int GetAsyncError(nint communicator, int* error);

    [LibraryImport(Library, EntryPoint = "ncclAllReduce")]
    public static partial int AllReduce(
        void* send,
        void* receive,
        nuint count,
        int type,
        int operation,
        nint communicator,
        nint stream
    );

    [LibraryImport(Library, EntryPoint = "ncclReduceScatter")]
    public static partial int ReduceScatter(
        void* send,
        void* receive,
        nuint receiveCount,
        int type,
        int operation,
        nint communicator,
        nint stream
    );

    [LibraryImport(Library, EntryPoint = "ncclAllGather")]
    public static partial int AllGather(
        void* send,
        void* receive,
        nuint sendCount,
        int type,
        nint communicator,
        nint stream
    );

    [LibraryImport(Library, EntryPoint = "ncclBroadcast")]
    public static partial int Broadcast(
        void* send,
        void* receive,
        nuint count,
        int type,
        int root,
        nint communicator,
        nint stream
    );
}
