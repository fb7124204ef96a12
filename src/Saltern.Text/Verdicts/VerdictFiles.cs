using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>Names of the files that a study and a demo write about what they found.</summary>
internal static class VerdictFiles
{
    /// <summary>The verdict as JSON (docs/verdict-format.md).</summary>
    public const string Verdict = "verdict.json";

    /// <summary>The verdict for people; the same name as beside a run.</summary>
    public const string Report = RunLayout.Report;

    /// <summary>The curves alone.</summary>
    public const string Picture = "curves.svg";

    /// <summary>Scores after fine-tuning, by task and arm.</summary>
    public const string FineTuning = "finetune.json";
}
