namespace Saltern.RunFiles;

/// <summary>What fine-tuning started from, was given and changed: the part <c>fine_tuning</c> of a <c>result.json</c>.</summary>
internal sealed record FineTuningOutcome
{
    /// <summary>The model that it started from, as the recipe names it.</summary>
    public required string InitFrom { get; init; }

    /// <summary>The checkpoint that was evaluated afterwards, within the run folder: the one with the lowest validation loss.</summary>
    public required string Checkpoint { get; init; }

    /// <summary>What became of the examples.</summary>
    public required ExampleCounts Examples { get; init; }

    /// <summary>Parameters that were trained: all of the model's, or those of its adapters; null in older results.</summary>
    public long? TrainedParameters { get; init; }

    /// <summary>Scores before and after, by task; empty where the recipe names none.</summary>
    public IReadOnlyDictionary<string, TaskChange> Tasks { get; init; } = new Dictionary<string, TaskChange>();
}

/// <summary>What became of the examples of a fine-tuning run.</summary>
internal sealed record ExampleCounts
{
    /// <summary>Examples trained on.</summary>
    public required int Train { get; init; }

    /// <summary>Examples validated on.</summary>
    public required int Valid { get; init; }

    /// <summary>Packed rows of one epoch.</summary>
    public required long Rows { get; init; }

    /// <summary>Targets of one epoch: tokens of responses, ends included.</summary>
    public required long Targets { get; init; }

    /// <summary>Ids of examples longer than the sequence length, training and validation alike: they are left out whole.</summary>
    public required IReadOnlyList<string> TooLong { get; init; }

    /// <summary>Examples whose prompts lost their beginnings because they are longer than the sequence length.</summary>
    public int CutPrompts { get; init; }

    /// <summary>Records that are no examples, or have what cannot be trained as their author means it: they are passed over.</summary>
    public int PassedOver { get; init; }

    /// <summary>The first of them, each with its place and the reason.</summary>
    public IReadOnlyList<string> FirstPassedOver { get; init; } = [];
}

/// <summary>A task before and after fine-tuning, on the same items.</summary>
internal sealed record TaskChange
{
    /// <summary>The task's main metric, a key of <see cref="Metrics"/>.</summary>
    public required string MainMetric { get; init; }

    /// <summary>Items.</summary>
    public required int Items { get; init; }

    /// <summary>Ids of items whose prompt was cut from the left because the model reads fewer tokens; they count in the scores.</summary>
    public required IReadOnlyList<string> TooLong { get; init; }

    /// <summary>Scores by metric.</summary>
    public required IReadOnlyDictionary<string, MetricChange> Metrics { get; init; }
}

/// <summary>A metric before and after fine-tuning. Intervals are 95 % by bootstrap over items: they do not speak of other seeds.</summary>
/// <param name="Before">Score of the model that fine-tuning started from.</param>
/// <param name="BeforeCi95">Its interval.</param>
/// <param name="After">Score of the best checkpoint.</param>
/// <param name="AfterCi95">Its interval.</param>
/// <param name="Difference">After less before, paired by item.</param>
/// <param name="DifferenceCi95">Its interval.</param>
/// <param name="PValue">Two-sided, by <paramref name="Test"/>.</param>
/// <param name="Test"><c>mcnemar_exact</c> or <c>paired_bootstrap</c>.</param>
internal sealed record MetricChange(
    double Before,
    IReadOnlyList<double> BeforeCi95,
    double After,
    IReadOnlyList<double> AfterCi95,
    double Difference,
    IReadOnlyList<double> DifferenceCi95,
    double PValue,
    string Test
);
