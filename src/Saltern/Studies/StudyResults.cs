using Saltern.Configuration;
using Saltern.Files;
using Saltern.FineTuning;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Studies;

/// <summary>A study's folder of results: of each run its recipe, thinned figures and result, small enough to keep under version control.</summary>
/// <param name="Folder">The study's folder.</param>
public sealed record StudyResults(string Folder)
{
    /// <summary>Most bytes of a run's kept metrics.</summary>
    public const int MostMetricsBytes = 200_000;

    /// <summary>Folder of a run's result.</summary>
    public string PathOf(StudyJob job) => Path.Combine(Folder, "results", job.RelativePath);

    /// <summary>Whether a run is finished and its result is that of the plan.</summary>
    /// <exception cref="ConfigurationException">There is a result of another recipe, data set or teacher; every difference is named.</exception>
    public bool Has(StudyJob job) => IsResultOf(PathOf(job), job);

    /// <summary>Whether a run folder, or what was kept of one, holds the finished result of a plan.</summary>
    /// <param name="folder">Folder with result.json and recipe.yaml.</param>
    /// <param name="job">What is planned.</param>
    /// <exception cref="ConfigurationException">There is a result of something else; every difference is named.</exception>
    public static bool IsResultOf(string folder, StudyJob job)
    {
        string result = Path.Combine(folder, RunFolder.ResultFile);
        string recipe = Path.Combine(folder, RunFolder.RecipeFile);
        if (!File.Exists(result) || !File.Exists(recipe))
        {
            return false;
        }

        IReadOnlyList<string> differences = job switch
        {
            StudyRun run => StudyInputs.Differences(
                run.Recipe,
                RecipeReader.Read<RunConfig>(recipe, []),
                RunResult.Read(result)
            ),
            StudyFineTune tune => StudyInputs.Differences(tune.Recipe, RecipeReader.Read<FineTuneConfig>(recipe, [])),
            _ => throw new ArgumentException($"{job.GetType()} is no work of a study.", nameof(job)),
        };
        if (differences.Count == 0)
        {
            return true;
        }

        throw new ConfigurationException([
            $"{folder} holds the result of another run than the study plans for {job.Title}. Remove the folder to run it again, or give the study another --out:",
            .. differences.Select(difference => "  " + difference),
        ]);
    }

    /// <summary>Keeps what matters of a finished run; a result that is already there is replaced.</summary>
    /// <param name="job">Which.</param>
    /// <param name="runFolder">The run's own folder, with its weights.</param>
    public void Keep(StudyJob job, string runFolder)
    {
        string target = PathOf(job);
        string documents = Path.Combine(target, RunFolder.DocumentsFile);
        Directory.CreateDirectory(Path.GetDirectoryName(documents)!);
        DurableFolder.WriteText(
            Path.Combine(target, RunFolder.RecipeFile),
            SelfChecksum.AddLine(
                KeptRecipe.Of(
                    File.ReadAllText(Path.Combine(runFolder, RunFolder.RecipeFile)),
                    Environment.CurrentDirectory
                )
            )
        );
        RunResult result = RunRecord.Load(runFolder).Result; // with all that says whether the run's files are whole
        if (File.Exists(Path.Combine(runFolder, RunFolder.DocumentsFile)))
        {
            DurableFolder.WriteText(documents, File.ReadAllText(Path.Combine(runFolder, RunFolder.DocumentsFile)));
        }

        DurableFolder.WriteText(
            Path.Combine(target, RunFolder.MetricsFile),
            ThinnedMetrics.Of(File.ReadLines(Path.Combine(runFolder, RunFolder.MetricsFile)), MostMetricsBytes)
        );

        // The result last: a folder without it is not taken for a finished run.
        DurableFolder.WriteText(
            Path.Combine(target, RunFolder.ResultFile),
            (result with { Files = ResultSums.Sums(target) }).ToJson()
        );
    }

    /// <summary>What the finished fine-tunings of a plan scored: every metric of every task.</summary>
    public IReadOnlyList<FineTuneScore> FineTuneScores(StudyPlan plan) =>
        [
            .. from tune in plan.FineTunes
            where Has(tune)
            let result = RunResult.Read(Path.Combine(PathOf(tune), RunFolder.ResultFile))
            from task in result.FineTuning?.Tasks ?? new Dictionary<string, TaskChange>()
            from metric in task.Value.Metrics
            select new FineTuneScore(
                tune.Arm,
                tune.Seed,
                tune.TuningSeed,
                task.Key,
                metric.Key,
                task.Value.MainMetric == metric.Key,
                task.Value.Items,
                task.Value.TooLong.Count,
                metric.Value.Before,
                metric.Value.After
            ),
        ];

    /// <summary>The finished run as reports read it, under its arm's name.</summary>
    public RunRecord Load(StudyRun run)
    {
        RunRecord record = RunRecord.Load(PathOf(run));
        return record with { Result = record.Result with { Arm = run.Arm, Name = $"{run.Arm}-seed-{run.Seed}" } };
    }
}
