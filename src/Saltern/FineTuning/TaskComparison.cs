using System.Globalization;
using Saltern.Evaluation;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.FineTuning;

/// <summary>The same tasks before and after fine-tuning, item by item.</summary>
internal sealed class TaskComparison
{
    /// <summary>Where the first model's results go, in the run folder.</summary>
    public const string BeforeFolder = RunLayout.EvaluationFolder + "/before";

    /// <summary>Where the best checkpoint's results go.</summary>
    public const string AfterFolder = RunLayout.EvaluationFolder + "/after";

    private readonly TaskPlan _plan;
    private readonly int? _limit;
    private readonly string _base;
    private readonly int _window;
    private readonly Action<string> _log;
    private readonly IReadOnlyCollection<string>? _ignoredKeys;
    private IReadOnlyList<TaskResult> _before = [];

    private TaskComparison(
        TaskPlan plan,
        int? limit,
        string baseFolder,
        int window,
        Action<string> log,
        IReadOnlyCollection<string>? ignoredKeys
    ) => (_plan, _limit, _base, _window, _log, _ignoredKeys) = (plan, limit, baseFolder, window, log, ignoredKeys);

    /// <summary>Reads the task files and finds their data.</summary>
    /// <param name="baseFolder">Folder of the model that fine-tuning starts from.</param>
    /// <param name="window">Most tokens that a model reads at once.</param>
    /// <param name="log">Told how the work goes.</param>
    /// <param name="ignoredKeys">Keys of that model's config that need not be understood; null for none.</param>
    /// <exception cref="ConfigurationException">A file is wrong, or its data is missing.</exception>
    public static TaskComparison Plan(
        FineTuneEvaluationConfig config,
        string baseFolder,
        int window,
        Action<string> log,
        IReadOnlyCollection<string>? ignoredKeys = null
    )
    {
        TaskPlan plan = TaskPlan.Read(config.Tasks, config.DataDir, null);
        if (plan.Missing.Count == 0)
        {
            return new TaskComparison(plan, config.Limit, baseFolder, window, log, ignoredKeys);
        }

        throw new ConfigurationException(
            $"evaluation.tasks: no data was found for {string.Join(", ", plan.Missing)}. Give their folder by evaluation.data_dir."
        );
    }

    /// <summary>Measures the model that fine-tuning starts from.</summary>
    /// <param name="folder">Where its results go.</param>
    /// <param name="name">What they call it.</param>
    /// <param name="weights">Fingerprint of the weights that the run started from.</param>
    /// <param name="cancellation">Ends the work early, with an exception.</param>
    /// <exception cref="ConfigurationException">The model is another one by now.</exception>
    public void Before(string folder, string name, string weights, CancellationToken cancellation)
    {
        using TaskModel model = TaskModel.Load(name, _base, _window, ignoredKeys: _ignoredKeys);
        string found = RunParts.WeightsFingerprint(model.Model);
        if (found != weights)
        {
            throw new ConfigurationException(
                $"init_from = {name} has the weights {found}, but the run started from {weights}, "
                    + "so tasks before and after would not compare. Name the checkpoint that it started from: "
                    + "--set init_from=…."
            );
        }

        _before = Measure(model, "before", cancellation);
        TaskResultFolder.Write(folder, _before, Json(model, _before, null));
    }

    /// <summary>Measures the best checkpoint and compares.</summary>
    /// <param name="folder">Where its results go.</param>
    /// <param name="cancellation">Ends the work early, with an exception.</param>
    public IReadOnlyDictionary<string, TaskChange> After(
        string folder,
        string checkpoint,
        CancellationToken cancellation
    )
    {
        using TaskModel model = TaskModel.Load(checkpoint, checkpoint, _window);
        IReadOnlyList<TaskResult> after = Measure(model, "after", cancellation);
        Dictionary<string, IReadOnlyList<PairedTest>> paired = after
            .Zip(_before)
            .ToDictionary(
                pair => pair.First.Definition.Task,
                pair =>
                    (IReadOnlyList<PairedTest>)
                        [
                            .. pair.First.Scores.Select(score =>
                                PairedTest.Of(score.Metric, pair.First.Items, pair.Second.Items)
                            ),
                        ]
            );
        TaskResultFolder.Write(folder, after, Json(model, after, paired));
        return _before
            .Zip(after)
            .ToDictionary(
                pair => pair.First.Definition.Task,
                pair => Change(pair.First, pair.Second, paired[pair.First.Definition.Task])
            );
    }

    private IReadOnlyList<TaskResult> Measure(TaskModel model, string when, CancellationToken cancellation) =>
        [
            .. _plan.Tasks.Select(task =>
            {
                TaskResult result = TaskResult.Of(model, task, _limit, null, cancellation);
                MetricScore main = result.Scores[0];
                _log(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{when}: {task.Definition.Task} {TaskMetrics.NameOf(main.Metric)} {main.Value:0.0000}, "
                            + $"{result.Items.Count} items, {result.ItemsPerSecond:0} items/s{CutNote(result.CutItems, model.Window)}"
                    )
                );
                return result;
            }),
        ];

    private static string CutNote(IReadOnlyList<string> cut, int window)
    {
        if (cut.Count == 0)
        {
            return "";
        }

        string more = cut.Count > 5 ? ", …" : "";
        return $"; {cut.Count} longer than {window} tokens, cut from the left: {string.Join(", ", cut.Take(5))}{more}";
    }

    private string Json(
        TaskModel model,
        IReadOnlyList<TaskResult> results,
        IReadOnlyDictionary<string, IReadOnlyList<PairedTest>>? paired
    ) => TaskResultJson.Results(new TaskRunResults(model.Name, model.Window, results) { Limit = _limit }, paired);

    private static TaskChange Change(TaskResult before, TaskResult after, IReadOnlyList<PairedTest> paired) =>
        new()
        {
            MainMetric = TaskMetrics.NameOf(after.Scores[0].Metric),
            Items = after.Items.Count,
            TooLong = after.CutItems,
            Metrics = Enumerable
                .Range(0, paired.Count)
                .ToDictionary(
                    i => TaskMetrics.NameOf(paired[i].Metric),
                    i =>
                    {
                        (MetricScore first, MetricScore second, PairedTest test) = (
                            before.Scores[i],
                            after.Scores[i],
                            paired[i]
                        );
                        return new MetricChange(
                            first.Value,
                            [first.Low, first.High],
                            second.Value,
                            [second.Low, second.High],
                            test.Difference,
                            [test.Low, test.High],
                            test.PValue,
                            test.Test
                        );
                    }
                ),
        };
}
