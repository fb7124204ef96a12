using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>A shape as a <c>config.json</c> gives it, and what of the file was not asked for.</summary>
/// <param name="Path">The file.</param>
/// <param name="Shape">What is computed.</param>
/// <param name="Passed">Keys that say nothing about what is computed, or say it with the value that changes nothing.</param>
/// <param name="Dropouts">Dropouts other than 0, as <c>key = value</c>: part of how the model was trained, not of the model.</param>
/// <param name="Ignored">Keys that were not read because the user said so.</param>
/// <param name="Absent">Keys that the user wanted ignored, and that are not there.</param>
internal sealed record ConfigReading(
    string Path,
    TransformerConfig Shape,
    IReadOnlyList<string> Passed,
    IReadOnlyList<string> Dropouts,
    IReadOnlyList<string> Ignored,
    IReadOnlyList<string> Absent
)
{
    /// <summary>The line that names what was passed over; null where that is nothing but what every file has.</summary>
    public string? Remark
    {
        get
        {
            (string Says, IReadOnlyList<string> Keys)[] parts =
            [
                ("without effect on what is computed", Passed),
                ("nothing is dropped here", Dropouts),
                ("ignored as you said, so the model may be another than its makers'", Ignored),
                ("to be ignored, but not there", Absent),
            ];
            string[] told =
            [
                .. from part in parts where part.Keys.Count > 0 select $"{string.Join(", ", part.Keys)} ({part.Says})",
            ];
            return told.Length == 0 ? null : $"{Path}: passed over {string.Join("; ", told)}.";
        }
    }
}
