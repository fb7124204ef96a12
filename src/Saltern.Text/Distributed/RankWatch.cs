// A ring: each rank tells the next one, every second, what it is doing.
// Whoever hears nothing for too long says so, tells all ranks, and ends.
// And each looks at its own process's thread that does the work: one that hangs says so too,
// for the others only hear that the process lives.
using System.Runtime.InteropServices;
using System.Text;

namespace Saltern.Distributed;

/// <summary>Notices ranks that died, were stopped or lost their link while others wait for them: MPI itself would wait for ever.</summary>
/// <remarks>
/// A thread of its own on a communicator of its own; the training's calls are not slowed. A rank that works for long, such as rank 0 in an evaluation, goes on talking.
/// Time in which this process was itself stopped does not count, so a job that is suspended as a whole goes on afterwards.
/// What counts as a thread that hangs is <see cref="HungThread"/>'s to say.
/// </remarks>
internal sealed unsafe partial class RankWatch : IDisposable
{
    /// <summary>Silence after which a rank counts as lost: well above what a busy machine delays a thread by, and short enough that all have ended within a minute.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const string LastWord = "(parted)";
    private const int HeartbeatTag = 1;
    private const int NoticeTag = 2;
    private const int MessageBytes = 256;
    private const int FailureCode = 1;
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBeat = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);
    private readonly MpiCommunicator _ranks;
    private readonly MpiLibrary _library;
    private readonly Action<string> _report;
    private readonly nint _lane;
    private readonly byte* _memory; // three messages: heard, said, notice
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private nint _hearing;
    private nint _saying;
    private nint _notice;

    /// <summary>Starts to watch. All ranks must come here together.</summary>
    /// <param name="ranks">The ranks, in a library that allows several threads.</param>
    /// <param name="report">Told once why the run ends, just before this process does.</param>
    public RankWatch(MpiCommunicator ranks, Action<string> report)
    {
        (_ranks, _library, _report) = (ranks, ranks.Library, report);
        nint lane = 0;
        MpiCommunicator.Check(MpiFunctions.Duplicate(_library.World, &lane), "MPI_Comm_dup");
        _lane = lane;
        _memory = (byte*)NativeMemory.AllocZeroed(3 * MessageBytes);
        _thread = new Thread(Watch) { IsBackground = true, Name = "rank watch" };
        _thread.Start();
    }

    private int Before => (_ranks.Rank + _ranks.Size - 1) % _ranks.Size;

    private int After => (_ranks.Rank + 1) % _ranks.Size;

    /// <summary>Stops watching; the ranks are together, or about to end.</summary>
    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
        NativeMemory.Free(_memory);
    }

    private void Watch()
    {
        try
        {
            Listen();
            long last = Environment.TickCount64;
            TimeSpan silence = TimeSpan.Zero;
            string doing = "starting";
            var own = new HungThread(_ranks.Progress);
            while (!_stop.Wait(Beat))
            {
                Say(_ranks.Activity);
                long now = Environment.TickCount64;
                var beat = TimeSpan.FromMilliseconds(Math.Min(now - last, LongestBeat.TotalMilliseconds));
                silence += beat;
                last = now;
                while (IsDone(ref _hearing))
                {
                    (silence, doing) = (TimeSpan.Zero, Text(_memory));
                    Receive(Before, HeartbeatTag, _memory, ref _hearing);
                }

                // A thread that stands still inside MPI keeps this one from hearing the others: then it is not they who are silent.
                string? hung = own.Look(beat);
                if (hung is null && silence > Patience && own.IsSuspect)
                {
                    hung = own.Words();
                }

                if (IsDone(ref _notice))
                {
                    End();
                }
                else if (hung is not null)
                {
                    _report(
                        $"Rank {_ranks.Rank} on {Environment.MachineName} hangs in '{_ranks.Activity}': {hung}. "
                            + "The run ends on all ranks; go on from the last checkpoint with --resume."
                    );
                    TellAll();
                    End();
                }
                else if (silence > Patience)
                {
                    _report(
                        $"Rank {Before} has not been heard of for {silence.TotalSeconds:0} s: "
                            + "it was killed, is stopped or lost its link. "
                            + $"It last said that it was in '{doing}'; "
                            + $"rank {_ranks.Rank} on {Environment.MachineName} is in '{_ranks.Activity}'. "
                            + "The run ends on all ranks; go on from the last checkpoint with --resume."
                    );
                    TellAll();
                    End();
                }
            }

            Part();
        }
        catch (DistributedException e)
        {
            _report(
                $"Rank {_ranks.Rank} on {Environment.MachineName}, in '{_ranks.Activity}', has lost the others: {e.Message}"
            );
            End();
        }
    }

    private void Listen()
    {
        Receive(Before, HeartbeatTag, _memory, ref _hearing);
        Receive(_library.AnySource, NoticeTag, _memory + (2 * MessageBytes), ref _notice);
    }

    // Left out while the last one is not gone: the next rank may be stopped.
    private void Say(string words)
    {
        if (!IsDone(ref _saying) && _saying != 0)
        {
            return;
        }

        var message = new Span<byte>(_memory + MessageBytes, MessageBytes);
        message.Clear();
        Encoding.UTF8.TryGetBytes(words, message[..^1], out _);
        nint request = 0;
        MpiCommunicator.Check(
            MpiFunctions.StartSend(
                _memory + MessageBytes,
                MessageBytes,
                _library.Byte,
                After,
                HeartbeatTag,
                _lane,
                &request
            ),
            "MPI_Isend"
        );
        _saying = request;
    }

    // The last word on each side, so that no message is left without a receiver when the library closes.
    private void Part()
    {
        WaitFor(ref _saying);
        Say(LastWord);
        while (WaitFor(ref _hearing) && Text(_memory) != LastWord)
        {
            Receive(Before, HeartbeatTag, _memory, ref _hearing);
        }

        WaitFor(ref _saying);
        nint pending = _notice;
        _ = MpiFunctions.Cancel(&pending);
        _ = MpiFunctions.Free(&pending);
    }

    // False where it does not come: the ranks are together when they part, so that is long enough.
    private bool WaitFor(ref nint request)
    {
        for (
            long start = Environment.TickCount64;
            request != 0 && Environment.TickCount64 - start < Grace.TotalMilliseconds;
            Thread.Sleep(1)
        )
        {
            IsDone(ref request);
        }

        return request == 0;
    }

    private void TellAll()
    {
        for (int rank = 0; rank < _ranks.Size; rank++)
        {
            nint request = 0;
            if (rank != _ranks.Rank)
            {
                _ = MpiFunctions.StartSend(
                    _memory + (2 * MessageBytes),
                    0,
                    _library.Byte,
                    rank,
                    NoticeTag,
                    _lane,
                    &request
                );
            }
        }

        Thread.Sleep(Grace); // for the notices to leave
    }

    // The launcher is asked to end everyone. It may be behind a cut link itself: this process ends in any case.
    private void End()
    {
        new Thread(() =>
        {
            Thread.Sleep(Grace);
            Exit(FailureCode);
        })
        {
            IsBackground = true,
        }.Start();
        _ranks.Abort(FailureCode);
        Exit(FailureCode);
    }

    private void Receive(int from, int tag, byte* to, ref nint request)
    {
        nint started = 0;
        MpiCommunicator.Check(
            MpiFunctions.StartReceive(to, MessageBytes, _library.Byte, from, tag, _lane, &started),
            "MPI_Irecv"
        );
        request = started;
    }

    private bool IsDone(ref nint request)
    {
        if (request == 0)
        {
            return false;
        }

        int done = 0;
        nint tested = request;
        MpiCommunicator.Check(MpiFunctions.Test(&tested, &done, _library.IgnoreStatus), "MPI_Test");
        if (done == 0)
        {
            return false;
        }

        request = 0;
        return true;
    }

    private static string Text(byte* message) => Marshal.PtrToStringUTF8((nint)message) ?? "";

    /// <summary>Ends this process at once, without .NET's own ending, which would wait for a thread that sits in a collective.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    internal static partial void Exit(int code);
}
