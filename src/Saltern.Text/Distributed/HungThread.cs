using System.Globalization;

namespace Saltern.Distributed;

/// <summary>Tells a thread that hangs from one that works for long, by what it says and by the processor time it uses.</summary>
/// <remarks>
/// Two signs. A thread that uses no processor time at all while it should compute, or poll in a collective, is blocked: after <see cref="Blocked"/> in steady work or a collective,
/// after <see cref="BlockedElsewhere"/> in work that may wait for disks. A thread that runs, but in steady work stays in one piece for ten times the longest before and at least
/// <see cref="Endless"/>, is in an endless loop; this is told once <see cref="Experience"/> pieces are known. A rank that rests at a barrier waits for others.
/// </remarks>
internal sealed class HungThread
{
    /// <summary>Without processor time in steady work or a collective: well above what a busy machine or a slow read delays a thread by.</summary>
    public static readonly TimeSpan Blocked = TimeSpan.FromSeconds(25);

    /// <summary>Without processor time in any other work: longer than a flush to a slow disk.</summary>
    public static readonly TimeSpan BlockedElsewhere = TimeSpan.FromMinutes(10);

    /// <summary>In one piece of steady work, at least.</summary>
    public static readonly TimeSpan Endless = TimeSpan.FromSeconds(40);

    private const int Experience = 50;
    private const int TimesLongest = 10;
    private static readonly TimeSpan Suspicious = TimeSpan.FromSeconds(10);
    private readonly ThreadProgress _thread;
    private readonly Func<long?> _processorTicks;
    private long _count;
    private long? _ticks;
    private TimeSpan _still;
    private TimeSpan _idle;

    /// <summary>Begins to look at a thread.</summary>
    /// <param name="processorTicks">What it uses; null for what the system says of it.</param>
    public HungThread(ThreadProgress thread, Func<long?>? processorTicks = null)
    {
        (_thread, _processorTicks) = (thread, processorTicks ?? thread.ProcessorTicks);
        (_count, _ticks) = (_thread.Count, _processorTicks());
    }

    /// <summary>Whether the thread has used no processor time for so long, in work or a collective, that this process's own picture of the others is not to be trusted: a thread that stands still inside MPI keeps its lock.</summary>
    public bool IsSuspect => _idle >= Suspicious;

    /// <summary>Looks again.</summary>
    /// <param name="passed">Time since the last look that this process could run in.</param>
    /// <returns>How the thread hangs; null where it does not.</returns>
    public string? Look(TimeSpan passed)
    {
        long? ticks = _processorTicks();
        long count = _thread.Count;
        bool moved = count != _count || _thread.IsAtRest;
        _still = moved ? TimeSpan.Zero : _still + passed;
        _idle = moved || ticks is null || ticks != _ticks ? TimeSpan.Zero : _idle + passed;
        (_count, _ticks) = (count, ticks);
        if (_idle >= (_thread.IsSteady || _thread.IsInCollective ? Blocked : BlockedElsewhere))
        {
            return Words();
        }

        TimeSpan longest = _thread.Longest;
        TimeSpan limit = TimesLongest * longest;
        if (limit < Endless)
        {
            limit = Endless;
        }

        if (_thread.IsSteady && count >= Experience && _still >= limit)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"its thread has been there for {_still.TotalSeconds:0} s, and never for more than {longest.TotalSeconds:0.0} s before"
            );
        }

        return null;
    }

    /// <summary>For how long the thread has stood still, as the end of a sentence.</summary>
    public string Words() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"its thread has not used the processor for {_idle.TotalSeconds:0} s"
        );
}
