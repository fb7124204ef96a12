using System.Globalization;
using System.Text.Json;

namespace Saltern.Cli.Tests;

/// <summary>Whether JSON says the same: words, whole numbers and null exactly, other numbers to a relative tolerance; sentences may say it in other words.</summary>
internal static class SameFigures
{
    /// <summary>Members of a verdict that are whole sentences.</summary>
    public static readonly string[] Sentences = ["sentence_free", "sentence_charged"];

    // Shares of discrete choices: one token that changes sides moves them by far more than rounding.
    private static readonly string[] Discrete =
    [
        "accuracy",
        "calibration_error",
        "valid/accuracy",
        "valid/calibration_error",
    ];
    private const double DiscreteTolerance = 0.01;

    /// <summary>Every member of what is expected must be there; what a later program says besides, members and warnings, does no harm.</summary>
    /// <param name="expected">What the old program said.</param>
    /// <param name="found">What this one says.</param>
    /// <param name="relative">Of numbers with a decimal point or an exponent.</param>
    public static void Require(JsonElement expected, JsonElement found, double relative) =>
        Require(expected, found, relative, "$", "");

    private static void Require(JsonElement expected, JsonElement found, double relative, string path, string name)
    {
        Assert.True(expected.ValueKind == found.ValueKind, $"{path}: {found} instead of {expected}");
        switch (expected.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (
                    JsonProperty member in expected.EnumerateObject().Where(member => !Sentences.Contains(member.Name))
                )
                {
                    Assert.True(
                        found.TryGetProperty(member.Name, out JsonElement value),
                        $"{path} has no {member.Name}"
                    );
                    Require(member.Value, value, relative, $"{path}.{member.Name}", member.Name);
                }

                break;
            case JsonValueKind.Array when name == "warnings":
                string?[] said = [.. found.EnumerateArray().Select(warning => warning.GetString())];
                Assert.All(expected.EnumerateArray(), warning => Assert.Contains(warning.GetString(), said));
                break;
            case JsonValueKind.Array:
                Assert.True(
                    expected.GetArrayLength() == found.GetArrayLength(),
                    $"{path}: {found} instead of {expected}"
                );
                for (int i = 0; i < expected.GetArrayLength(); i++)
                {
                    Require(expected[i], found[i], relative, $"{path}[{i}]", name);
                }

                break;
            case JsonValueKind.Number:
                RequireNumber(expected, found, relative, path, name);
                break;
            default:
                Assert.True(expected.ToString() == found.ToString(), $"{path}: '{found}' instead of '{expected}'");
                break;
        }
    }

    private static void RequireNumber(
        JsonElement expected,
        JsonElement found,
        double relative,
        string path,
        string name
    )
    {
        (double wanted, double value) = (expected.GetDouble(), found.GetDouble());
        bool whole = long.TryParse(
            expected.GetRawText(),
            NumberStyles.AllowLeadingSign,
            CultureInfo.InvariantCulture,
            out _
        );
        double tolerance = whole ? 0 : relative * Math.Abs(wanted);
        if (Discrete.Contains(name))
        {
            tolerance = DiscreteTolerance;
        }

        Assert.True(
            Math.Abs(value - wanted) <= tolerance,
            string.Create(CultureInfo.InvariantCulture, $"{path}: {value:R} instead of {wanted:R}")
        );
    }
}
