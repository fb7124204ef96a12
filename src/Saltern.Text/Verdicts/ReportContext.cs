using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What a report's page can say beyond what its runs know of themselves.</summary>
internal sealed record ReportContext
{
    /// <summary>The study that the runs are of, as a title has it; null for none.</summary>
    public string? Study { get; init; }

    /// <summary>Scores after fine-tuning the runs, arms named as the runs' are; may be empty.</summary>
    public IReadOnlyList<FineTuneScore> FineTuning { get; init; } = [];
}
