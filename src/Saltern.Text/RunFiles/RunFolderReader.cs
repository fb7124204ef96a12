using System.Text.Json;
using Saltern.Files;

namespace Saltern.RunFiles;

/// <summary>Reads the files that a run leaves behind. They may be damaged, cut short, or of another program.</summary>
internal static class RunFolderReader
{
    public static RunRecord Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return Read(new RunFolderSource(folder));
    }

    public static RunRecord Read(RunSource run)
    {
        if (!run.Has(RunLayout.Metrics))
        {
            throw new DataFormatException(
                $"{run.Name}: not a run folder, {run.Lack}. Name a folder that `saltern train` has written."
            );
        }

        CheckSize(run, RunLayout.Metrics, RunLayout.LargestLog);
        CheckSize(run, RunLayout.Result, RunLayout.LargestDocument);
        RunResult? result = null;
        if (run.Has(RunLayout.Result))
        {
            result = RunResult.Read(run.Bytes(RunLayout.Result), run.At(RunLayout.Result));
            ResultSums.Require(run, result);
        }

        string? recipe = ReadIfThere(run, RunLayout.Recipe);
        if (recipe is not null && RecipeProblem(run, recipe) is string problem)
        {
            throw new DataFormatException(
                $"{run.At(RunLayout.Recipe)} {problem}. Restore the file; "
                    + "a recipe that you have changed yourself needs its first line no longer."
            );
        }

        MetricsTable metrics = MetricsTable.Parse(run.Lines(RunLayout.Metrics), run.At(RunLayout.Metrics));
        return new RunRecord
        {
            Result = result ?? Unfinished(run.Name, recipe, metrics),
            Finished = result is not null,
            Metrics = metrics,
            Documents = ReadDocuments(run),
            RecipeText = recipe,
        };
    }

    private static string? RecipeProblem(RunSource run, string recipe)
    {
        if (recipe.Length == 0)
        {
            return "is empty";
        }

        return SelfChecksum.LineProblem(run.Bytes(RunLayout.Recipe));
    }

    private static List<DocumentScore> ReadDocuments(RunSource run)
    {
        List<DocumentScore> documents = [];
        if (!run.Has(RunLayout.Documents))
        {
            return documents;
        }

        CheckSize(run, RunLayout.Documents, RunLayout.LargestLog);
        string path = run.At(RunLayout.Documents);
        int number = 0;
        foreach (string line in run.Lines(RunLayout.Documents))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                DocumentScore? score = JsonSerializer.Deserialize<DocumentScore>(line, ReportJson.Options);
                if (score is not { Domain: not null, Tokens: >= 0 })
                {
                    throw new JsonException("domain or tokens missing");
                }

                documents.Add(score);
            }
            catch (JsonException problem)
            {
                throw new DataFormatException(
                    $"{path}:{number}: {{ \"domain\", \"document\", \"tokens\", \"nll\" }} was expected: "
                        + $"{problem.Message} Evaluate the run again.",
                    problem
                );
            }
        }

        return documents;
    }

    /// <summary>What is known of a run without a result: enough to draw its curve and to pair it.</summary>
    private static RunResult Unfinished(string folder, string? recipe, MetricsTable metrics)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        IReadOnlyDictionary<string, string> keys = new Dictionary<string, string>();
        if (recipe is not null)
        {
            keys = RecipeKeys.Flatten(recipe);
        }

        int steps = metrics.Steps.Count > 0 ? metrics.Steps[^1] : 0;
        return new RunResult
        {
            Name = keys.GetValueOrDefault("name", name),
            Arm = keys.GetValueOrDefault("name", name),
            Seed = int.TryParse(keys.GetValueOrDefault("seed"), out int seed) ? seed : 0,
            Steps = steps,
            PlannedSteps = int.TryParse(keys.GetValueOrDefault("training.steps"), out int planned) ? planned : steps,
            Truncated = true,
            Origin = OriginOf(keys),
            Stages = StagesOf(metrics),
            Seconds = Last(metrics, MetricNames.Seconds),
            Flops = Last(metrics, MetricNames.Flops),
        };
    }

    // What it cost only the result will say.
    private static IReadOnlyList<RunAncestor> OriginOf(IReadOnlyDictionary<string, string> keys)
    {
        string? from = keys.GetValueOrDefault("init_from.path") ?? keys.GetValueOrDefault("init_from");
        if (from is null)
        {
            return [];
        }

        string operation = keys.Keys.Any(key => key.StartsWith("init_from.grow.", StringComparison.Ordinal))
            ? RunAncestor.Grown
            : RunAncestor.Foreign;
        return [new RunAncestor { Name = from, Operation = operation }];
    }

    private static IReadOnlyList<RunStage> StagesOf(MetricsTable metrics) =>
        [
            .. from grown in metrics.Series(MetricNames.GrownAfter)
            let last = (int)grown.Value
            select new RunStage
            {
                LastStep = last,
                Flops = Before(metrics, MetricNames.Flops, last),
                Seconds = Before(metrics, MetricNames.Seconds, last),
            },
        ];

    private static double Before(MetricsTable metrics, string name, int step) =>
        metrics.Series(name).LastOrDefault(point => point.Step <= step).Value;

    private static double Last(MetricsTable metrics, string name) =>
        metrics.Series(name) is [.., var last] ? last.Value : 0;

    private static string? ReadIfThere(RunSource run, string file)
    {
        if (!run.Has(file))
        {
            return null;
        }

        CheckSize(run, file, RunLayout.LargestDocument);
        using var reader = new StreamReader(run.Open(file));
        return reader.ReadToEnd();
    }

    private static void CheckSize(RunSource run, string file, long largest)
    {
        if (run.Has(file))
        {
            RunLayout.RequireSize(run.At(file), run.Length(file), largest);
        }
    }
}
