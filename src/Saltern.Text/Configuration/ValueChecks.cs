using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Saltern.Configuration;

/// <summary>
/// The checks that a property declares with System.ComponentModel.DataAnnotations, in our words. Range and allowed values hold for a
/// single value and for each one in a list; lengths and every other check hold for the value of the key as a whole.
/// </summary>
internal static class ValueChecks
{
    /// <summary>Refuses a check that says nothing about the type of its property, before a recipe meets it.</summary>
    /// <exception cref="InvalidOperationException">A range stands on something without a size, or a length on something without one.</exception>
    public static void RefuseMisplaced(PropertyInfo property, IReadOnlyList<ValidationAttribute> checks)
    {
        Type type = property.PropertyType;
        bool hasLength = type == typeof(string) || type.IsAssignableTo(typeof(IEnumerable));
        while (type.IsGenericType)
        {
            type = type.GetGenericArguments()[^1];
        }

        bool isNumber = type == typeof(int) || type == typeof(long) || type == typeof(double);
        foreach (ValidationAttribute check in checks)
        {
            if (
                (check is RangeAttribute && !isNumber)
                || (check is MinLengthAttribute or MaxLengthAttribute or LengthAttribute && !hasLength)
            )
            {
                throw new InvalidOperationException(
                    $"{check.GetType().Name} does not apply to {property.DeclaringType!.Name}.{property.Name}."
                );
            }
        }
    }

    /// <summary>How "key = 3 …" goes on where a single value is refused; null where it is fine.</summary>
    public static string? RefusalOfSingle(KeyShape key, object value)
    {
        foreach (ValidationAttribute check in key.Checks)
        {
            string? refusal = check switch
            {
                RangeAttribute range when !IsInside(range, value) => $"is outside {Interval(range)}",
                AllowedValuesAttribute allowed when !allowed.Values.Contains(value) => NotAllowed(allowed, value),
                _ => null,
            };
            if (refusal is not null)
            {
                return refusal;
            }
        }

        return null;
    }

    /// <summary>How "key …" goes on where the value of the whole key is refused; null where it is fine.</summary>
    public static string? RefusalOfWhole(KeyShape key, object value)
    {
        foreach (ValidationAttribute check in key.Checks)
        {
            string? refusal = check switch
            {
                RangeAttribute or AllowedValuesAttribute => null,
                MinLengthAttribute min => WrongLength(value, min.Length, int.MaxValue),
                MaxLengthAttribute max => WrongLength(value, 0, max.Length),
                LengthAttribute both => WrongLength(value, both.MinimumLength, both.MaximumLength),
                _ when check.IsValid(value) => null,
                _ => $"is refused: {check.FormatErrorMessage(key.Property.Name)}",
            };
            if (refusal is not null)
            {
                return refusal;
            }
        }

        return null;
    }

    /// <summary>
    /// Compares without RangeAttribute.IsValid, which rounds the value to the type of the bounds: [Range(0, 1)] would let 1.3 pass.
    /// </summary>
    private static bool IsInside(RangeAttribute range, object value)
    {
        int toMinimum = Compare(value, range.Minimum);
        int toMaximum = Compare(value, range.Maximum);
        return (toMinimum > 0 || (toMinimum == 0 && !range.MinimumIsExclusive))
            && (toMaximum < 0 || (toMaximum == 0 && !range.MaximumIsExclusive));
    }

    private static int Compare(object value, object bound)
    {
        if (value is double || bound is not (int or long))
        {
            return Convert
                .ToDouble(value, CultureInfo.InvariantCulture)
                .CompareTo(Convert.ToDouble(bound, CultureInfo.InvariantCulture));
        }

        return Convert
            .ToInt64(value, CultureInfo.InvariantCulture)
            .CompareTo(Convert.ToInt64(bound, CultureInfo.InvariantCulture));
    }

    /// <summary>"[0, 1]", "(0, ∞)": the largest value of a type stands for no bound.</summary>
    private static string Interval(RangeAttribute range)
    {
        // [Range(0, long.MaxValue)] is the constructor for double: its bound is 2^63.
        bool hasNoEnd = range.Maximum is int.MaxValue or long.MaxValue or >= (double)long.MaxValue;
        object maximum = hasNoEnd ? "∞" : range.Maximum;
        char open = range.MinimumIsExclusive ? '(' : '[';
        char close = range.MaximumIsExclusive || hasNoEnd ? ')' : ']';
        return string.Create(CultureInfo.InvariantCulture, $"{open}{range.Minimum}, {maximum}{close}");
    }

    private static string NotAllowed(AllowedValuesAttribute allowed, object value)
    {
        string[] words = [.. allowed.Values.OfType<object>().Select(ScalarText.Write)];
        string refusal = $"is not one of {MessageText.OfNames(words)}";
        if (value is string text && WordSuggestion.For(text, words) is { } meant)
        {
            return $"{refusal}. Did you mean {meant}?";
        }

        return refusal;
    }

    private static string? WrongLength(object value, int least, int most)
    {
        int length = value is string text ? text.Length : ((ICollection)value).Count;
        if (length >= least && length <= most)
        {
            return null;
        }

        string needed = (least, most) switch
        {
            _ when least == most => $"exactly {least}",
            (_, int.MaxValue) => $"at least {least}",
            (0, _) => $"at most {most}",
            _ => $"{least} to {most}",
        };
        string unit = (value is string, length == 1) switch
        {
            (true, true) => "character",
            (true, false) => "characters",
            (false, true) => "entry",
            (false, false) => "entries",
        };
        return string.Create(CultureInfo.InvariantCulture, $"has {length} {unit}, not {needed}");
    }
}
