using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Runs;

/// <summary>How long a run is, and what happens along it.</summary>
public sealed record TrainingConfig : IValidated
{
    /// <summary>J, optimizer steps of the run.</summary>
    [Range(1, 100_000_000)]
    public required int Steps { get; init; }

    /// <summary>Sequences of one optimizer step (the global batch).</summary>
    [Range(1, 1_000_000)]
    public int BatchSequences { get; init; } = 16;

    /// <summary>First parts of the run in which the batch is smaller, in order, each smaller than the next; null for one size throughout. Steps stay steps: the run reads fewer tokens.</summary>
    public IReadOnlyList<BatchStageConfig>? BatchWarmup { get; init; }

    /// <summary>Sequences of one forward and backward pass, a divisor of the batch; null means the whole batch. Changes memory and speed, and the result only by rounding.</summary>
    [Range(1, 1_000_000)]
    public int? MicroBatchSequences { get; init; }

    /// <summary>Steps between evaluations on the curve set.</summary>
    [Range(1, int.MaxValue)]
    public int EvaluateEvery { get; init; } = 100;

    /// <summary>Steps between checkpoints; the last step is always saved.</summary>
    [Range(1, int.MaxValue)]
    [DoesNotAlterNumbers]
    public int CheckpointEvery { get; init; } = 250;

    /// <summary>Whether checkpoints are written from a copy while training goes on. Takes the memory of weights and optimizer state once more while a checkpoint is written; the files are the same.</summary>
    [DoesNotAlterNumbers]
    public bool CheckpointInBackground { get; init; } = true;

    /// <summary>Layers of which only the input is kept in the forward pass, and the rest made again in the backward pass: <c>true</c> for all, a number for the first so many. Less memory for up to a third more arithmetic, the same numbers.</summary>
    [DoesNotAlterNumbers]
    public LayerCount Recompute { get; init; }

    /// <summary>Steps between lines of the log.</summary>
    [Range(1, int.MaxValue)]
    [DoesNotAlterNumbers]
    public int LogEvery { get; init; } = 10;

    /// <summary>Whether each evaluation on the curve set also lets the model write after the data set's prompts, into <c>samples.json</c>, for <c>saltern watch</c>: 96 tokens each, a small part of an evaluation's time. A finished run has samples in any case.</summary>
    [DoesNotAlterNumbers]
    public bool SampleText { get; init; }

    /// <summary>Tokens of the curve set, evaluated along the run.</summary>
    [Range(1, int.MaxValue)]
    public int EvaluationTokens { get; init; } = 65_536;

    /// <summary>Tokens of the whole set, evaluated after the last step; all there is where there is less.</summary>
    [Range(1, int.MaxValue)]
    public int FinalEvaluationTokens { get; init; } = 262_144;

    /// <summary>Steps in a row with a non-finite loss or gradient after which the run stops; they are never applied.</summary>
    [Range(1, int.MaxValue)]
    [DoesNotAlterNumbers]
    public int MaxSkippedSteps { get; init; } = 5;

    /// <summary>Steps after which a checkpoint is written, and kept besides the newest two; null for none.</summary>
    [DoesNotAlterNumbers]
    public IReadOnlyList<int>? KeepSteps { get; init; }

    /// <summary>At multiples of this a checkpoint is written and kept; null for none.</summary>
    [Range(1, int.MaxValue)]
    [DoesNotAlterNumbers]
    public int? KeepEvery { get; init; }

    /// <summary>Whether the checkpoint with the lowest loss on the curve set is kept too. Every evaluation that finds a lower one then writes a checkpoint.</summary>
    [DoesNotAlterNumbers]
    public bool KeepBest { get; init; }

    /// <summary>Whether a checkpoint is written after a step, counted from 1, whatever its loss.</summary>
    public bool SavesAfter(long step) =>
        step == Steps
        || step % CheckpointEvery == 0
        || (KeepEvery is int every && step % every == 0)
        || (KeepSteps?.Any(kept => kept == step) ?? false);

    /// <summary>Sequences of a micro-batch.</summary>
    public int MicroBatch => MicroBatchOf(BatchSequences);

    /// <summary>Sequences of a micro-batch of a stage's batch.</summary>
    internal int MicroBatchOf(int batchSequences) => MicroBatchSequences ?? batchSequences;

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (BatchSequences % MicroBatch != 0)
        {
            yield return new ConfigurationProblem(
                "micro_batch_sequences",
                $"= {MicroBatch} does not divide batch_sequences = {BatchSequences}."
            );
        }

        foreach (ConfigurationProblem problem in BatchProblems())
        {
            yield return problem;
        }

        foreach (int step in KeepSteps?.Where(step => step < 1 || step > Steps) ?? [])
        {
            yield return new ConfigurationProblem(
                "keep_steps",
                $"has {step}, which is no step of a run of {Steps}. Name steps from 1 to {Steps}."
            );
        }
    }

    private IEnumerable<ConfigurationProblem> BatchProblems()
    {
        BatchStageConfig[] stages = [.. BatchWarmup ?? []];
        for (int i = 0; i < stages.Length; i++)
        {
            (int batch, int last) = (stages[i].BatchSequences, stages[i].Until.Resolve(Steps));
            int before = i == 0 ? 0 : stages[i - 1].Until.Resolve(Steps);
            int next = i == stages.Length - 1 ? BatchSequences : stages[i + 1].BatchSequences;
            if (last <= before || last >= Steps)
            {
                yield return new ConfigurationProblem(
                    "batch_warmup",
                    $"has a part until {stages[i].Until}, step {last} of {Steps}, after one until step {before}. "
                        + "Each part ends after the one before, and the last before the run does."
                );
            }

            if (batch >= next)
            {
                yield return new ConfigurationProblem(
                    "batch_warmup",
                    $"has a batch of {batch} sequences before one of {next}. Each is smaller than the next, up to batch_sequences."
                );
            }

            if (MicroBatchSequences is int micro && batch % micro != 0)
            {
                yield return new ConfigurationProblem(
                    "batch_warmup",
                    $"has a batch of {batch} sequences, which micro_batch_sequences = {micro} does not divide."
                );
            }
        }
    }
}
