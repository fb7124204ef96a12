using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Evaluation;

/// <summary>How an item is put to the model.</summary>
internal enum TaskKind
{
    /// <summary>log p(choice | prompt) of each choice; the largest is the answer.</summary>
    Choice,

    /// <summary>log p(answer | context) of each context; the largest is the answer.</summary>
    ContextChoice,

    /// <summary>log p of each whole text, without a prompt; the largest is the answer.</summary>
    Pair,

    /// <summary>log p(answer | prompt), and whether it is what greedy decoding gives.</summary>
    [RecipeKey("lastword")]
    LastWord,

    /// <summary>Text that greedy decoding adds to the prompt, compared with reference answers.</summary>
    Generate,

    /// <summary>log p of a whole text in disjoint windows.</summary>
    Perplexity,

    /// <summary>log p of each token of a stretch of random tokens the second time it comes (arXiv:2209.11895, "repeated random tokens"): what a model can only copy.</summary>
    Induction,
}

/// <summary>A task: which file, how its fields become prompts, what is measured. One YAML file each; the field names are lm-evaluation-harness's where it has them.</summary>
internal sealed record TaskDefinition : IValidated
{
    /// <summary>Name in results; lm-evaluation-harness's where the task is there.</summary>
    [RegularExpression("[A-Za-z0-9_.-]+")]
    [Advice("Use letters, digits, '_', '-' and '.': it names files.")]
    public required string Task { get; init; }

    /// <summary>Counts up when the prompt or the metric changes: scores of different versions do not compare.</summary>
    [Range(0, 1_000_000)]
    public int Version { get; init; } = 1;

    /// <summary>How an item is put to the model.</summary>
    public required TaskKind Kind { get; init; }

    /// <summary>Records of the items: a path, or a name inside <c>--data-dir</c>, the endings of JSON, plain and compressed, .parquet and .arrow being tried; the task's name by default.</summary>
    public string? Data { get; init; }

    /// <summary>Encoding of records in JSON without a byte order mark, by its IANA name such as <c>windows-1252</c>; null for UTF-8.</summary>
    public string? Encoding { get; init; }

    /// <summary>Where examples for n-shot prompts come from, found like <see cref="Data"/>; null for the items themselves, an item never being its own example.</summary>
    public string? ExampleData { get; init; }

    /// <summary>How records are read: the first one whose fields a record has is used, so that several releases of a benchmark can share a file. Needed by every kind but <c>induction</c>, whose items are drawn.</summary>
    public IReadOnlyList<TaskReading> Readings { get; init; } = [];

    /// <summary>Of kind <c>induction</c> the items drawn; null for 64.</summary>
    [Range(1, 100_000)]
    public int? Items { get; init; }

    /// <summary>Of kind <c>induction</c> the tokens of the stretch that comes twice; null for 64.</summary>
    [Range(2, 100_000)]
    public int? StretchTokens { get; init; }

    /// <summary>Stands between prompt and choice or answer.</summary>
    public string TargetDelimiter { get; init; } = " ";

    /// <summary>What is measured, the main one first; null for the usual ones of the kind.</summary>
    [MinLength(1)]
    public IReadOnlyList<TaskMetric>? Metrics { get; init; }

    /// <summary>Examples before each item.</summary>
    [Range(0, 100)]
    public int Shots { get; init; }

    /// <summary>Decides which examples an item gets, and which tokens are drawn.</summary>
    public long Seed { get; init; } = 1234;

    /// <summary>Stands between examples.</summary>
    public string ExampleDelimiter { get; init; } = "\n\n";

    /// <summary>Most tokens of a generated answer.</summary>
    [Range(1, 100_000)]
    public int MaxTokens { get; init; } = 64;

    /// <summary>Texts that end a generated answer; they do not belong to it.</summary>
    public IReadOnlyList<string> Until { get; init; } = [];

    /// <summary>How a generated answer is taken out of the text and compared.</summary>
    public AnswerRules Answer { get; init; } = new();

    /// <summary>The metrics, filled in.</summary>
    internal IReadOnlyList<TaskMetric> Measured =>
        Metrics
        ?? Kind switch
        {
            TaskKind.Choice => [TaskMetric.Acc, TaskMetric.AccNorm],
            TaskKind.ContextChoice or TaskKind.Pair => [TaskMetric.Acc],
            TaskKind.LastWord => [TaskMetric.Acc, TaskMetric.Perplexity],
            TaskKind.Generate => [TaskMetric.ExactMatch],
            TaskKind.Induction => [TaskMetric.TokenAcc, TaskMetric.Perplexity],
            _ => [TaskMetric.BitsPerByte, TaskMetric.BytePerplexity, TaskMetric.WordPerplexity],
        };

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Encoding is not null && Corpora.TextDecoding.ProblemOf(Encoding) is string unknown)
        {
            yield return new ConfigurationProblem("encoding", unknown);
        }

        IReadOnlyList<TaskMetric> allowed = TaskMetrics.Of(Kind);
        foreach (TaskMetric metric in Measured.Except(allowed))
        {
            yield return new ConfigurationProblem(
                "metrics",
                $"has {TaskMetrics.NameOf(metric)}, which {KindName} does not give. "
                    + $"Use {string.Join(", ", allowed.Select(TaskMetrics.NameOf))}."
            );
        }

        if (Shots > 0 && !TakesExamples)
        {
            yield return new ConfigurationProblem(
                "shots",
                $"= {Shots}, but {KindName} has no prompt to put examples into. Use 0."
            );
        }

        if (ProblemOfItems() is ConfigurationProblem items)
        {
            yield return items;
        }

        for (int i = 0; i < Readings.Count; i++)
        {
            if (Readings[i].ProblemFor(Kind) is string problem)
            {
                yield return new ConfigurationProblem("readings", $"[{i}] {problem}");
            }
        }
    }

    /// <summary>Whether items have a prompt that examples can stand before.</summary>
    internal bool TakesExamples =>
        Kind is TaskKind.Choice or TaskKind.ContextChoice or TaskKind.LastWord or TaskKind.Generate;

    private ConfigurationProblem? ProblemOfItems()
    {
        bool isDrawn = Kind == TaskKind.Induction;
        if (!isDrawn && Readings.Count == 0)
        {
            return new ConfigurationProblem("readings", "is missing: say how a record becomes an item.");
        }

        if (!isDrawn && (Items is not null || StretchTokens is not null))
        {
            return new ConfigurationProblem(
                Items is null ? "stretch_tokens" : "items",
                $"belongs to kind induction, and this is {KindName}. Remove the key."
            );
        }

        if (isDrawn && (Readings.Count > 0 || Data is not null || Encoding is not null))
        {
            return new ConfigurationProblem(
                "readings",
                "and data and encoding are for records, but the items of kind induction are drawn. Remove those keys."
            );
        }

        return null;
    }

    private string KindName =>
        "kind "
        + (
            Kind == TaskKind.LastWord
                ? "lastword"
                : System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(Kind.ToString())
        );
}
