using Saltern.Configuration;
using Saltern.Files;
using Saltern.FineTuning;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Studies;

/// <summary>A study's folder of results: of each run its recipe, thinned metrics and result, small enough to keep under version control.</summary>
/// <remarks>
/// They lie in the folder <c>results</c>, or packed in <c>results.zip</c> beside it, or in both: a run that the folder does not have is
/// looked for in the archive. New results are always written to the folder.
/// </remarks>
internal sealed record StudyResults(string Folder)
{
    private readonly Lazy<ResultsArchive?> _archive = new(() => OpenArchive(Folder));

    /// <summary>Most bytes of a run's kept metrics.</summary>
    public const int MostMetricsBytes = 200_000;

    /// <summary>Folder in which a run's result is kept.</summary>
    public string PathOf(StudyJob job) => Path.Combine(Folder, "results", job.RelativePath);

    private string PrecisionFile => Path.Combine(Folder, "precision.txt");

    /// <summary>Writes down what a study computes with; the first of several processes decides.</summary>
    /// <returns>What stands there.</returns>
    public ComputePrecision Pin(ComputePrecision precision)
    {
        DurableFolder.Create(Folder);
        if (PinnedPrecision() is ComputePrecision pinned)
        {
            return pinned;
        }

        if (File.Exists(PrecisionFile))
        {
            Disk.Current.Delete(PrecisionFile); // what an older version left that was killed while it wrote
        }

        string own = $"{PrecisionFile}.{Environment.ProcessId}";
        WholeFile.WriteText(own, PrecisionChoice.Word(precision) + "\n");
        try
        {
            // Whole from the first moment that another one can see it.
            Disk.Current.Rename(own, PrecisionFile, replaces: false);
            DurableFolder.FlushParent(PrecisionFile);
            return precision;
        }
        catch (IOException) when (PinnedPrecision() is not null)
        {
            Disk.Current.Delete(own);
            return PinnedPrecision() ?? precision;
        }
    }

    private ComputePrecision? PinnedPrecision()
    {
        if (!File.Exists(PrecisionFile))
        {
            return null;
        }

        string word = Disk.Current.ReadAllText(PrecisionFile).Trim();
        if (word.Length == 0)
        {
            return null; // what an older version left that was killed while it wrote
        }

        if (
            !word.All(char.IsAsciiDigit)
            && Enum.TryParse(word, ignoreCase: true, out ComputePrecision pinned)
            && pinned != ComputePrecision.Auto
        )
        {
            return pinned;
        }

        throw new ConfigurationException(
            $"{PrecisionFile} says '{(word.Length > 40 ? word[..40] + "…" : word)}', which is no precision of a study. "
                + "Write there what its runs were computed with, fp32 or bf16; result.json has it under machine."
        );
    }

    /// <summary>Precision that a study computes with where its recipes leave it to the machine: what was written down, else that of its runs; null before there is either.</summary>
    /// <param name="runsFolder">Folder of runs with their weights; null where only results are read.</param>
    public ComputePrecision? FoundPrecision(StudyPlan plan, string? runsFolder) =>
        PinnedPrecision()
        ?? plan.Runs.Where(run => run.Recipe.Precision == ComputePrecision.Auto)
            .SelectMany(run =>
                new[]
                {
                    SourceOf(run),
                    runsFolder is null ? null : new RunFolderSource(Path.Combine(runsFolder, run.RelativePath)),
                }
            )
            .OfType<RunSource>()
            .Where(source => source.Has(RunLayout.Recipe))
            .Select(source => (ComputePrecision?)Recipe<RunConfig>(source).Precision)
            .FirstOrDefault(found => found != ComputePrecision.Auto);

    /// <summary>Whether a run is finished and its result is that of the plan.</summary>
    /// <exception cref="ConfigurationException">There is a result of another recipe, data set or teacher; every difference is named.</exception>
    public bool Has(StudyJob job) => IsResultOf(SourceOf(job), job);

    /// <summary>Whether a run folder, or what was kept of one, holds the finished result of a plan.</summary>
    /// <param name="folder">Folder with result.json and recipe.yaml.</param>
    /// <exception cref="ConfigurationException">There is a result of something else; every difference is named.</exception>
    public static bool IsResultOf(string folder, StudyJob job) => IsResultOf(new RunFolderSource(folder), job);

    private static bool IsResultOf(RunSource kept, StudyJob job)
    {
        if (!kept.Has(RunLayout.Result) || !kept.Has(RunLayout.Recipe))
        {
            return false;
        }

        IReadOnlyList<string> differences = job switch
        {
            StudyRun run => StudyInputs.Differences(run.Recipe, Recipe<RunConfig>(kept), Result(kept)),
            StudyFineTune tune => StudyInputs.Differences(tune.Recipe, Recipe<FineTuneConfig>(kept)),
            _ => throw new ArgumentException($"{job.GetType()} is no work of a study.", nameof(job)),
        };
        if (differences.Count == 0)
        {
            return true;
        }

        throw new ConfigurationException([
            $"{kept.Name} holds the result of another run than the study plans for {job.Title}. "
                + $"{kept.Removal} to run it again, or give the study another --out:",
            .. differences.Select(difference => "  " + difference),
        ]);
    }

    /// <summary>Keeps what matters of a finished run; a result that is already there is replaced.</summary>
    /// <param name="runFolder">The run's own folder, with its weights.</param>
    public void Keep(StudyJob job, string runFolder)
    {
        string target = PathOf(job);
        string documents = Path.Combine(target, RunLayout.Documents);
        DurableFolder.Create(Path.GetDirectoryName(documents)!);
        WholeFile.WriteText(
            Path.Combine(target, RunLayout.Recipe),
            SelfChecksum.AddLine(
                KeptRecipe.Of(File.ReadAllText(Path.Combine(runFolder, RunLayout.Recipe)), Environment.CurrentDirectory)
            )
        );
        RunResult result = RunRecord.Load(runFolder).Result; // with all that says whether the run's files are whole
        if (File.Exists(Path.Combine(runFolder, RunLayout.Documents)))
        {
            WholeFile.WriteText(documents, File.ReadAllText(Path.Combine(runFolder, RunLayout.Documents)));
        }

        WholeFile.WriteText(
            Path.Combine(target, RunLayout.Metrics),
            ThinnedMetrics.Of(File.ReadLines(Path.Combine(runFolder, RunLayout.Metrics)), MostMetricsBytes)
        );

        // The result last: a folder without it is not taken for a finished run.
        WholeFile.WriteText(
            Path.Combine(target, RunLayout.Result),
            (result with { Files = ResultSums.Sums(target) }).ToJson()
        );
    }

    /// <summary>What the finished fine-tunings of a plan scored: every metric of every task.</summary>
    public IReadOnlyList<FineTuneScore> FineTuneScores(StudyPlan plan) =>
        [
            .. from tune in plan.FineTunes
            where Has(tune)
            let result = Result(SourceOf(tune))
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
        RunRecord record = RunFolderReader.Read(SourceOf(run));
        return record with { Result = record.Result with { Arm = run.Arm, Name = $"{run.Arm}-seed-{run.Seed}" } };
    }

    // The folder wins: what is in it was written after the archive was made, or unpacked to be changed.
    private RunSource SourceOf(StudyJob job)
    {
        var folder = new RunFolderSource(PathOf(job));
        if (!folder.Has(RunLayout.Result) && _archive.Value is ResultsArchive archive)
        {
            return archive.Run(job.RelativePath);
        }

        return folder;
    }

    private static ResultsArchive? OpenArchive(string folder)
    {
        string path = Path.Combine(folder, ResultsArchive.FileName);
        return File.Exists(path) ? ResultsArchive.Open(path) : null;
    }

    private static RunResult Result(RunSource kept) =>
        RunResult.Read(kept.Bytes(RunLayout.Result), kept.At(RunLayout.Result));

    private static T Recipe<T>(RunSource kept)
        where T : class
    {
        string name = kept.At(RunLayout.Recipe);
        return RecipeReader.Parse<T>(RecipeFile.Decode(kept.Bytes(RunLayout.Recipe), name), name, []);
    }
}
