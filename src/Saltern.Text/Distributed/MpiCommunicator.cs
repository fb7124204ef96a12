using System.Runtime.InteropServices;
using System.Text;

namespace Saltern.Distributed;

/// <summary>Ranks over MPI: Open MPI and the MPICH family (MPICH, MVAPICH, Intel MPI, Cray), found when the program starts.</summary>
internal sealed unsafe class MpiCommunicator : ICommunicator
{
    /// <summary>Environment variable that names the library, for who does not want it looked for.</summary>
    public const string LibraryVariable = MpiLibrary.PathVariable;

    private const int LongestError = 1_024; // MPICH's MPI_MAX_ERROR_STRING, the larger one
    private const int LongestPause = 20; // milliseconds between two looks at a barrier
    private readonly MpiLibrary _library;
    private bool _completed;

    private MpiCommunicator(MpiLibrary library, int rank, int size, bool severalThreads) =>
        (_library, Rank, Size, AllowsThreads, Progress) = (
            library,
            rank,
            size,
            severalThreads,
            new ThreadProgress("starting")
        );

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <inheritdoc/>
    public string Activity
    {
        get => Progress.Activity;
        set => Progress.Begin(value, isSteady: false);
    }

    /// <summary>Library and its version, for the start of a log.</summary>
    public string Description => $"{_library.Version} ({_library.Path})";

    /// <summary>Whether a second thread, a <see cref="RankWatch"/>, may talk to other ranks at the same time.</summary>
    public bool AllowsThreads { get; }

    /// <summary>Progress of the thread that makes these calls, for a watch.</summary>
    internal ThreadProgress Progress { get; }

    /// <summary>The library's constants.</summary>
    internal MpiLibrary Library => _library;

    /// <summary>Loads the library and joins the other ranks; once a process.</summary>
    /// <param name="launch">What the launcher said.</param>
    /// <param name="libraryPath">Library that the user named; null to look for the launcher's.</param>
    /// <exception cref="ConfigurationException">There is no library, or it and the launcher do not know each other.</exception>
    /// <exception cref="DistributedException">The library cannot start.</exception>
    public static MpiCommunicator Start(LaunchedProcess launch, string? libraryPath)
    {
        MpiLibrary library = MpiLibrary.Load(launch, libraryPath);
        int provided = 0;
        int rank = 0;
        int size = 0;
        Check(MpiFunctions.Initialize(null, null, MpiFunctions.ThreadMultiple, &provided), "MPI_Init_thread");
        Check(MpiFunctions.SetErrorHandler(library.World, library.ErrorsReturn), "MPI_Comm_set_errhandler");
        Check(MpiFunctions.Rank(library.World, &rank), "MPI_Comm_rank");
        Check(MpiFunctions.Size(library.World, &size), "MPI_Comm_size");
        var ranks = new MpiCommunicator(library, rank, size, provided >= MpiFunctions.ThreadMultiple);
        if (size != launch.Size)
        {
            string description = ranks.Description;
            ranks.Dispose();
            throw new ConfigurationException(
                $"{launch.LauncherName} started {launch.Size} processes, "
                    + $"but for the MPI library {description} there are {size}: "
                    + "launcher and library do not know each other. "
                    + "Start with the mpirun that belongs to the library, "
                    + "under Slurm choose another 'srun --mpi=…' ('srun --mpi=list' has them), "
                    + $"or name the launcher's library in {MpiLibrary.PathVariable}."
            );
        }

        return ranks;
    }

    /// <inheritdoc/>
    public void ReportProgress(string activity) => Progress.Begin(activity, isSteady: true);

    /// <inheritdoc/>
    public void AllReduceSum(Span<float> values)
    {
        using ThreadProgress.Stay stay = Progress.InCollective();
        fixed (float* at = values)
        {
            Check(
                MpiFunctions.AllReduce(
                    _library.InPlace,
                    at,
                    values.Length,
                    _library.Float,
                    _library.Sum,
                    _library.World
                ),
                "MPI_Allreduce"
            );
        }
    }

    /// <inheritdoc/>
    public void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, checked(share.Length * Size));
        using ThreadProgress.Stay stay = Progress.InCollective();
        fixed (float* from = values)
        fixed (float* to = share)
        {
            Check(
                MpiFunctions.ReduceScatter(from, to, share.Length, _library.Float, _library.Sum, _library.World),
                "MPI_Reduce_scatter_block"
            );
        }
    }

    /// <inheritdoc/>
    public void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, checked(share.Length * Size));
        using ThreadProgress.Stay stay = Progress.InCollective();
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(share);
        fixed (byte* from = bytes)
        fixed (T* to = all)
        {
            Check(
                MpiFunctions.AllGather(
                    from,
                    bytes.Length,
                    _library.Byte,
                    to,
                    bytes.Length,
                    _library.Byte,
                    _library.World
                ),
                "MPI_Allgather"
            );
        }
    }

    /// <inheritdoc/>
    public void Broadcast<T>(Span<T> values, int root)
        where T : unmanaged
    {
        using ThreadProgress.Stay stay = Progress.InCollective();
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        fixed (byte* at = bytes)
        {
            Check(MpiFunctions.Broadcast(at, bytes.Length, _library.Byte, root, _library.World), "MPI_Bcast");
        }
    }

    /// <inheritdoc/>
    public void Barrier()
    {
        using ThreadProgress.Stay stay = Progress.AtRest();
        nint request = 0;
        Check(MpiFunctions.StartBarrier(_library.World, &request), "MPI_Ibarrier");
        int done = 0;
        for (int pause = 0; ; pause = Math.Min(pause + 1, LongestPause))
        {
            Check(MpiFunctions.Test(&request, &done, _library.IgnoreStatus), "MPI_Test");
            if (done != 0)
            {
                return;
            }

            Thread.Sleep(pause);
        }
    }

    /// <inheritdoc/>
    public void Abort(int exitCode) => _ = MpiFunctions.Abort(_library.World, exitCode);

    /// <summary>Leaves the other ranks. All must come here; after a failure of one alone, it calls <see cref="Abort"/>.</summary>
    public void Dispose()
    {
        if (!_completed)
        {
            _completed = true;
            _ = MpiFunctions.Complete();
        }
    }

    /// <summary>Turns a code that is not MPI_SUCCESS into an exception.</summary>
    internal static void Check(int code, string function)
    {
        if (code == 0)
        {
            return;
        }

        throw new DistributedException(
            $"{function} failed: {Words(code)}. Another rank is gone or the network failed; start again with --resume."
        );
    }

    private static string Words(int code)
    {
        byte* text = stackalloc byte[LongestError];
        int length = 0;
        if (MpiFunctions.ErrorText(code, text, &length) == 0)
        {
            return Encoding.UTF8.GetString(text, length);
        }

        return $"code {code}";
    }
}
