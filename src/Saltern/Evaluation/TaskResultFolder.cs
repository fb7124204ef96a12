using Saltern.Files;

namespace Saltern.Evaluation;

/// <summary>The files that an evaluation on tasks leaves: <c>results.json</c> and <c>samples_TASK.jsonl</c>, as lm-evaluation-harness has them.</summary>
internal static class TaskResultFolder
{
    /// <summary>The summary; written last, so that it stands for the whole.</summary>
    public const string ResultsFile = "results.json";

    /// <summary>Writes a model's results; files of the same tasks are replaced.</summary>
    /// <param name="json">The text of results.json (<see cref="TaskResultJson.Results"/>).</param>
    public static void Write(string folder, IReadOnlyList<TaskResult> results, string json)
    {
        Directory.CreateDirectory(folder);
        File.Delete(Path.Combine(folder, ResultsFile));
        foreach (TaskResult result in results)
        {
            WholeFile.WriteText(
                Path.Combine(folder, $"samples_{result.Definition.Task}.jsonl"),
                string.Concat(TaskResultJson.Samples(result).Select(line => line + "\n"))
            );
        }

        WholeFile.WriteText(Path.Combine(folder, ResultsFile), json);
    }
}
