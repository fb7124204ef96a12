using System.Text;
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
        DurableFolder.Create(folder);
        List<(string Name, string Text)> files =
        [
            .. results.Select(result =>
                (
                    $"samples_{result.Definition.Task}.jsonl",
                    string.Concat(TaskResultJson.Samples(result).Select(line => line + "\n"))
                )
            ),
            (ResultsFile, json),
        ];

        // All are on the disk before the old ones are touched: what is left are changes of names.
        foreach ((string name, string text) in files)
        {
            WholeFile.WriteFlushed(
                Path.Combine(folder, name) + WholeFile.TemporaryEnding,
                file => file.Write(Encoding.UTF8.GetBytes(text))
            );
        }

        string summary = Path.Combine(folder, ResultsFile);
        if (File.Exists(summary))
        {
            Disk.Current.Delete(summary);
            DurableFolder.FlushParent(summary);
        }

        foreach ((string name, _) in files)
        {
            string path = Path.Combine(folder, name);
            WholeFile.Publish(path + WholeFile.TemporaryEnding, path);
        }
    }
}
