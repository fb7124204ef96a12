using System.Globalization;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>How numbers read in sentences, tables and plots.</summary>
internal static class Figures
{
    private static readonly string[] FlopUnits =
    [
        "FLOP",
        "kFLOP",
        "MFLOP",
        "GFLOP",
        "TFLOP",
        "PFLOP",
        "EFLOP",
        "ZFLOP",
        "YFLOP",
    ];

    /// <summary>What stands where there is no number.</summary>
    public const string Absent = "–";

    public static string Loss(double? value) => Format(value, "0.000");

    public static string SignedLoss(double? value) => Difference(value, null);

    public static string Percent(double? share)
    {
        if (share is { } x)
        {
            // A no-break space keeps the sign with its number at the end of a line.
            return Format(100 * x, "0.0") + "\u00A0%";
        }

        return Absent;
    }

    /// <summary>Three digits and a unit of thousand: 1.33M.</summary>
    public static string Amount(double value) =>
        value switch
        {
            >= 1e9 => Format(value / 1e9, "0.##") + "B",
            >= 1e6 => Format(value / 1e6, "0.##") + "M",
            >= 1e3 => Format(value / 1e3, "0.#") + "k",
            _ => Format(value, "0"),
        };

    public static string Count(double? value) => Format(value, "#,##0");

    /// <summary>A ratio with its interval where there is one: <c>0.809 [0.725, 0.903]</c>.</summary>
    public static string Ratio(PairedInterval? ratio) => MeanRatio(ratio) + Interval(ratio, "0.000");

    /// <summary>A ratio without its interval.</summary>
    public static string MeanRatio(PairedInterval? ratio) => Format(ratio?.Mean, "0.000");

    public static string Difference(double? value, IReadOnlyList<double>? interval)
    {
        if (value is not { } x)
        {
            return Absent;
        }

        string text = Signed(x, "0.000");
        if (interval is [var low, var high])
        {
            return $"{text} [{Signed(low, "0.000")}, {Signed(high, "0.000")}]";
        }

        return text;
    }

    public static string Flops(double? value)
    {
        if (value is not { } x)
        {
            return Absent;
        }

        int unit = FlopUnit(x);
        return Format(x / Math.Pow(1000, unit), "0.0") + " " + FlopUnits[unit];
    }

    public static string Seconds(double? value) =>
        value switch
        {
            null => Absent,
            < 120 => Format(value, "0.0") + " s",
            < 7200 => Format(value / 60, "0.0") + " min",
            _ => Format(value / 3600, "0.0") + " h",
        };

    /// <summary>Divisor and name of the unit in which an axis up to this many FLOPs reads well.</summary>
    public static (double Divisor, string Unit) FlopsAxis(double largest) =>
        (Math.Pow(1000, FlopUnit(largest)), FlopUnits[FlopUnit(largest)]);

    /// <summary>Divisor and name of the unit in which an axis up to this many seconds reads well.</summary>
    public static (double Divisor, string Unit) SecondsAxis(double largest) =>
        largest switch
        {
            < 120 => (1, "s"),
            < 7200 => (60, "min"),
            _ => (3600, "h"),
        };

    public static string Format(double? value, string format) =>
        value switch
        {
            null => Absent,
            { } x when !double.IsFinite(x) => "not finite",
            { } x => x.ToString(format, CultureInfo.InvariantCulture),
        };

    private static string Signed(double value, string format)
    {
        string text = Format(Math.Abs(value), format);
        // A difference that rounds to nothing has no sign to show.
        bool isZero = text.All(character => character is '0' or '.');
        if (isZero)
        {
            return text;
        }

        if (value < 0)
        {
            return "−" + text;
        }

        return "+" + text;
    }

    private static string Interval(PairedInterval? interval, string format)
    {
        if (interval is { Lower: { } low, Upper: { } high })
        {
            return $" [{Format(low, format)}, {Format(high, format)}]";
        }

        return "";
    }

    private static int FlopUnit(double value)
    {
        if (value < 1000 || !double.IsFinite(value))
        {
            return 0;
        }

        return Math.Min((int)(Math.Log10(value) / 3), FlopUnits.Length - 1);
    }

    /// <summary>A score in three decimals, or, above 100, in as many digits as say something: a perplexity can be in the thousands.</summary>
    public static string Score(double? value) => Format(value, Math.Abs(value ?? 0) >= 100 ? "#,##0" : "0.000");

    /// <summary>A p-value, with no more zeros than say something.</summary>
    public static string PValue(double value) => value < 0.001 ? "<0.001" : Format(value, "0.000");

    /// <summary>A value of the metric: a loss in nats, or a share in per cent.</summary>
    public static string Of(VerdictMetric metric, double? value)
    {
        if (metric.IsShare)
        {
            return Percent(value);
        }

        return Loss(value);
    }
}
