using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary>The part of <c>saltern eval</c> that runs tasks: one model, or two on the same items.</summary>
/// <param name="ranks">The ranks, which share the work out; rank 0 writes.</param>
/// <param name="window">Most tokens a model reads at once, by its name and folder.</param>
/// <param name="compute">Type of the products.</param>
/// <param name="cancellation">Ends the work early.</param>
internal sealed class TaskEvaluation(
    Output console,
    ICommunicator ranks,
    TaskRequest request,
    Func<string, string, int> window,
    ComputePlan compute,
    CancellationToken cancellation
)
{
    /// <summary>Keys of the models' configs that need not be understood.</summary>
    public IReadOnlyCollection<string> IgnoredKeys { get; init; } = [];

    /// <summary>Runs the tasks, prints the table, writes the files.</summary>
    /// <param name="model">Name and folder of the model.</param>
    /// <param name="second">Name and folder of a second model, or null.</param>
    /// <param name="output">Folder for results.json and samples, or null.</param>
    public int Run((string Name, string Folder) model, (string Name, string Folder)? second, string? output)
    {
        TaskPlan plan = TaskPlan.Read(request.Files, request.DataFolder, request.Shots, request.Encoding);
        Measured first = Measure(plan, model);
        Measured? other = second is { } named ? Measure(plan, named) : null;
        Dictionary<string, IReadOnlyList<PairedTest>>? paired = other is null ? null : Paired(first, other);
        foreach (Measured measured in new[] { first, other }.OfType<Measured>())
        {
            TaskTable.Print(console, measured.Name, measured.Results, measured.Groups);
        }

        if (plan.Missing.Count > 0)
        {
            console.Line($"Left out, because --data-dir has no data for them: {string.Join(", ", plan.Missing)}.");
        }

        if (other is not null && paired is not null)
        {
            TaskTable.PrintPaired(console, first.Name, other.Name, paired);
        }

        string result = first.Json(request.Limit, plan.Missing, paired);
        if (output is not null && ranks.Rank == 0)
        {
            first.Write(output, result);
            other?.Write(Path.Combine(output, "second"), other.Json(request.Limit, plan.Missing, null));
        }

        if (console.IsJson)
        {
            Output.Json(result);
        }

        return ExitCode.Done;
    }

    private static Dictionary<string, IReadOnlyList<PairedTest>> Paired(Measured first, Measured second)
    {
        var paired = new Dictionary<string, IReadOnlyList<PairedTest>>();
        foreach ((TaskResult one, TaskResult other) in first.Results.Zip(second.Results))
        {
            if (
                !one
                    .Items.SelectMany(item => item.Item.Stretch)
                    .SequenceEqual(other.Items.SelectMany(item => item.Item.Stretch))
            )
            {
                throw new ConfigurationException(
                    $"{one.Definition.Task} draws its items from a model's own tokens, and {first.Name} and {second.Name} "
                        + "have different tokenizers. Evaluate them one by one, or leave the task out."
                );
            }

            paired.Add(
                one.Definition.Task,
                [.. one.Scores.Select(score => PairedTest.Of(score.Metric, one.Items, other.Items))]
            );
        }

        return paired;
    }

    private Measured Measure(TaskPlan plan, (string Name, string Folder) named)
    {
        using var status = new StatusLine(console);
        using TaskModel model = TaskModel.Load(
            named.Name,
            named.Folder,
            window(named.Name, named.Folder),
            WeightsLine.On(status, "loading"),
            ranks,
            compute.ProductType,
            IgnoredKeys,
            compute.Device
        );
        if (model.Reading?.Remark is string remark)
        {
            status.Keep(remark);
        }

        var results = new List<TaskResult>();
        foreach (TaskFile task in plan.Tasks)
        {
            TaskResult result = TaskResult.Of(
                model,
                task,
                request.Limit,
                done => status.Show(() => $"{task.Definition.Task}: {done} done"),
                cancellation
            );
            results.Add(result);
            status.Keep(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{task.Definition.Task}: {result.Items.Count} items in {result.Time.TotalSeconds:0.0} "
                        + $"s, {result.ItemsPerSecond:0.0} items/s"
                )
            );
            if (result.CutItems.Count > 0)
            {
                string more = result.CutItems.Count > 5 ? ", …" : "";
                status.Keep(
                    $"  {result.CutItems.Count} of them longer than the {model.Window} tokens that {named.Name} reads, "
                        + $"cut from the left: {string.Join(", ", result.CutItems.Take(5))}{more}"
                );
            }

            if (task.Definition is { Kind: TaskKind.Generate } generated && generated.MaxTokens > model.Window / 2)
            {
                status.Keep(
                    $"  Answers have at most {model.Window / 2} tokens, half of what {named.Name} reads, "
                        + $"not max_tokens = {task.Definition.MaxTokens}."
                );
            }

            int lost = result.Items.Count(item => item.LosesTargets);
            if (lost > 0)
            {
                status.Keep(
                    $"  Of {lost} even a part of the answer did not fit: their log probabilities are of the rest."
                );
            }
        }

        var main = results.ToDictionary(result => result.Definition.Task, result => result.Scores[0].Value);
        return new Measured(named.Name, model.Window, results, [.. plan.Groups.Select(group => group.Score(main))])
        {
            IgnoredKeys = model.Reading?.Ignored ?? [],
        };
    }

    private sealed record Measured(
        string Name,
        int Window,
        IReadOnlyList<TaskResult> Results,
        IReadOnlyList<GroupScores> Groups
    )
    {
        public IReadOnlyList<string> IgnoredKeys { get; init; } = [];

        public string Json(
            int? limit,
            IReadOnlyList<string> missing,
            IReadOnlyDictionary<string, IReadOnlyList<PairedTest>>? paired
        ) =>
            TaskResultJson.Results(
                new TaskRunResults(Name, Window, Results)
                {
                    Limit = limit,
                    IgnoredKeys = IgnoredKeys,
                    Groups = Groups,
                    Missing = missing,
                },
                paired
            );

        public void Write(string folder, string json) => TaskResultFolder.Write(folder, Results, json);
    }
}
