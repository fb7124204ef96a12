using System.Diagnostics;
using System.Globalization;

namespace Saltern.Numerics;

/// <summary>How many of the process's cores nobody else is using, from Linux's <c>/proc/stat</c>.</summary>
/// <remarks>Two threads on two cores of which one is taken are slower than one: each parallel part waits for the thread that shares its core.</remarks>
internal static class FreeCores
{
    private const string StatFile = "/proc/stat";
    private const double TicksPerSecond = 100; // USER_HZ, fixed in Linux's interface
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(400);

    /// <summary>Watches for 0.4 s and counts.</summary>
    /// <returns>Cores of the process (affinity and quota respected) less what others keep busy, rounded to whole cores; at least 1.</returns>
    public static int Count()
    {
        int cores = Environment.ProcessorCount;
        if (cores == 1 || !File.Exists(StatFile))
        {
            return cores;
        }

        (double busy, double own) = (BusySeconds(), OwnSeconds());
        long start = Stopwatch.GetTimestamp();
        Thread.Sleep(Window);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double others = Math.Max(0, (BusySeconds() - busy - (OwnSeconds() - own)) / seconds);
        return Free(cores, others);
    }

    /// <summary>Cores left beside a load of so many cores.</summary>
    internal static int Free(int cores, double others) =>
        Math.Clamp((int)Math.Round(cores - others, MidpointRounding.AwayFromZero), 1, cores);

    /// <summary>Seconds of all cores spent on anything since the machine started; other machines' load on our cores counted.</summary>
    internal static double BusySeconds()
    {
        // user + nice + system + irq + softirq + steal of the first line; idle and iowait left out.
        using StreamReader file = File.OpenText(StatFile);
        double[] ticks =
        [
            .. (file.ReadLine() ?? "")
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Skip(1)
                .Select(text => double.Parse(text, CultureInfo.InvariantCulture)),
        ];
        if (ticks.Length < 8)
        {
            return 0;
        }

        return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7]) / TicksPerSecond;
    }

    private static double OwnSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;
}
