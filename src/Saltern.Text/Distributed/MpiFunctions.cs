using System.Runtime.InteropServices;

namespace Saltern.Distributed;

/// <summary>The functions of MPI that are used (MPI 3.1). Handles are declared as addresses: on x86-64 Linux an integer handle travels in the same register.</summary>
internal static unsafe partial class MpiFunctions
{
    /// <summary>Name that <see cref="MpiLibrary"/> resolves.</summary>
    public const string Library = "mpi";

    /// <summary>MPI_THREAD_MULTIPLE, the same number in both families.</summary>
    public const int ThreadMultiple = 3;

    [LibraryImport(Library, EntryPoint = "MPI_Init_thread")]
    public static partial int Initialize(int* argumentCount, byte*** arguments, int required, int* provided);

    [LibraryImport(Library, EntryPoint = "MPI_Finalize")]
    public static partial int Complete();

    [LibraryImport(Library, EntryPoint = "MPI_Comm_rank")]
    public static partial int Rank(nint communicator, int* rank);

    [LibraryImport(Library, EntryPoint = "MPI_Comm_size")]
    public static partial int Size(nint communicator, int* size);

    [LibraryImport(Library, EntryPoint = "MPI_Comm_dup")]
    public static partial int Duplicate(nint communicator, nint* duplicate);

    [LibraryImport(Library, EntryPoint = "MPI_Comm_set_errhandler")]
    public static partial int SetErrorHandler(nint communicator, nint handler);

    [LibraryImport(Library, EntryPoint = "MPI_Error_string")]
    public static partial int ErrorText(int code, byte* text, int* length);

    [LibraryImport(Library, EntryPoint = "MPI_Get_library_version")]
    public static partial int GetLibraryVersion(byte* text, int* length);

    [LibraryImport(Library, EntryPoint = "MPI_Allreduce")]
    public static partial int AllReduce(
        nint send,
        void* receive,
        int count,
        nint type,
        nint operation,
        nint communicator
    );

    [LibraryImport(Library, EntryPoint = "MPI_Reduce_scatter_block")]
    public static partial int ReduceScatter(
        void* send,
        void* receive,
        int count,
        nint type,
        nint operation,
        nint communicator
    );

    [LibraryImport(Library, EntryPoint = "MPI_Allgather")]
    public static partial int AllGather(
        void* send,
        int sendCount,
        nint sendType,
        void* receive,
        int receiveCount,
        nint receiveType,
        nint communicator
    );

    [LibraryImport(Library, EntryPoint = "MPI_Bcast")]
    public static partial int Broadcast(void* buffer, int count, nint type, int root, nint communicator);

    [LibraryImport(Library, EntryPoint = "MPI_Ibarrier")]
    public static partial int StartBarrier(nint communicator, nint* request);

    [LibraryImport(Library, EntryPoint = "MPI_Abort")]
    public static partial int Abort(nint communicator, int exitCode);

    [LibraryImport(Library, EntryPoint = "MPI_Isend")]
    public static partial int StartSend(
        void* buffer,
        int count,
        nint type,
        int to,
        int tag,
        nint communicator,
        nint* request
    );

    [LibraryImport(Library, EntryPoint = "MPI_Irecv")]
    public static partial int StartReceive(
        void* buffer,
        int count,
        nint type,
        int from,
        int tag,
        nint communicator,
        nint* request
    );

    [LibraryImport(Library, EntryPoint = "MPI_Test")]
    public static partial int Test(nint* request, int* isDone, nint status);

    [LibraryImport(Library, EntryPoint = "MPI_Cancel")]
    public static partial int Cancel(nint* request);

    [LibraryImport(Library, EntryPoint = "MPI_Request_free")]
    public static partial int Free(nint* request);
}
