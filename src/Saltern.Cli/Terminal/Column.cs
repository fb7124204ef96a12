using System.Globalization;

namespace Saltern.Cli.Terminal;

/// <summary>Cells of tables that line up: numbers to the right, names to the left.</summary>
internal static class Column
{
    /// <summary>A name, filled up with blanks behind it.</summary>
    public static string Left(string text, int width) => text.PadRight(width);

    /// <summary>A text, filled up with blanks before it.</summary>
    public static string Right(string text, int width) => text.PadLeft(width);

    /// <summary>A number, filled up with blanks before it; blanks alone for none.</summary>
    public static string Right(IFormattable? number, int width, string? format = null) =>
        (number?.ToString(format, CultureInfo.InvariantCulture) ?? "").PadLeft(width);
}
