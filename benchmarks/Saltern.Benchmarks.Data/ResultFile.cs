using System.Globalization;
using System.Reflection;
using System.Text;

namespace Saltern.Benchmarks.Data;

/// <summary>The machine, the versions and the other load that a result was made under, and where results lie.</summary>
internal static class ResultFile
{
    /// <summary>Name of the processor, as Linux gives it.</summary>
    public static string Processor { get; } =
        File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            ?.Split(':')[1]
            .Trim()
        ?? "unknown";

    /// <summary>Writes a result, with its heading, below the current folder.</summary>
    public static void Write(
        string name,
        string command,
        OtherLoad load,
        IEnumerable<string> lines,
        params ReadOnlySpan<string> assemblies
    )
    {
        string path = PathOf(name + ".md");
        var versionList = new List<string>();
        foreach (string assembly in assemblies)
        {
            versionList.Add($"{assembly} {Version(assembly)}");
        }

        string versions = string.Join("; ", versionList);
        var text = new StringBuilder();
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"{Processor}, {Environment.ProcessorCount} "
                + $"cores; {System.Runtime.InteropServices.RuntimeInformation.OSDescription}; "
                + $".NET {Environment.Version}; {versions}."
        );
        text.AppendLine(
            CultureInfo.InvariantCulture,
            $"Other load on the machine while it ran: {load.Cores:0.00} cores on average."
        );
        text.AppendLine().AppendLine("    " + command).AppendLine();
        text.AppendJoin('\n', lines).AppendLine();
        File.WriteAllText(path, text.ToString());
        Console.WriteLine(text);
        Console.WriteLine(path);
    }

    /// <summary>Path of a result's file below the current folder; its folder is made.</summary>
    public static string PathOf(string file)
    {
        string slug = string.Concat(Processor.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-'));
        string folder = Path.Combine(
            "benchmarks",
            "results",
            string.Join('-', slug.Split('-', StringSplitOptions.RemoveEmptyEntries))
        );
        Directory.CreateDirectory(folder);
        return Path.Combine(folder, file);
    }

    /// <summary>The middle of some values.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length % 2 == 1)
        {
            return sorted[sorted.Length / 2];
        }

        return (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Version(string assembly) =>
        Assembly
            .Load(assembly)
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()
            ?.InformationalVersion.Split('+')[0]
        ?? "?";
}

/// <summary>What other programs took of the processor between two moments: all that was busy, less this process and its ended children.</summary>
internal sealed class OtherLoad
{
    private const double TicksPerSecond = 100;

    private readonly double _startBusy = Busy();
    private readonly double _startOwn = Own();
    private readonly long _start = System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>Cores that others kept busy, on average since this object was made.</summary>
    public double Cores =>
        Math.Max(0, Busy() - _startBusy - (Own() - _startOwn))
        / System.Diagnostics.Stopwatch.GetElapsedTime(_start).TotalSeconds;

    // user, nice, system, then idle and iowait, irq, softirq, steal.
    private static double Busy()
    {
        double[] ticks =
        [
            .. File.ReadLines("/proc/stat")
                .First()
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
                .Select(value => double.Parse(value, CultureInfo.InvariantCulture)),
        ];
        return (ticks.Sum() - ticks[3] - ticks[4]) / TicksPerSecond;
    }

    // utime, stime, and those of children that were waited for; the name before them may hold blanks.
    private static double Own() =>
        File.ReadAllText("/proc/self/stat")
            .Split(") ")[^1]
            .Split(' ')[11..15]
            .Sum(value => double.Parse(value, CultureInfo.InvariantCulture)) / TicksPerSecond;
}
