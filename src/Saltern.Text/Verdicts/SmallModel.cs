using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What the small models behind an arm are called in sentences.</summary>
internal static class SmallModel
{
    /// <summary>One that taught.</summary>
    public const string Teacher = "teacher";

    /// <summary>The word for what helped some runs: a teacher, the small model that they grew out of, or both; null for nothing.</summary>
    public static string? Of(IReadOnlyList<RunRecord> runs)
    {
        bool taught = runs.Any(run => run.HadTeacher);
        bool grew = runs.Any(run => run.Result.Stages.Count > 0 || run.Result.Origin.Count > 0);
        return (taught, grew) switch
        {
            (true, true) => "teacher's and the small model",
            (true, false) => Teacher,
            (false, true) => "small model",
            _ => null,
        };
    }
}
