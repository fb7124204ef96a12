using System.Diagnostics;
using System.Globalization;

namespace Saltern.Numerics;

/// <summary>How many of the process's cores nobody else is using, from Linux's <c>/proc/stat</c>: of the cores that it may run on, whatever else the machine has.</summary>
/// <remarks>Two threads on two cores of which one is taken are slower than one: each parallel part waits for the thread that shares its core.</remarks>
internal static class FreeCores
{
    private const string StatFile = "/proc/stat";
    private const string StatusFile = "/proc/self/status";
    private const string AllowedKey = "Cpus_allowed_list:";
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
        double others = (BusySeconds() - busy - (OwnSeconds() - own)) / seconds;

        // A quota without a mask (a container's) lets others have what is beyond it.
        int beyond = Math.Max(0, (Allowed()?.Count ?? cores) - cores);
        return Free(cores, Math.Max(0, others - beyond));
    }

    /// <summary>Cores left beside a load of so many cores.</summary>
    internal static int Free(int cores, double others) =>
        Math.Clamp((int)Math.Round(cores - others, MidpointRounding.AwayFromZero), 1, cores);

    /// <summary>Seconds that the cores this process may run on spent on anything since the machine started; other machines' load on them counted.</summary>
    internal static double BusySeconds() => BusySeconds(File.ReadLines(StatFile), Allowed());

    /// <summary>The same from the file's lines.</summary>
    /// <param name="stat">Lines of <c>/proc/stat</c>.</param>
    /// <param name="cores">Numbers of the cores; null for all.</param>
    internal static double BusySeconds(IEnumerable<string> stat, IReadOnlySet<int>? cores)
    {
        double ticks = 0;
        foreach (string line in stat.TakeWhile(line => line.StartsWith("cpu", StringComparison.Ordinal)))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            bool isSum = words[0] == "cpu";
            bool isWanted = isSum ? cores is null : cores?.Contains(Number(words[0][3..])) == true;
            if (isWanted && words.Length > 8)
            {
                // user, nice, system, idle, iowait, irq, softirq, steal: all but idle and iowait.
                ticks += words[1..9]
                    .Where((_, i) => i is not (3 or 4))
                    .Sum(word => (double)long.Parse(word, CultureInfo.InvariantCulture));
            }
        }

        return ticks / TicksPerSecond;
    }

    /// <summary>The numbers that a list of the kernel names, as in <c>0-3,8</c>.</summary>
    internal static IReadOnlySet<int> Numbers(string list) =>
        list.Split(',')
            .Select(range => range.Split('-'))
            .SelectMany(range => Enumerable.Range(Number(range[0]), Number(range[^1]) - Number(range[0]) + 1))
            .ToHashSet();

    private static IReadOnlySet<int>? Allowed()
    {
        if (!File.Exists(StatusFile))
        {
            return null;
        }

        string? line = File.ReadLines(StatusFile)
            .FirstOrDefault(line => line.StartsWith(AllowedKey, StringComparison.Ordinal));
        return line is null ? null : Numbers(line[AllowedKey.Length..].Trim());
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static double OwnSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;
}
