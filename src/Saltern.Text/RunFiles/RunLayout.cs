using Saltern.Files;

namespace Saltern.RunFiles;

/// <summary>Names of the files in a run folder (docs/run-format.md), and how much of them is read: they may be damaged, or of another program.</summary>
internal static class RunLayout
{
    /// <summary>The resolved recipe.</summary>
    public const string Recipe = "recipe.yaml";

    /// <summary>Metrics, one JSON object a line.</summary>
    public const string Metrics = "metrics.jsonl";

    /// <summary>What a finished run wrote about itself.</summary>
    public const string Result = "result.json";

    /// <summary>Folder of what the final model was evaluated on.</summary>
    public const string EvaluationFolder = "eval";

    /// <summary>Losses of each document of the whole validation set.</summary>
    public const string Documents = EvaluationFolder + "/documents.jsonl";

    /// <summary>Texts of the newest evaluation.</summary>
    public const string Samples = "samples.json";

    /// <summary>What was changed on resume, a line each.</summary>
    public const string Changes = "changes.log";

    /// <summary>Held open while a run writes into the folder, so that a second one finds out.</summary>
    public const string Lock = "run.lock";

    /// <summary>What a run would have said on a stream that it lost, and which one that was; only where that happened.</summary>
    public const string Messages = "messages.log";

    /// <summary>Folder of the checkpoints.</summary>
    public const string CheckpointsFolder = "checkpoints";

    /// <summary>Where a comparison puts its report by default.</summary>
    public const string Report = "report.html";

    /// <summary>Most bytes of a recipe, a result or samples: real ones are a few kB.</summary>
    public const long LargestDocument = 64L << 20;

    /// <summary>Most bytes of metrics or scores by document: a year of steps stays below a gigabyte.</summary>
    public const long LargestLog = 2L << 30;

    /// <summary>Makes sure that a file is not larger than what a run writes; a missing one is not.</summary>
    /// <exception cref="DataFormatException">It is larger.</exception>
    public static void RequireSize(string path, long largest)
    {
        var file = new FileInfo(path);
        if (file.Exists)
        {
            RequireSize(path, file.Length, largest);
        }
    }

    /// <summary>The same of a file whose length is known.</summary>
    /// <param name="name">What the message calls it.</param>
    /// <param name="length">Its bytes.</param>
    public static void RequireSize(string name, long length, long largest)
    {
        if (length > largest)
        {
            throw new DataFormatException(
                $"{name}: {length:N0} bytes, at most {largest:N0} are read. "
                    + "This is not a file of a run; leave it out."
            );
        }
    }

    /// <summary>Text of a recipe, a result or samples; null where there is no such file.</summary>
    /// <exception cref="DataFormatException">It is larger than <see cref="LargestDocument"/>.</exception>
    public static string? ReadDocument(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        RequireSize(path, LargestDocument);
        return Disk.Current.ReadAllText(path);
    }
}
