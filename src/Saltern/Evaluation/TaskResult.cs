using System.Diagnostics;

namespace Saltern.Evaluation;

/// <summary>A model's result on a task.</summary>
internal sealed record TaskResult
{
    /// <summary>The task.</summary>
    public required TaskDefinition Definition { get; init; }

    /// <summary>Where the items came from; null where they were drawn.</summary>
    public required string? DataPath { get; init; }

    /// <summary>Item by item, in the order of the file.</summary>
    public required IReadOnlyList<ItemResult> Items { get; init; }

    /// <summary>The metrics, the main one first.</summary>
    public required IReadOnlyList<MetricScore> Scores { get; init; }

    /// <summary>From the first item encoded to the last one scored; reading files, and loading the model, left out.</summary>
    public required TimeSpan Time { get; init; }

    /// <summary>Items a second.</summary>
    public double ItemsPerSecond => Items.Count / Time.TotalSeconds;

    /// <summary>Items of which the model could not read the beginning.</summary>
    public IReadOnlyList<string> CutItems => [.. Items.Where(item => item.IsCut).Select(item => item.Item.Id)];

    /// <summary>Runs a task.</summary>
    /// <param name="limit">Most items, from the first on; null for all.</param>
    /// <param name="progress">Told how many requests or answers are done.</param>
    /// <param name="cancellation">Ends the work early.</param>
    public static TaskResult Of(
        TaskModel model,
        TaskFile task,
        int? limit = null,
        Action<int>? progress = null,
        CancellationToken cancellation = default
    )
    {
        TaskDefinition definition = task.Definition;

        // Examples come from the whole file: they do not change with --limit.
        bool ownPool = task.ExamplePath is null;
        IReadOnlyList<TaskItem> pool = [];
        if (definition.Shots > 0)
        {
            pool = TaskItemReader.Read(definition, task.ExamplePath ?? task.DataPath!);
        }

        IReadOnlyList<TaskItem> items = task.DataPath switch
        {
            null => InductionItems.Draw(definition, model.Tokenizer, limit),
            _ when definition.Shots > 0 && ownPool => [.. pool.Take(limit ?? pool.Count)],
            string path => TaskItemReader.Read(definition, path, limit),
        };
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<ItemResult> results = TaskRunner.Run(
            model,
            definition,
            items,
            new FewShotPrompt(definition, pool, ownPool && definition.Shots > 0, definition.Shots),
            progress,
            cancellation
        );
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        return new TaskResult
        {
            Definition = definition,
            DataPath = task.DataPath,
            Items = results,
            Scores = [.. definition.Measured.Select(metric => MetricScore.Of(metric, definition.Kind, results))],
            Time = time,
        };
    }
}
