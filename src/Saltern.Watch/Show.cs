using System.Globalization;

namespace Saltern.Watch;

/// <summary>Numbers as the page shows them.</summary>
internal static class Show
{
    /// <summary>What stands where there is no value.</summary>
    public const string Absent = "–";

    /// <summary>Four significant digits.</summary>
    public static string Figure(double? value)
    {
        string format = Math.Abs(value ?? 0) switch
        {
            >= 1000 or 0 => "N0",
            < 1e-3 => "0.00e0",
            _ => "0.####",
        };
        return value?.ToString(format, CultureInfo.InvariantCulture) ?? Absent;
    }

    /// <summary>A loss in nats, or a difference of losses.</summary>
    public static string Nats(double? value) => value?.ToString("0.000", CultureInfo.InvariantCulture) ?? Absent;

    /// <summary>A whole number with separators.</summary>
    public static string Count(double? value) => value?.ToString("N0", CultureInfo.InvariantCulture) ?? Absent;

    /// <summary>A share as per cent.</summary>
    public static string Percent(double? share)
    {
        if (share is { } value)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{100 * value:0} %");
        }

        return Absent;
    }

    /// <summary>A share of the peak as older runs logged it: of a machine that was busy when it was measured, it can be above 1.</summary>
    public static double? ShareOfPeak(double? share) => share > 1 ? 1 : share;

    /// <summary>Bytes in MiB or GiB.</summary>
    public static string Bytes(double bytes)
    {
        if (bytes >= 1L << 30)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{bytes / (1L << 30):0.0} GiB");
        }

        return string.Create(CultureInfo.InvariantCulture, $"{bytes / (1L << 20):0.0} MiB");
    }

    /// <summary>A time in its two largest units.</summary>
    public static string Time(TimeSpan? time) =>
        time switch
        {
            null => Absent,
            { TotalDays: >= 1 } long_ => $"{(int)long_.TotalDays} d {long_.Hours} h",
            { TotalHours: >= 1 } hours => $"{hours.Hours} h {hours.Minutes} min",
            { TotalMinutes: >= 1 } minutes => $"{minutes.Minutes} min {minutes.Seconds} s",
            { } seconds => $"{Math.Max(0, seconds.Seconds)} s",
        };
}
