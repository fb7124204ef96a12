using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;
using Saltern.Runs;

namespace Saltern.FineTuning;

/// <summary>How long a fine-tuning run is, and what happens along it. A sequence is a packed row of several examples.</summary>
internal sealed record FineTuneTrainingConfig : IValidated
{
    /// <summary>Passes over the training examples, the last one to the end of its last batch; null for none given. Where steps are given too, the run ends with what comes first.</summary>
    [Range(0.001, 10_000.0)]
    public double? Epochs { get; init; }

    /// <summary>Most optimizer steps; null for none given.</summary>
    [Range(1, 100_000_000)]
    public int? Steps { get; init; }

    /// <summary>Rows of one optimizer step.</summary>
    [Range(1, 1_000_000)]
    public int BatchSequences { get; init; } = 16;

    /// <summary>Rows of one forward and backward pass, a divisor of the batch; null means the whole batch. Changes memory and speed, and the result only by rounding.</summary>
    [Range(1, 1_000_000)]
    public int? MicroBatchSequences { get; init; }

    /// <summary>Steps between evaluations on the validation examples; the checkpoint with the lowest loss is kept.</summary>
    [Range(1, int.MaxValue)]
    public int EvaluateEvery { get; init; } = 50;

    /// <summary>Steps between checkpoints; the last step is always saved.</summary>
    [Range(1, int.MaxValue)]
    [DoesNotAlterNumbers]
    public int CheckpointEvery { get; init; } = 100;

    /// <summary>Steps between lines of the log.</summary>
    [Range(1, int.MaxValue)]
    [DoesNotAlterNumbers]
    public int LogEvery { get; init; } = 10;

    /// <summary>Layers of which only the input is kept in the forward pass: <c>true</c> for all, a number for the first so many. Less memory for up to a third more arithmetic, the same numbers.</summary>
    [DoesNotAlterNumbers]
    public LayerCount Recompute { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Steps is null && Epochs is null)
        {
            yield return new ConfigurationProblem(
                "epochs",
                "is missing. Say how long the run is: epochs, steps, or both for what comes first."
            );
        }

        if (BatchSequences % (MicroBatchSequences ?? BatchSequences) != 0)
        {
            yield return new ConfigurationProblem(
                "micro_batch_sequences",
                $"= {MicroBatchSequences} does not divide batch_sequences = {BatchSequences}."
            );
        }
    }

    /// <summary>The same as the training loop takes it.</summary>
    /// <param name="rows">Packed rows of one epoch.</param>
    internal TrainingConfig ToTraining(long rows) =>
        new()
        {
            Steps = Epochs is double epochs
                ? (int)Math.Min(Steps ?? int.MaxValue, Math.Max(1, Math.Ceiling(epochs * rows / BatchSequences)))
                : Steps!.Value,
            BatchSequences = BatchSequences,
            MicroBatchSequences = MicroBatchSequences,
            EvaluateEvery = EvaluateEvery,
            CheckpointEvery = CheckpointEvery,
            LogEvery = LogEvery,
            Recompute = Recompute,
            KeepBest = true,
        };
}

/// <summary>Tasks that a fine-tuning run measures before its first step and on its best checkpoint.</summary>
internal sealed record FineTuneEvaluationConfig
{
    /// <summary>Tasks that ship, by name, or task files, whose prompts should be those of the examples.</summary>
    [MinLength(1)]
    public required IReadOnlyList<string> Tasks { get; init; }

    /// <summary>Folder with the tasks' JSON lines; null looks beside the task files.</summary>
    public string? DataDir { get; init; }

    /// <summary>Most items of each task, from the first on; null for all.</summary>
    [Range(1, int.MaxValue)]
    public int? Limit { get; init; }
}
