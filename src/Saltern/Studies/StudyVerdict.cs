using System.Text.Json;
using Saltern.Files;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Studies;

/// <summary>Verdict, report and picture of the runs of a study that are finished.</summary>
internal static class StudyVerdict
{
    /// <summary>Writes <c>verdict.json</c>, <c>report.html</c> and <c>curves.svg</c> into the study's folder.</summary>
    /// <param name="log">Told what is missing.</param>
    /// <returns>The verdict; null where there is nothing to compare yet.</returns>
    public static Verdict? Write(StudyPlan plan, StudyResults results, Action<string> log)
    {
        ILookup<string, RunRecord> finished = plan.Runs.Where(results.Has).ToLookup(run => run.Arm, results.Load);
        string[] missing =
        [
            .. plan
                .Runs.GroupBy(run => run.Arm)
                .Where(arm => finished[arm.Key].Count() < arm.Count())
                .Select(arm => $"{arm.Key} ({arm.Count() - finished[arm.Key].Count()})"),
        ];
        if (missing.Length > 0)
        {
            log($"Not finished yet: {string.Join(", ", missing)}.");
        }

        StepTimes? times = StepTimes.Load(results.Folder);
        RunRecord[] baseline = [.. finished[plan.Config.Baseline].Select(run => times?.Apply(run) ?? run)];
        int[] seeds = [.. baseline.Select(run => run.Result.Seed)];
        RunRecord[] others =
        [
            .. plan
                .Config.Arms.Keys.Where(arm => arm != plan.Config.Baseline)
                .SelectMany(arm => finished[arm])
                .Where(run => seeds.Contains(run.Result.Seed))
                .Select(run => times?.Apply(run) ?? run),
        ];
        if (baseline.Length == 0 || others.Length == 0)
        {
            log(
                "There is nothing to compare yet: the verdict needs a finished run of the baseline and one of "
                    + "another arm with the same seed."
            );
            return null;
        }

        Verdict verdict = Verdict.Compute(
            baseline,
            others,
            VerdictMetric.Parse(plan.Config.Metric),
            plan.Config.StudentsServed
        );
        if (times is not null)
        {
            verdict = verdict with { Warnings = [.. verdict.Warnings, times.Note] };
        }

        WholeFile.WriteText(Path.Combine(results.Folder, VerdictFiles.Verdict), verdict.ToJson());
        IReadOnlyList<FineTuneScore> tuned = results.FineTuneScores(plan);
        ReportPage.Write(
            Path.Combine(results.Folder, VerdictFiles.Report),
            verdict,
            baseline,
            others,
            new ReportContext { Study = TitleOf(plan.Config.Name, results.Folder), FineTuning = tuned }
        );
        if (tuned.Count > 0)
        {
            WholeFile.WriteText(
                Path.Combine(results.Folder, "finetune.json"),
                JsonSerializer.Serialize(ReportFineTuning.Compare(plan.Config.Baseline, tuned), ReportJson.Options)
                    + "\n"
            );
        }

        CurvePicture.Write(Path.Combine(results.Folder, VerdictFiles.Picture), verdict, baseline, others);
        return verdict;
    }

    // A folder of another name often has the date in it.
    private static string TitleOf(string study, string folder)
    {
        string name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
        return name == study ? $"Study {study}" : $"Study {study} ({name})";
    }
}
