using System.Globalization;
using System.Text.RegularExpressions;

namespace Saltern.Configuration;

/// <summary>
/// Text ↔ single values, by the core schema of YAML 1.2 without octal and hexadecimal numbers:
/// <c>yes</c> is text, <c>1e-3</c> a number, <c>010</c> ten, <c>1_000</c> text. Infinity and NaN are refused, as no setting means them.
/// </summary>
internal static partial class ScalarText
{
    public static bool IsEmpty(RecipeScalar scalar) => scalar.IsPlain && scalar.Text.Length == 0;

    public static bool IsNull(RecipeScalar scalar) =>
        scalar.IsPlain && scalar.Text is "null" or "Null" or "NULL" or "~";

    /// <summary>Whether the text would be read as something other than text if it stood without quotes.</summary>
    public static bool NeedsQuotes(string text) =>
        text is "null" or "Null" or "NULL" or "~"
        || ReadBool(text) is not null
        || !PlainText().IsMatch(text)
        || NumberText().IsMatch(text);

    /// <summary>Reads a value of one of the scalar types.</summary>
    /// <param name="type">string, bool, int, long, double, <see cref="StepPoint"/> or <see cref="LayerCount"/>.</param>
    /// <param name="text">Text that stood without quotes; text of any kind for a string.</param>
    /// <param name="refusal">How the sentence "key = text …" goes on when there is no value.</param>
    /// <returns>The value, or null when it is refused.</returns>
    public static object? Read(Type type, string text, out string refusal)
    {
        refusal = $"is not {Expected(type)}";
        if (type == typeof(string))
        {
            return text;
        }

        if (type == typeof(bool))
        {
            return ReadBool(text);
        }

        if (type == typeof(double))
        {
            return ReadNumber(text, ref refusal);
        }

        if (type == typeof(StepPoint))
        {
            return ReadStepPoint(text, ref refusal);
        }

        if (type == typeof(LayerCount))
        {
            return ReadLayerCount(text, ref refusal);
        }

        if (type == typeof(long))
        {
            return ReadInteger(text, long.MinValue, long.MaxValue, ref refusal);
        }

        return (int?)ReadInteger(text, int.MinValue, int.MaxValue, ref refusal);
    }

    /// <summary>The text as it is, or in quotes with escapes where its limits would be in doubt.</summary>
    public static string Quote(string text)
    {
        if (NeedsQuotes(text))
        {
            return $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
        }

        return text;
    }

    /// <summary>What a key of that type takes, in a message.</summary>
    public static string Expected(Type type) =>
        Type.GetTypeCode(type) switch
        {
            TypeCode.String => "text",
            TypeCode.Boolean => "true or false",
            TypeCode.Int32 or TypeCode.Int64 => "an integer",
            TypeCode.Double => "a number",
            _ when type == typeof(LayerCount) => "true, false or an integer (layers)",
            _ => "an integer (steps) or a number with a decimal point (share of the run)",
        };

    /// <summary>A value as a recipe writes it.</summary>
    /// <exception cref="ArgumentException">A number is infinite or NaN, which no recipe can say.</exception>
    public static string Write(object value) =>
        value switch
        {
            string text => text,
            true => "true",
            false => "false",
            double number when double.IsFinite(number) => OfNumber(number),
            double number => throw new ArgumentException($"A recipe cannot hold the number {number}.", nameof(value)),
            IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString()!,
        };

    /// <summary>
    /// A finite number that reads back as the same one. Always with a decimal point: so a share stays a share, and readers of
    /// YAML 1.1, which take 1e-05 for text, see a number too.
    /// </summary>
    public static string OfNumber(double number)
    {
        string text = number.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        if (text.Contains('.', StringComparison.Ordinal))
        {
            return text;
        }

        int exponent = text.IndexOf('e', StringComparison.Ordinal);
        return text.Insert(exponent < 0 ? text.Length : exponent, ".0");
    }

    private static bool? ReadBool(string text) =>
        text switch
        {
            "true" or "True" or "TRUE" => true,
            "false" or "False" or "FALSE" => false,
            _ => null,
        };

    private static double? ReadNumber(string text, ref string refusal)
    {
        if (NumberText().IsMatch(text))
        {
            double number = double.Parse(text, CultureInfo.InvariantCulture);
            if (double.IsFinite(number))
            {
                return number;
            }

            refusal = "is too large for a number";
        }

        return null;
    }

    private static long? ReadInteger(string text, long least, long most, ref string refusal)
    {
        if (!IntegerText().IsMatch(text))
        {
            return null;
        }

        if (
            long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long integer)
            && integer >= least
            && integer <= most
        )
        {
            return integer;
        }

        refusal = string.Create(CultureInfo.InvariantCulture, $"is outside [{least}, {most}]");
        return null;
    }

    private static LayerCount? ReadLayerCount(string text, ref string refusal)
    {
        if (ReadBool(text) is bool all)
        {
            return all ? LayerCount.All : LayerCount.None;
        }

        if (IntegerText().IsMatch(text) && ReadInteger(text, 0, int.MaxValue, ref refusal) is { } layers)
        {
            return LayerCount.Of((int)layers);
        }

        return null;
    }

    private static StepPoint? ReadStepPoint(string text, ref string refusal)
    {
        if (IntegerText().IsMatch(text))
        {
            if (ReadInteger(text, 0, int.MaxValue, ref refusal) is { } steps)
            {
                return StepPoint.FromSteps((int)steps);
            }

            return null;
        }

        if (ReadNumber(text, ref refusal) is not { } share)
        {
            return null;
        }

        refusal = "is outside [0, 1]; a number with a decimal point is a share of the run, an integer is steps";
        return share is >= 0 and <= 1 ? StepPoint.FromShare(share) : null;
    }

    // \z, not $: the latter would let a final line break through.
    [GeneratedRegex(@"\A[-+]?[0-9]+\z")]
    private static partial Regex IntegerText();

    [GeneratedRegex(@"\A[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\z")]
    private static partial Regex NumberText();

    [GeneratedRegex(@"\A[A-Za-z0-9_./][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+-]+)*\z")]
    private static partial Regex PlainText();
}
