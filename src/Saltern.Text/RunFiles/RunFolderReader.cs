using System.Text.Json;
using Saltern.Files;

namespace Saltern.RunFiles;

/// <summary>Reads the files that a run leaves behind. They may be damaged, cut short, or of another program.</summary>
internal static class RunFolderReader
{
    // A resolved recipe and a result are a few kB; metrics of a year of steps stay below a gigabyte.
    private const long LargestDocument = 64L << 20;
    private const long LargestLog = 2L << 30;

    public static RunRecord Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string metricsPath = Path.Combine(folder, "metrics.jsonl");
        if (!File.Exists(metricsPath))
        {
            string found = Directory.Exists(folder) ? "the folder has no metrics.jsonl" : "there is no such folder";
            throw new DataFormatException(
                $"{folder}: not a run folder, {found}. Name a folder that `saltern train` has written."
            );
        }

        CheckSize(metricsPath, LargestLog);
        string resultPath = Path.Combine(folder, "result.json");
        string recipePath = Path.Combine(folder, "recipe.yaml");
        CheckSize(resultPath, LargestDocument);
        RunResult? result = File.Exists(resultPath) ? RunResult.Read(resultPath) : null;
        if (result is not null)
        {
            ResultSums.Require(folder, result);
        }

        string? recipe = ReadIfThere(recipePath);
        if (
            recipe is not null
            && (recipe.Length == 0 ? "is empty" : SelfChecksum.LineProblem(File.ReadAllBytes(recipePath)))
                is string problem
        )
        {
            throw new DataFormatException(
                $"{recipePath} {problem}. Restore the file; a recipe that you have changed yourself needs its first line no longer."
            );
        }

        MetricsTable metrics = MetricsTable.Parse(File.ReadLines(metricsPath), metricsPath);
        return new RunRecord
        {
            Result = result ?? Unfinished(folder, recipe, metrics),
            Finished = result is not null,
            Metrics = metrics,
            Documents = ReadDocuments(Path.Combine(folder, "eval", "documents.jsonl")),
            RecipeText = recipe,
        };
    }

    private static List<DocumentScore> ReadDocuments(string path)
    {
        List<DocumentScore> documents = [];
        if (!File.Exists(path))
        {
            return documents;
        }

        CheckSize(path, LargestLog);
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                DocumentScore? score = JsonSerializer.Deserialize<DocumentScore>(line, ReportJson.Options);
                documents.Add(
                    score is { Domain: not null, Tokens: >= 0 }
                        ? score
                        : throw new JsonException("domain or tokens missing")
                );
            }
            catch (JsonException problem)
            {
                throw new DataFormatException(
                    $"{path}:{number}: {{ \"domain\", \"document\", \"tokens\", \"nll\" }} was expected: {problem.Message} Evaluate the run again.",
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
        IReadOnlyDictionary<string, string> keys = recipe is null
            ? new Dictionary<string, string>()
            : RecipeKeys.Flatten(recipe);
        int steps = metrics.Steps.Count > 0 ? metrics.Steps[^1] : 0;
        return new RunResult
        {
            Name = keys.GetValueOrDefault("name", name),
            Arm = keys.GetValueOrDefault("name", name),
            Seed = int.TryParse(keys.GetValueOrDefault("seed"), out int seed) ? seed : 0,
            Steps = steps,
            PlannedSteps = int.TryParse(keys.GetValueOrDefault("training.steps"), out int planned) ? planned : steps,
            Truncated = true,
            Seconds = metrics.Series("seconds") is [.., var seconds] ? seconds.Value : 0,
            Flops = metrics.Series("cost/flops") is [.., var flops] ? flops.Value : 0,
        };
    }

    private static string? ReadIfThere(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        CheckSize(path, LargestDocument);
        return File.ReadAllText(path);
    }

    private static void CheckSize(string path, long largest)
    {
        long length = File.Exists(path) ? new FileInfo(path).Length : 0;
        if (length > largest)
        {
            throw new DataFormatException(
                $"{path}: {length:N0} bytes, at most {largest:N0} are read. This is not a file of a run; leave it out."
            );
        }
    }
}
