using System.Globalization;

namespace Saltern.Cli.Terminal;

/// <summary>Times and shares as a person reads them.</summary>
public static class Duration
{
    private const int BarWidth = 16;

    /// <summary>Hours, minutes and seconds; hours only where there are any.</summary>
    public static string Text(double seconds)
    {
        var span = TimeSpan.FromSeconds(Math.Min(Math.Max(seconds, 0), TimeSpan.MaxValue.TotalSeconds / 2));
        if (span.TotalHours >= 1)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{(long)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}"
            );
        }

        return string.Create(CultureInfo.InvariantCulture, $"{span.Minutes}:{span.Seconds:00}");
    }

    /// <summary>A bar for a share in [0, 1].</summary>
    public static string Bar(double share)
    {
        int full = (int)(Math.Clamp(share, 0, 1) * BarWidth);
        return "[" + new string('#', full) + new string('.', BarWidth - full) + "]";
    }
}
