using System.Diagnostics;
using Saltern.Numerics;

namespace Saltern.Runs;

/// <summary>How much of the processor others took while steps ran, from Linux's <c>/proc/stat</c>; elsewhere nothing is watched, and no clock counts as comparable.</summary>
internal sealed class OtherLoad
{
    private const string StatFile = "/proc/stat";
    private const double ShortestWindow = 1.0; // seconds; the counters tick every 10 ms
    private const double Threshold = 0.10;
    private readonly int _threads;
    private readonly Process _process = Process.GetCurrentProcess();
    private double _busy;
    private double _own;
    private long _start;
    private bool _open;

    /// <summary>Watches for load beside a computation on some threads.</summary>
    public OtherLoad(int threads) => _threads = threads;

    /// <summary>Called before and after steps; closes a window once it is long enough.</summary>
    /// <returns>Seconds watched, and those of them with more than 10 % of the used cores taken by others; zero while a window is open.</returns>
    public (double Watched, double Loaded) Sample()
    {
        if (!File.Exists(StatFile))
        {
            return (0, 0);
        }

        if (!_open)
        {
            Open();
            return (0, 0);
        }

        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        if (seconds < ShortestWindow)
        {
            return (0, 0);
        }

        double others = Math.Max(0, (FreeCores.BusySeconds() - _busy) - (OwnSeconds() - _own));
        Open();
        return (seconds, others > Threshold * seconds * _threads ? seconds : 0);
    }

    private void Open() =>
        (_busy, _own, _start, _open) = (FreeCores.BusySeconds(), OwnSeconds(), Stopwatch.GetTimestamp(), true);

    private double OwnSeconds()
    {
        _process.Refresh();
        return _process.TotalProcessorTime.TotalSeconds;
    }
}
