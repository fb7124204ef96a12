using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Saltern.RunFiles;

/// <summary>The one way in which results and verdicts are read and written as JSON.</summary>
internal static class ReportJson
{
    /// <summary>snake_case names and enum values, indented, nulls written out: null means "not reached" or "not known" to a reader.</summary>
    public static JsonSerializerOptions Options { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            WriteIndented = true,
            NewLine = "\n",
            RespectNullableAnnotations = true,
            // Losses of a diverged model are not numbers, and the file must still be readable.
            NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
            // The files are for people too: "≤" and "'" stay legible. The report escapes for HTML by itself.
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
        };
}
