// Values in GPU memory go over NCCL, all others over the ranks' own communicator: training calls the same methods with either.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Saltern.Distributed;

/// <summary>Ranks that each have a GPU: collectives on GPU memory by NCCL 2, on the processor's memory by the communicator that the ranks have already.</summary>
/// <remarks>A span may name GPU memory, which nobody here looks into. Each call returns once its result is there; work of libtorch's default stream before it is waited for.</remarks>
internal sealed unsafe class NcclCommunicator : ICommunicator
{
    /// <summary>Environment variable that names the library, for who does not want it looked for.</summary>
    public const string LibraryVariable = NcclLibrary.PathVariable;

    /// <summary>Variable by which the driver is told which GPUs a process sees; read when it starts.</summary>
    public const string DevicesVariable = CudaDriver.DevicesVariable;

    private readonly ICommunicator _host;
    private nint _communicator;

    private NcclCommunicator(ICommunicator host, nint communicator, string description) =>
        (_host, _communicator, Description) = (host, communicator, description);

    /// <inheritdoc/>
    public int Rank => _host.Rank;

    /// <inheritdoc/>
    public int Size => _host.Size;

    /// <inheritdoc/>
    public string Activity
    {
        get => _host.Activity;
        set => _host.Activity = value;
    }

    /// <inheritdoc/>
    public void ReportProgress(string activity) => _host.ReportProgress(activity);

    /// <summary>Library, its version and this rank's GPU, for the start of a log.</summary>
    public string Description { get; }

    /// <summary>Which GPU one of several ranks of a machine is to see.</summary>
    /// <param name="visible">What <see cref="DevicesVariable"/> says; null where it is not set.</param>
    /// <param name="indexHere">Number of the rank among those of its machine, from 0.</param>
    /// <returns>What the variable is to say: one GPU.</returns>
    /// <exception cref="ConfigurationException">There are fewer GPUs than ranks.</exception>
    public static string DeviceOf(string? visible, int indexHere)
    {
        string[] devices = (visible ?? "").Split(
            ',',
            StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries
        );
        int count = devices.Length;
        if (count == 0)
        {
            return $"{indexHere}";
        }

        if (count == 1)
        {
            return devices[0]; // the launcher has given each rank its own
        }

        if (indexHere < count)
        {
            return devices[indexHere];
        }

        throw new ConfigurationException(
            $"{DevicesVariable} = {visible} names {count} GPUs, "
                + $"but this is rank {indexHere + 1} of its machine. Start at most {count} ranks on a machine."
        );
    }

    /// <summary>Loads the library and joins the other ranks' GPUs, each rank with the first GPU it sees. All ranks must come here together.</summary>
    /// <param name="host">The ranks; owned by the caller, and used to hand the communicator's id round.</param>
    /// <param name="libraryPath">Library that the user named; null for the system's.</param>
    /// <exception cref="ConfigurationException">There is no library, no driver or no GPU.</exception>
    /// <exception cref="DistributedException">NCCL cannot start.</exception>
    public static NcclCommunicator Start(ICommunicator host, string? libraryPath)
    {
        string path = NcclLibrary.Load(libraryPath);
        string device = CudaDriver.UseFirstDevice();
        int version = 0;
        NcclUniqueId id = default;
        Check(NcclFunctions.GetVersion(&version), "ncclGetVersion");
        if (host.Rank == 0)
        {
            Check(NcclFunctions.GetUniqueId(&id), "ncclGetUniqueId");
        }

        host.Broadcast<byte>(id, root: 0);
        nint communicator = 0;
        Check(NcclFunctions.Initialize(&communicator, host.Size, id, host.Rank), "ncclCommInitRank");
        return new NcclCommunicator(host, communicator, $"NCCL {VersionText(version)} ({path}), {device}");
    }

    /// <inheritdoc/>
    public void AllReduceSum(Span<float> values)
    {
        fixed (float* at = values)
        {
            if (CudaDriver.IsOnDevice(at))
            {
                Run(
                    NcclFunctions.AllReduce(
                        at,
                        at,
                        (nuint)values.Length,
                        NcclFunctions.Float,
                        NcclFunctions.Sum,
                        _communicator,
                        0
                    ),
                    "ncclAllReduce"
                );
            }
            else
            {
                _host.AllReduceSum(values);
            }
        }
    }

    /// <inheritdoc/>
    public void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, checked(share.Length * Size));
        fixed (float* from = values)
        fixed (float* to = share)
        {
            if (AreOnDevice(from, to))
            {
                Run(
                    NcclFunctions.ReduceScatter(
                        from,
                        to,
                        (nuint)share.Length,
                        NcclFunctions.Float,
                        NcclFunctions.Sum,
                        _communicator,
                        0
                    ),
                    "ncclReduceScatter"
                );
            }
            else
            {
                _host.ReduceScatterSum(values, share);
            }
        }
    }

    /// <inheritdoc/>
    public void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, checked(share.Length * Size));
        fixed (T* from = share)
        fixed (T* to = all)
        {
            if (AreOnDevice(from, to))
            {
                Run(
                    NcclFunctions.AllGather(
                        from,
                        to,
                        (nuint)share.Length * (nuint)sizeof(T),
                        NcclFunctions.Byte,
                        _communicator,
                        0
                    ),
                    "ncclAllGather"
                );
            }
            else
            {
                _host.AllGather(share, all);
            }
        }
    }

    /// <inheritdoc/>
    public void Broadcast<T>(Span<T> values, int root)
        where T : unmanaged
    {
        fixed (T* at = values)
        {
            if (CudaDriver.IsOnDevice(at))
            {
                Run(
                    NcclFunctions.Broadcast(
                        at,
                        at,
                        (nuint)values.Length * (nuint)sizeof(T),
                        NcclFunctions.Byte,
                        root,
                        _communicator,
                        0
                    ),
                    "ncclBroadcast"
                );
            }
            else
            {
                _host.Broadcast(values, root);
            }
        }
    }

    /// <inheritdoc/>
    public void Barrier() => _host.Barrier();

    /// <inheritdoc/>
    public void Abort(int exitCode) => _host.Abort(exitCode);

    /// <summary>Leaves the other GPUs; the ranks themselves stay with their owner.</summary>
    public void Dispose()
    {
        if (_communicator != 0)
        {
            _ = NcclFunctions.Destroy(_communicator);
            _communicator = 0;
        }
    }

    /// <summary>22703 is 2.27.3; before 2.9 the number had a digit less, 2804 for 2.8.4.</summary>
    internal static string VersionText(int version)
    {
        int major = version >= 10_000 ? 10_000 : 1_000;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{version / major}.{version % major / 100}.{version % 100}"
        );
    }

    private static bool AreOnDevice(void* from, void* to)
    {
        if (CudaDriver.IsOnDevice(from) == CudaDriver.IsOnDevice(to))
        {
            return CudaDriver.IsOnDevice(to);
        }

        throw new ArgumentException("Both sides must lie in GPU memory, or both in the processor's.");
    }

    // Queued on the default stream, then waited for: an error of another rank comes out here, or as a wait that the watch ends.
    private void Run(int code, string function)
    {
        Check(code, function);
        CudaDriver.WaitForDevice();
        int error = 0;
        Check(NcclFunctions.GetAsyncError(_communicator, &error), "ncclCommGetAsyncError");
        Check(error, function);
    }

    private static void Check(int code, string function)
    {
        if (code != 0)
        {
            byte* text = NcclFunctions.ErrorText(code);
            string words = text is null
                ? $"code {code}"
                : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
            throw new DistributedException($"{function} failed: {words}. NCCL_DEBUG=INFO makes NCCL say more.");
        }
    }
}
