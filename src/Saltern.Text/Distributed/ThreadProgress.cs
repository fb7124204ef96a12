using System.Globalization;
using System.Runtime.InteropServices;

namespace Saltern.Distributed;

/// <summary>Progress of the thread that works and talks to other ranks; written by it, read by a <see cref="RankWatch"/>.</summary>
internal sealed partial class ThreadProgress
{
    private readonly string _statusFile = string.Create(
        CultureInfo.InvariantCulture,
        $"/proc/self/task/{ThreadId()}/stat"
    );
    private long _last = Environment.TickCount64;
    private long _longest;
    private long _count;
    private volatile string _activity;
    private volatile bool _isSteady;
    private volatile PlaceKind _place;

    /// <summary>Begins with what the calling thread does now; it is the one that is watched.</summary>
    public ThreadProgress(string activity) => _activity = activity;

    /// <summary>Where a thread is.</summary>
    internal enum PlaceKind
    {
        /// <summary>At work of its own.</summary>
        Work,

        /// <summary>In a collective, polling.</summary>
        Collective,

        /// <summary>Waiting asleep.</summary>
        Rest,
    }

    /// <summary>What the thread is doing.</summary>
    public string Activity => _activity;

    /// <summary>Pieces of work begun and collectives entered or left; where it stands still, so does the thread.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Whether the thread is at work of which a piece takes about as long as pieces before.</summary>
    public bool IsSteady => _isSteady && _place == PlaceKind.Work;

    /// <summary>Whether it waits for other ranks in a collective, which uses the processor.</summary>
    public bool IsInCollective => _place == PlaceKind.Collective;

    /// <summary>Whether it waits for other ranks without using the processor.</summary>
    public bool IsAtRest => _place == PlaceKind.Rest;

    /// <summary>Longest piece of steady work so far.</summary>
    public TimeSpan Longest => TimeSpan.FromMilliseconds(Interlocked.Read(ref _longest));

    /// <summary>Begins a piece of work.</summary>
    /// <param name="isSteady">Whether it takes about as long as pieces before.</param>
    public void Begin(string activity, bool isSteady)
    {
        Note();
        (_activity, _isSteady) = (activity, isSteady);
    }

    /// <summary>The thread is in a collective until the result is disposed of.</summary>
    public Stay InCollective() => new(this, PlaceKind.Collective);

    /// <summary>The thread waits for the other ranks, asleep, until the result is disposed of.</summary>
    public Stay AtRest() => new(this, PlaceKind.Rest);

    /// <summary>Processor time of the thread, in the system's ticks of 10 ms; null where the system does not say.</summary>
    public long? ProcessorTicks()
    {
        try
        {
            // "id (name) state …": the name may hold anything, so fields are counted behind its end;
            // the 12th and 13th there are user's and system's time.
            string line = File.ReadAllText(_statusFile);
            string[] fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
            return long.Parse(fields[11], CultureInfo.InvariantCulture)
                + long.Parse(fields[12], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private void Note()
    {
        long now = Environment.TickCount64;
        if (IsSteady)
        {
            Interlocked.Exchange(ref _longest, Math.Max(_longest, now - _last));
        }

        _last = now;
        Interlocked.Increment(ref _count);
    }

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int ThreadId();

    /// <summary>A stay in a collective.</summary>
    internal readonly struct Stay : IDisposable
    {
        private readonly ThreadProgress _of;

        public Stay(ThreadProgress of, PlaceKind place)
        {
            _of = of;
            of.Note();
            of._place = place;
        }

        public void Dispose()
        {
            _of.Note();
            _of._place = PlaceKind.Work;
        }
    }
}
