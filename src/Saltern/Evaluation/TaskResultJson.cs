using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Saltern.Evaluation;

/// <summary>What a model did on the tasks of one run.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Window">Most tokens it read at once.</param>
internal sealed record TaskRunResults(string Model, int Window, IReadOnlyList<TaskResult> Tasks)
{
    /// <summary>Most items of a task; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Keys of the model's config that were ignored.</summary>
    public IReadOnlyList<string> IgnoredKeys { get; init; } = [];

    /// <summary>Groups of the tasks.</summary>
    public IReadOnlyList<GroupScores> Groups { get; init; } = [];

    /// <summary>Tasks of groups without data.</summary>
    public IReadOnlyList<string> Missing { get; init; } = [];
}

/// <summary>Results in the shape and names of lm-evaluation-harness's files. Its keys are "metric,filter"; there are no filters here, so the second half is "none".</summary>
internal static class TaskResultJson
{
    private static readonly JsonSerializerOptions Pretty = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    private static readonly JsonSerializerOptions OneLine = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The text of results.json.</summary>
    /// <param name="paired">Comparison with a second model by task; null without one.</param>
    public static string Results(TaskRunResults run, IReadOnlyDictionary<string, IReadOnlyList<PairedTest>>? paired) =>
        new JsonObject
        {
            ["results"] = ByTask(run.Tasks, Scores),
            ["groups"] = new JsonObject(
                run.Groups.Select(group => KeyValuePair.Create(group.Group, (JsonNode?)Group(group)))
            ),
            ["versions"] = ByTask(run.Tasks, result => result.Definition.Version),
            ["n-shot"] = ByTask(run.Tasks, result => result.Definition.Shots),
            ["higher_is_better"] = ByTask(
                run.Tasks,
                result => new JsonObject(
                    result.Scores.Select(score =>
                        KeyValuePair.Create(
                            TaskMetrics.NameOf(score.Metric),
                            (JsonNode?)TaskMetrics.IsHigherBetter(score.Metric)
                        )
                    )
                )
            ),
            ["n-samples"] = ByTask(
                run.Tasks,
                result => new JsonObject { ["effective"] = result.Items.Count, ["too_long"] = result.CutItems.Count }
            ),
            ["too_long"] = ByTask(
                run.Tasks.Where(result => result.CutItems.Count > 0),
                result => new JsonArray([.. result.CutItems.Select(id => (JsonNode?)id)])
            ),
            ["configs"] = ByTask(run.Tasks, Config),
            ["config"] = new JsonObject
            {
                ["model"] = "saltern",
                ["model_args"] = run.Model,
                ["max_length"] = run.Window,
                ["limit"] = run.Limit,
                ["ignored_keys"] = new JsonArray([.. run.IgnoredKeys.Select(key => (JsonNode?)key)]),
                ["bootstrap_iters"] = ItemBootstrap.Resamples,
            },
            ["missing"] = new JsonArray([.. run.Missing.Select(task => (JsonNode?)task)]),
            ["paired"] = paired is null
                ? null
                : new JsonObject(
                    paired.Select(task =>
                        KeyValuePair.Create(
                            task.Key,
                            (JsonNode?)
                                new JsonObject(
                                    task.Value.Select(test =>
                                        KeyValuePair.Create(TaskMetrics.NameOf(test.Metric), (JsonNode?)Paired(test))
                                    )
                                )
                        )
                    )
                ),
        }.ToJsonString(Pretty);

    /// <summary>The lines of samples_TASK.jsonl.</summary>
    public static IEnumerable<string> Samples(TaskResult result) =>
        result.Items.Select(item => Sample(item, result.Definition).ToJsonString(OneLine));

    private static JsonObject ByTask(IEnumerable<TaskResult> results, Func<TaskResult, JsonNode?> value) =>
        new(results.Select(result => KeyValuePair.Create(result.Definition.Task, value(result))));

    private static JsonObject Scores(TaskResult result)
    {
        var node = new JsonObject { ["alias"] = result.Definition.Task };
        foreach (MetricScore score in result.Scores)
        {
            string name = TaskMetrics.NameOf(score.Metric);
            node[name + ",none"] = Number(score.Value);
            node[name + "_stderr,none"] = Number(score.StandardError);
            node[name + "_ci95,none"] = new JsonArray(Number(score.Low), Number(score.High));
            node[name + "_chance,none"] = Number(score.Chance);
            if (score.Majority is not null)
            {
                node[name + "_majority,none"] = Number(score.Majority);
            }

            node[name + "_above_chance,none"] = score.IsAboveChance;
        }

        node["items_per_second"] = Number(result.ItemsPerSecond);
        return node;
    }

    private static JsonObject Group(GroupScores group) =>
        new()
        {
            ["alias"] = group.Group,
            ["domains"] = Means(group.Domains),
            ["averages"] = Means(group.Averages),
        };

    private static JsonObject Means(IReadOnlyList<DomainScore> means) =>
        new(
            means.Select(mean =>
                KeyValuePair.Create(
                    mean.Name,
                    (JsonNode?)
                        new JsonObject
                        {
                            ["score,none"] = Number(mean.Score),
                            ["measured"] = mean.Measured,
                            ["of"] = mean.Of,
                        }
                )
            )
        );

    private static JsonObject Config(TaskResult result)
    {
        TaskDefinition definition = result.Definition;
        return new JsonObject
        {
            ["task"] = definition.Task,
            ["output_type"] = definition.Kind switch
            {
                TaskKind.Choice or TaskKind.ContextChoice or TaskKind.Pair => "multiple_choice",
                TaskKind.LastWord or TaskKind.Induction => "loglikelihood",
                TaskKind.Generate => "generate_until",
                _ => "loglikelihood_rolling",
            },
            ["doc_to_text"] = new JsonArray([.. definition.Readings.Select(reading => (JsonNode?)reading.Prompt)]),
            ["target_delimiter"] = definition.TargetDelimiter,
            ["fewshot_delimiter"] = definition.ExampleDelimiter,
            ["num_fewshot"] = definition.Shots,
            ["fewshot_seed"] = definition.Seed,
            ["metric_list"] = new JsonArray([
                .. definition.Measured.Select(metric => (JsonNode?)TaskMetrics.NameOf(metric)),
            ]),
            ["data"] = Path.GetFileName(result.DataPath),
        };
    }

    private static JsonObject Paired(PairedTest test) =>
        new()
        {
            ["difference"] = Number(test.Difference),
            ["ci95"] = new JsonArray(Number(test.Low), Number(test.High)),
            ["p_value"] = Number(test.PValue),
            ["test"] = test.Test,
            ["only_first"] = test.OnlyFirst,
            ["only_second"] = test.OnlySecond,
        };

    private static JsonObject Sample(ItemResult result, TaskDefinition definition)
    {
        string target = definition.Kind switch
        {
            TaskKind.Generate => string.Join('\n', result.Item.Answers),
            TaskKind.LastWord => definition.TargetDelimiter + result.Item.Answer,
            TaskKind.Perplexity => result.Item.Prompt,
            TaskKind.Induction => result.Arguments[0].Continuation,
            _ => result.Item.Gold.ToString(CultureInfo.InvariantCulture),
        };
        var node = new JsonObject
        {
            ["doc_id"] = result.Item.Index,
            ["id"] = result.Item.Id,
            ["doc"] = JsonNode.Parse(result.Item.Record.GetRawText()),
            ["target"] = target,
            ["arguments"] = new JsonArray([
                .. result.Arguments.Select(pair => (JsonNode?)new JsonArray(pair.Context, pair.Continuation)),
            ]),
            ["resps"] = result.Text is string text
                ? new JsonArray(text)
                : new JsonArray([
                    .. result.Scores.Select(score => (JsonNode?)new JsonArray(Number(score.LogProb), score.IsGreedy)),
                ]),
        };
        if (result.Answer is not null)
        {
            node["filtered_resps"] = new JsonArray(result.Answer);
        }

        foreach (TaskMetric metric in definition.Measured)
        {
            ItemScore score = result.Metrics[metric];
            node[TaskMetrics.NameOf(metric)] = TaskMetrics.IsHigherBetter(metric)
                ? (JsonNode?)Number(score.Value)
                : new JsonArray(Number(score.Value), Number(score.Weight));
        }

        node["too_long"] = result.IsCut;
        node["loses_targets"] = result.LosesTargets;
        node["doc_hash"] = Hash(result.Item.Record.GetRawText());
        node["prompt_hash"] = Hash(result.Arguments[0].Context);
        node["target_hash"] = Hash(target);
        return node;
    }

    // JSON has no infinity and no NaN.
    private static JsonValue? Number(double? value)
    {
        if (value is double number && double.IsFinite(number))
        {
            return JsonValue.Create(number);
        }

        return null;
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
