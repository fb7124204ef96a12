using System.Runtime.InteropServices;
using Saltern.Distributed;
using Saltern.Numerics;

namespace Saltern.Cli.Terminal;

/// <summary>This process among the ranks that a launcher started, from joining them to leaving; alone it is one of one.</summary>
public sealed class RankProcess : IDisposable
{
    // Where all ranks fail alike, rank 0 says so and ends the others before they say it again.
    private static readonly TimeSpan PatienceForRankZero = TimeSpan.FromSeconds(3);

    // MPICH 4.0 and 4.1 over UCX may wait for ever in MPI_Finalize: a rank that has closed its connections waits for the launcher and answers no other rank any more
    // (mended by pmodels/mpich pull request 6596). Nothing is left to do by then, so the process ends without it.
    // Not too soon: on a busy machine a library that is merely slow would find the other rank gone, and the launcher would take the run for failed.
    private static readonly TimeSpan LibraryCloses = TimeSpan.FromSeconds(20);
    private readonly MpiCommunicator? _mpi;
    private readonly RankWatch? _watch;

    private RankProcess(LaunchedProcess launch)
    {
        if (launch.Size == 1)
        {
            Ranks = new SingleProcess();
            return;
        }

        _mpi = MpiCommunicator.Start(launch, Environment.GetEnvironmentVariable(MpiCommunicator.LibraryVariable));
        Ranks = _mpi;
        if (_mpi.AllowsThreads)
        {
            _watch = new RankWatch(_mpi, Console.Error.WriteLine);
        }

        Cores = RankCores.Find(_mpi, launch);
    }

    /// <summary>What the launcher said when the program was started.</summary>
    internal static LaunchedProcess Launch { get; } = LaunchedProcess.Read(Environment.GetEnvironmentVariable);

    /// <summary>The ranks; owned by this.</summary>
    internal ICommunicator Ranks { get; }

    /// <summary>Threads of this rank; null for a process that runs alone.</summary>
    internal RankCores? Cores { get; }

    /// <summary>What joins the ranks, for the start of a log; null for a process that runs alone.</summary>
    public string? Description
    {
        get
        {
            if (_mpi is null || Cores is null)
            {
                return null;
            }

            string unwatched = _watch is null
                ? "; no watch for lost ranks, because this library allows one thread only"
                : "";
            return $"{Ranks.Size} ranks started by {Launch.LauncherName}; {_mpi.Description}; "
                + $"{Cores.RanksHere} on this machine, {Cores.Threads} threads each{unwatched}";
        }
    }

    /// <summary>Joins the ranks' GPUs over NCCL, one for each; before anything else touches a GPU.</summary>
    /// <exception cref="ConfigurationException">There is no NCCL, no driver, or no GPU for this rank.</exception>
    internal NcclCommunicator StartNccl()
    {
        Ranks.Activity = "joining the GPUs";
        if (Cores is not null)
        {
            // libtorch and NCCL then both find this rank's GPU as the first one.
            NativeRuntime.SetVariable(
                NcclCommunicator.DevicesVariable,
                NcclCommunicator.DeviceOf(
                    Environment.GetEnvironmentVariable(NcclCommunicator.DevicesVariable),
                    Cores.IndexHere
                )
            );
        }

        return NcclCommunicator.Start(Ranks, Environment.GetEnvironmentVariable(NcclCommunicator.LibraryVariable));
    }

    /// <summary>Runs a command's work as one of the ranks.</summary>
    /// <param name="work">The command; the same on every rank.</param>
    /// <param name="json">Whether rank 0's standard output is for JSON alone.</param>
    /// <returns>The exit code; where one rank fails, the launcher ends all of them.</returns>
    public static int Run(Func<RankProcess, Output, CancellationToken, int> work, bool json = false)
    {
        bool speaks = Launch.Rank == 0;
        bool left = false;
        RankProcess? rank = null;
        int code = CommandRunner.Run(
            speaks ? new Output(json) : Output.Silent,
            (output, cancellation) =>
            {
                try
                {
                    rank = new RankProcess(Launch);
                    return work(rank, output, cancellation);
                }
                catch (OperationCanceledException)
                {
                    // Amid its work: the others may be anywhere, so it does not wait for them.
                    left = true;
                    throw;
                }
                catch (Exception) when (Launch.Size > 1)
                {
                    if (!speaks)
                    {
                        Thread.Sleep(PatienceForRankZero);
                    }

                    string activity = rank is null ? "" : " in " + rank.Ranks.Activity;
                    Console.Error.WriteLine(
                        $"rank {Launch.Rank} of {Launch.Size} on {Environment.MachineName} fails{activity}:"
                    );
                    throw;
                }
            },
            Launch.Size == 1
                ? null
                : () => $"Rank {Launch.Rank} of {Launch.Size} is in '{rank?.Ranks.Activity ?? "starting"}'."
        );
        if (!left && code is (ExitCode.Done or ExitCode.Interrupted))
        {
            rank?.Leave(code);
        }
        else
        {
            rank?.Ranks.Abort(code);
        }

        return code;
    }

    /// <summary>Leaves the ranks, once all of them are here.</summary>
    public void Dispose() => Leave(ExitCode.Done);

    private void Leave(int code)
    {
        Ranks.Activity = "waiting for the others to end";
        Ranks.Barrier();
        _watch?.Dispose();
        using var limit = new Timer(_ => RankWatch.Exit(code), null, LibraryCloses, Timeout.InfiniteTimeSpan);

        // All ranks' work is done: a launcher's signal ends this one with the code of the work, not with its own.
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, _ => RankWatch.Exit(code));
        using var termination = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => RankWatch.Exit(code));
        Ranks.Dispose();
    }
}
