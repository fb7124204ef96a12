using System.Globalization;

namespace Saltern.Numerics;

/// <summary>This process's resident memory as Linux counts it.</summary>
internal static class ProcessMemory
{
    private const string StatusFile = "/proc/self/status";
    private const string ClearFile = "/proc/self/clear_refs";
    private const string ResetPeakMark = "5"; // proc(5): resets VmHWM to the present resident size

    /// <summary>High-water mark since the start or the last <see cref="ResetPeak"/>, bytes; null where the system does not say.</summary>
    public static long? Peak()
    {
        string? line = File.Exists(StatusFile)
            ? File.ReadLines(StatusFile).FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            : null;
        if (line is null)
        {
            return null;
        }

        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)
            * 1024;
    }

    /// <summary>Starts the high-water mark anew.</summary>
    /// <returns>Whether the system let us.</returns>
    public static bool ResetPeak()
    {
        try
        {
            File.WriteAllText(ClearFile, ResetPeakMark);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
